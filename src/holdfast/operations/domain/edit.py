"""The config document as a person edits it: what its guest would see of the edit, and the proved define of it."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse, same
from holdfast.errors import Refused
from holdfast.errors.guard import UNASKED_EDIT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import saved_memory
from holdfast.operations.guard import nothing, refuse_unasked
from holdfast.operations.host_outlook import HostOutlook
from holdfast.operations.proved_edit import Edit, apply_edit
from holdfast.operations.session import Need, OpenDomain, changing


@dataclass(frozen=True)
class Edited:
    """What an edit did, or with ``dry_run`` would do.

    ``edited`` is False where both texts say the same: then nothing was done. ``changes`` is what the guest sees of it,
    with what it does not see but people do (cosmetic ones); of the host's side nothing is listed. ``blocks`` are
    sentences on why the domain would not start any more. ``waits``: it runs, and has it after its next start.
    """

    name: str
    uuid: str
    edited: bool
    changes: tuple[Change, ...]
    blocks: tuple[str, ...]
    waits: bool
    notes: tuple[str, ...]
    dry_run: bool

    @property
    def needs_accept(self) -> bool:
        """True when the guest would see something of it, or would not start."""
        return bool(visible(self.changes) or self.blocks)


def edit_domain(
    connection: Connection, name: str, original: str, edited: str, *, accept: bool = False, dry_run: bool = False
) -> Edited:
    """Define ``edited`` as the config document of the domain ``name``, which was ``original`` when the edit began.

    Both are whole documents with their passwords, as :func:`document` gives them with ``secure``. ``accept`` takes
    what the guest would see of it.

    Raises InvalidDocument (2) where ``edited`` is none, Refused (3) for what the guest would see without ``accept``,
    for another name or UUID, and where somebody else changed the document since ``original`` was read; LibvirtRefused
    (1) with libvirt's words; Failed (1) where libvirt would make more of it than it says. Nothing was changed then.
    (virDomainDefineXMLFlags by the proved edit)
    """
    before, after = parse(original, "domain"), parse(edited, "domain")
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run) as domain:
        _refuse_another(domain, before, after)
        documents = domain.documents
        changes = tuple(compare_documents(before, after))
        is_new = not same(before, after)
        result = Edited(
            domain.name,
            domain.uuid,
            is_new,
            changes,
            tuple(HostOutlook(connection).newly_blocks(before, after)) if is_new else (),
            is_new and documents.live is not None,
            saved_memory(domain, documents) if is_new else (),
            dry_run,
        )
        if is_new and not dry_run:
            if not accept:
                refuse_unasked(domain.name, changes, nothing, also=result.blocks, condition=UNASKED_EDIT)
            apply_edit(domain, Edit(before, after, changes))
    return result


def _refuse_another(domain: OpenDomain, before: Element, after: Element) -> None:
    for tag, hint in (
        ("name", f"'holdfast rename {domain.name} NEW' gives it another one"),
        ("uuid", "it is what libvirt and the guest know it by"),
    ):
        if before.findtext(tag) != after.findtext(tag):
            raise Refused(f"an edit does not change the {tag} of {domain.name!r}", hint)
