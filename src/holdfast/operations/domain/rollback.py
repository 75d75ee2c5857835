"""Rolling a domain back: the hardware that it had at an entry of its history becomes that of its config document again.

It is an arrival of the recorded document, not a change of today's: what the guest sees is all as it was, at the same
places. What is no hardware stays as it is today: images, NVRAM and TPM state, name and metadata. Like any other change
it is an entry of the history, so it can be rolled back itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element, same
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.past.rolled_back import misfit_of_firmware, pair_disks, take_what_is_todays
from holdfast.domainxml.past.secret_places import opened_consoles, put_back_secrets
from holdfast.domainxml.records.disk_record import unfinished
from holdfast.domainxml.snapshots.stored import read_snapshot, written_images
from holdfast.errors import history as errors
from holdfast.history.entry import Entry
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.asked_of_libvirt import Answer, ask_libvirt
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.known_files import KnownFiles, known_files
from holdfast.operations.disks.missing_image import refuse_missing_images
from holdfast.operations.disks.newest_image import refuse_unless_newest
from holdfast.operations.documents import Documents
from holdfast.operations.domain.arrival import do_without, look_at_state, places_given
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import state_of, unfit_nvram
from holdfast.operations.past.revision import PastDomain, documents_before, domain_at
from holdfast.operations.proved_edit import Edit, apply_edit
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.snapshots.revert_images import refuse_below_others


@dataclass(frozen=True, kw_only=True)
class RolledBack(Result):
    """A rollback. ``changes`` is empty where the guest sees nothing of it.

    ``entry``        the entry of the history whose hardware it is
    ``host``         what differs on the host side, in words
    ``blocks``       why the domain would not start here with it, for reasons that today's hardware does not have
    ``rolled_back``  False where the domain has all of it already: then nothing was done
    """

    entry: Entry
    host: tuple[str, ...] = ()
    blocks: tuple[str, ...] = ()
    rolled_back: bool = True


def rollback_domain(
    connection: Connection,
    name: str,
    revision: str,
    *,
    secrets: Mapping[str, str] | None = None,
    fresh: Collection[str] = (),
    accept: bool = False,
    dry_run: bool = False,
) -> RolledBack:
    """Give the domain ``name``, which is shut off, the hardware that it had at ``revision`` of its history.

    ``revision`` is the id of an entry, "last-start", or a moment: "{2 days ago}". Images, NVRAM, TPM state, name,
    title, description and metadata stay today's. ``secrets``, by their places in the document of then, are those that
    today's document does not tell; a graphical console that lacks its password listens nowhere. ``fresh`` are the kinds
    of state, "nvram" and "tpm", that may be made anew where hardware comes back whose own is gone. ``accept`` accepts
    what the guest would see, that it would not start, and that a console would be open to a network as it is not today.

    Raises UNASKED_ROLLBACK without ``accept``; ROLLBACK_OF_RUNNING, MANAGED_SAVE, ROLLBACK_UNFINISHED, TRANSIENT;
    ROLLBACK_LEAVES_DISK and ROLLBACK_LEAVES_SNAPSHOT where a disk of today or a snapshot would lose its place,
    ROLLBACK_FIRMWARE where the firmware of then does not fit today's NVRAM, STATE_GONE and STATE_IN_USE; what an attach
    raises for the image of a disk that comes back, and what a start raises for the others; SECRETS_NEEDED,
    NO_SUCH_SECRET and HAD_NO_SECRETS; what :func:`.revision.domain_at` and the proved edit raise. Nothing was changed
    then. (virDomainDefineXMLFlags by the proved edit)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run) as domain:
        if domain.is_active():
            raise errors.ROLLBACK_OF_RUNNING(name=domain.name, revision=revision)
        refuse_with_managed_save(domain, "its memory belongs to today's hardware")
        today = domain.documents.config
        assert today is not None  # a domain that is shut off has one
        if what := list(unfinished(today)):
            raise errors.ROLLBACK_UNFINISHED(name=domain.name, what=what)
        past = domain_at(connection, domain.name, revision)
        after, notes = _document(domain, past, today, secrets or {}, fresh)
        is_same = same(today, after)
        answer = Answer() if is_same else ask_libvirt(connection, after)
        completed = after if answer.document is None else answer.document
        edit = Edit(today, after, tuple(compare_documents(today, completed)), expected=completed)
        result = _result(domain, past, edit, notes, dry_run)
        if dry_run:
            return answer.noted_in(result)
        if not accept and (
            sees := [
                *map(str, result.changes),
                *(f"it would not start: {why}" for why in result.blocks),
                *opened_consoles(after, today),
            ]
        ):
            raise errors.UNASKED_ROLLBACK(name=domain.name, revision=revision, changes=sees)
        if not is_same:
            apply_edit(domain, edit)
    return result


