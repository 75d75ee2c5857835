"""Editing the config document by hand: what its guest would see of the edit, and defining it with proof."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse, parse_user_document, same
from holdfast.domainxml.elements.disk import refuse_same_serials, shortened_serials
from holdfast.domainxml.make.identifiers import name_interfaces
from holdfast.domainxml.secret_parts import secrets_of
from holdfast.errors import HoldfastError
from holdfast.errors.changes import EDIT_OF_UUID, EDIT_RENAMES
from holdfast.errors.guard import UNASKED_EDIT
from holdfast.hostfiles.editor import left_drafts, remove_draft, text_of_left
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import ask_libvirt
from holdfast.operations.documents import Documents, saved_memory_notes
from holdfast.operations.guard import nothing_asked, refuse_unasked
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.own_state import refuse_state_of_others, state_of, unfit_nvram
from holdfast.operations.proved_edit import Edit, apply_edit
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.waiting import waiting_since


@dataclass(frozen=True, kw_only=True)
class Edited(Result):
    """An edit of the config document. ``changes`` also has cosmetic ones, which only people see, such as the title.

    ``edited``         False where both texts say the same: then nothing was done
    ``blocks``         why the domain would not start any more, in sentences
    ``at_next_start``  True where a guest runs: until its next cold start it has nothing of the edit
    """

    edited: bool
    blocks: tuple[str, ...] = ()
    at_next_start: bool = False

    @property
    def needs_accept(self) -> bool:
        """True when the guest would see something of it, or would not start."""
        return bool(visible(self.changes) or self.blocks)


def text_to_edit(connection: Connection, name: str, *, to_change: bool = True) -> str:
    """The config document of the domain ``name`` with its secrets, for :func:`edit_domain`.

    Without ``to_change`` a connection that may only read will do, and gives no secrets. Raises READ_ONLY, TRANSIENT,
    LOCKED. (virDomainGetXMLDesc)
    """
    with changing(connection, name, needs=Need.CONFIG, dry_run=not to_change) as domain:
        return domain.xml(Definition.CONFIG, secure=True)


def edit_domain(
    connection: Connection, name: str, original: str, edited: str, *, accept: bool = False, dry_run: bool = False
) -> Edited:
    """Define ``edited`` as the config document of the domain ``name``, which was ``original`` when the edit began.

    Both are whole documents with their secrets, as :func:`text_to_edit` gives them. What ``edited``
    leaves open counts as libvirt would fill it in, where it can be asked. ``accept`` accepts what the guest would see.

    Raises InvalidDocument where ``edited`` is not a document, TRANSIENT, IN_RESCUE, UNASKED_EDIT without ``accept``,
    EDIT_RENAMES and EDIT_OF_UUID, SAME_SERIAL, STATE_IN_USE where it names the NVRAM of another domain,
    CHANGED_MEANWHILE where somebody else changed the document since ``original`` was read, LibvirtRefused with
    libvirt's words, and LIBVIRT_ADDS. Nothing was changed then. (virDomainDefineXMLFlags by the proved edit)
    """
    before, after = parse(original, "domain"), parse_user_document(edited, "domain")
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run) as domain:
        _refuse_another(domain, before, after)
        if same(before, after):
            return Edited(name=domain.name, uuid=domain.uuid, dry_run=dry_run, edited=False)
        name_interfaces(after)
        answer = ask_libvirt(connection, after)
        completed = after if answer.document is None else answer.document
        result = _result(domain, before, completed, dry_run)
        if dry_run:
            return answer.noted_in(result)
        if not accept:
            refuse_unasked(domain.name, result.changes, nothing_asked, also=result.blocks, condition=UNASKED_EDIT)
        apply_edit(domain, Edit(before, after, result.changes, expected=completed))
    return result


def kept_texts(connection: Connection, uuid: str, document: str) -> list[Path]:
    """The texts that earlier edits of the domain ``uuid`` have left on this host, a folder each: the last one last.

    One that says what the domain's ``document`` says is removed: there is nothing in it that could be lost.
    """
    kept = []
    for folder in left_drafts(uuid):
        text = text_of_left(folder)
        if text is not None and (not text or _says_the_same(connection, document, text)):
            remove_draft(folder)
        else:
            kept.append(folder)
    return kept


def _says_the_same(connection: Connection, document: str, text: str) -> bool:
    """True where two texts say the same, or libvirt would make the same of them."""
    try:
        before, after = parse(document, "domain"), parse_user_document(text, "domain")
        if same(before, after):
            return True
        if list(secrets_of(before)) != list(secrets_of(after)):
            return False
        one, other = (ask_libvirt(connection, each).document for each in (before, after))
    except HoldfastError:
        return False
    return one is not None and other is not None and same(one, other)


def _result(domain: OpenDomain, before: Element, after: Element, dry_run: bool) -> Edited:
    live = domain.documents.live
    refuse_same_serials(after, before)
    if set(state_of(domain.connection, after)) - set(state_of(domain.connection, before)):
        refuse_state_of_others(domain.connection, after)
    return Edited(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=tuple(compare_documents(before, after)),
        waits=waiting_since(Documents(live, before), Documents(live, after)),
        notes=(*saved_memory_notes(domain, domain.documents), *shortened_serials(_new_disks(before, after))),
        edited=True,
        blocks=(*HostOutlook(domain.connection).newly_blocks(before, after), *_newly_unfit(domain, before, after)),
        at_next_start=live is not None,
    )


def _new_disks(before: Element, after: Element) -> list[Element]:
    """The disks of ``after`` whose serial ``before`` does not have."""
    known = {disk.findtext("serial") for disk in before.iterfind("devices/disk")}
    return [disk for disk in after.iterfind("devices/disk") if disk.findtext("serial") not in known]


def _newly_unfit(domain: OpenDomain, before: Element, after: Element) -> list[str]:
    was, becomes = (unfit_nvram(domain.connection, document) for document in (before, after))
    return [becomes] if becomes and not was else []


def _refuse_another(domain: OpenDomain, before: Element, after: Element) -> None:
    for tag, condition in (("name", EDIT_RENAMES), ("uuid", EDIT_OF_UUID)):
        if before.findtext(tag) != after.findtext(tag):
            raise condition(name=domain.name)