def _result(domain: OpenDomain, past: PastDomain, edit: Edit, notes: list[str], dry_run: bool) -> RolledBack:
    return RolledBack(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=tuple(visible(edit.changes)),
        notes=tuple(notes),
        entry=past.entry,
        host=tuple(host_changes(edit.before, edit.after)),
        blocks=tuple(HostOutlook(domain.connection).newly_blocks(edit.before, edit.after)),
        rolled_back=not edit.is_empty,
    )


def _document(
    domain: OpenDomain, past: PastDomain, today: Element, secrets: Mapping[str, str], fresh: Collection[str]
) -> tuple[Element, list[str]]:
    """The document that the domain is to have, and what is to be known of it, in sentences."""
    connection, after = domain.connection, past.document
    lacking = put_back_secrets(after, places_given(past, secrets), today, secrets)
    take_what_is_todays(after, today)
    if connection.readonly:
        notes = ["the connection is read-only and tells no passwords of today: which ones come back is not looked at"]
    else:
        notes = do_without(domain.name, after, lacking) + opened_consoles(after, today)
    notes += _left_behind(domain, past, today, after)
    unfit = None if unfit_nvram(connection, today) else unfit_nvram(connection, after)
    if why := misfit_of_firmware(after, today) or unfit:
        raise errors.ROLLBACK_FIRMWARE(name=domain.name, why=why)
    own = state_of(connection, today)
    notes += look_at_state(connection, after, [file for file in state_of(connection, after) if file not in own], fresh)
    _look_at_images(domain, today, after)
    return after, notes


def _left_behind(domain: OpenDomain, past: PastDomain, today: Element, after: Element) -> Iterator[str]:
    """The images that go with disks which the domain had before, and not at that entry any more, in sentences.

    Raises ROLLBACK_LEAVES_SNAPSHOT, and ROLLBACK_LEAVES_DISK for a disk that is newer than the entry.
    """
    now, then, revision = written_images(today), written_images(after), past.entry.short_id
    for stored in (read_snapshot(each.xml()) for each in snapshots(domain)) if domain.snapshot_count() else ():
        for target in (each for each in now if each in (*stored.inside, *stored.overlays)):
            if then.get(target) != now[target]:
                raise errors.ROLLBACK_LEAVES_SNAPSHOT(
                    name=domain.name, snapshot=stored.name, target=target, image=now[target], revision=revision
                )
    left = {target: image for target, image in now.items() if image not in then.values()}
    older = (
        {image for document in documents_before(domain.connection, past) for image in _images(document)}
        if left
        else set()
    )
    for target, image in left.items():
        if image not in older:
            raise errors.ROLLBACK_LEAVES_DISK(name=domain.name, target=target, image=image, revision=revision)
        yield f"{target} is detached, as it was then; its image is kept: {image}"


def _images(document: Element) -> Collection[str]:
    return written_images(document).values()


def _look_at_images(domain: OpenDomain, today: Element, after: Element) -> None:
    """Raise what is against the images: those of today as before a start, those that come back as before an attach."""
    refuse_unless_newest(domain)
    refuse_missing_images(domain, after.iterfind("devices/disk"))
    kept = [disk for disk, _ in pair_disks(after, today)]
    back = [disk for disk in after.iterfind("devices/disk") if disk not in kept]
    trusts = known_files(domain)
    known = None if trusts is None else KnownFiles(domain, Documents(after, today))
    for disk in back:
        check_source(domain.connection, domain.uuid, disk, known=known, may_lack=("optional", "requisite"))
    now = written_images(today).values()
    refuse_below_others(domain, [image for disk in back for image in _written(disk) if image not in now])


def _written(disk: Element) -> Iterator[str]:
    image = source_of(disk)
    if image is not None and not is_shared(disk):
        yield image
