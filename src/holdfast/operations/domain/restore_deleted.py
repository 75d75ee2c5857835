"""Bringing a deleted domain back: its last recorded document is defined anew, under the same UUID.

It is the document that it had, replayed, and never a new one: every device is at its place. No file is made or written;
what the document names has to be there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.fact import Releasing, RunAgain
from holdfast.domainxml.make.identifiers import identifiers
from holdfast.domainxml.metadata import drop_facts
from holdfast.domainxml.past.secret_places import put_back_secrets
from holdfast.domainxml.records.disk_record import unfinished
from holdfast.errors import NotFound
from holdfast.errors import history as errors
from holdfast.errors.snapshots import USED_BY_OTHER
from holdfast.history.entry import Entry, EntryKind
from holdfast.history.repository import Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.image_users import users_of
from holdfast.operations.disks.known_files import files_known_of
from holdfast.operations.disks.shared_storage import image_on_shared_storage
from holdfast.operations.domain.arrival import do_without, look_at_state, places_given
from holdfast.operations.domain.create import not_startable
from holdfast.operations.domain.make import NewDomain, make_domain
from holdfast.operations.history_place import history_place
from holdfast.operations.own_state import state_of
from holdfast.operations.past.record import record_absent
from holdfast.operations.past.revision import PastDomain, last_of
from holdfast.operations.power.elsewhere import whereabouts
from holdfast.operations.results import Result
from holdfast.operations.session import denied_is_read_only, refuse_read_only


@dataclass(frozen=True, kw_only=True)
class Undeleted(Result):
    """A deleted domain that is back, shut off.

    ``entry``  the entry of the history whose document it has: the last one
    """

    entry: Entry


def restore_deleted(
    connection: Connection,
    name: str,
    *,
    secrets: Mapping[str, str] | None = None,
    fresh: Collection[str] = (),
    not_elsewhere: bool = False,
    dry_run: bool = False,
) -> Undeleted:
    """Define the domain ``name``, a name or UUID that only the history knows, as it was when it was undefined.

    ``secrets``, by their places in its document, are what the history does not keep; a graphical console that lacks its
    password listens nowhere. ``fresh`` are the kinds of state, "nvram" and "tpm", that may be made anew where its own
    is gone. Whether it was started with the host is not known, and it is not. ``not_elsewhere`` says of a domain
    that was moved from here that the host that it went to has it no more, or is off for good.

    Raises STILL_THERE, MOVED_ON, ELSEWHERE where by the remote of the history another host has it,
    NAME_TAKEN_SINCE, DELETED_UNFINISHED, NO_ENTRIES, SEVERAL_HAD_NAME, and what is wrong with the history; for an
    image what an attach raises, and USED_BY_OTHER where another domain's rests on it; STATE_GONE, STATE_IN_USE;
    SECRETS_NEEDED, NO_SUCH_SECRET, HAD_NO_SECRETS; NOT_AS_GIVEN where libvirt would make other hardware of it, and
    LibvirtRefused. Nothing was changed then. (virDomainDefineXMLFlags)
    """
    refuse_read_only(connection, name, dry_run=dry_run)
    past = _deleted(connection, name)
    notes = _refuse_elsewhere(connection, past, not_elsewhere)
    document = past.document
    if what := list(unfinished(document)):
        raise errors.DELETED_UNFINISHED(name=past.entry.name, what=what)
    for kind in (RunAgain, Releasing):
        drop_facts(document, kind)
    given = secrets or {}
    lacking = put_back_secrets(document, places_given(past, given), None, given)
    notes += do_without(past.entry.name, document, lacking)
    notes += look_at_state(connection, document, state_of(connection, document), fresh, has_copies=True)
    _look_at_images(connection, past.uuid, document)
    with denied_is_read_only(connection, name):
        notes += not_startable(connection, document, False, is_new=False)
    new = NewDomain(document=document, as_is=True, stated=frozenset(identifiers(document)), notes=notes)
    if not dry_run:
        record_absent(connection, past.uuid)
    made = make_domain(connection, new, start=False, dry_run=dry_run)
    return Undeleted(
        name=made.name,
        uuid=made.uuid,
        dry_run=dry_run,
        notes=made.notes,
        asked_of_libvirt=made.asked_of_libvirt,
        entry=past.entry,
    )


def _deleted(connection: Connection, name: str) -> PastDomain:
    """The last that is known of ``name``. Raises STILL_THERE and NAME_TAKEN_SINCE, and as :func:`.last_of` does."""
    with suppress(NotFound):
        there = connection.find_domain(name)
        raise errors.STILL_THERE(name=there.name, uuid=there.uuid)
    past = last_of(connection, name)
    with suppress(NotFound):
        there = connection.find_domain(past.uuid)
        raise errors.STILL_THERE(name=there.name, uuid=there.uuid)
    with suppress(NotFound):
        other = connection.find_domain(past.entry.name)
        raise errors.NAME_TAKEN_SINCE(name=other.name, uuid=other.uuid)
    return past


def _refuse_elsewhere(connection: Connection, past: PastDomain, not_elsewhere: bool) -> list[str]:
    """Raise MOVED_ON and ELSEWHERE where another host has the domain; a sentence where nobody can be asked."""
    with Repository(history_place(connection)) as repository:
        last = repository.last_here(past.uuid)
    if last is not None and last[0].kind is EntryKind.MOVED and not not_elsewhere:
        time = datetime.fromisoformat(last[0].time).astimezone()
        raise errors.MOVED_ON(name=past.entry.name, time=f"{time:%Y-%m-%d %H:%M:%S}", command=last[0].command)
    known = whereabouts(connection, [past.uuid])
    if told := known.told_of(past.uuid):
        raise errors.ELSEWHERE(name=past.entry.name, told=told)
    if known.unanswered is None or image_on_shared_storage(connection, past.document) is None:
        return []
    return [f"another host may have it, and cannot be asked: {known.unanswered.message}"]


def _look_at_images(connection: Connection, uuid: str, document: Element) -> None:
    """Raise what is against the images: that they are not there, not what they were, or in use."""
    known = files_known_of(document)
    disks = document.findall("devices/disk")
    for disk in disks:
        check_source(connection, uuid, disk, known=known, may_lack=("optional", "requisite"))
    written = [image for disk in disks if not is_shared(disk) and (image := source_of(disk)) is not None]
    if connection.is_local:
        for image, user in users_of(connection, uuid, written):
            raise USED_BY_OTHER(user=user, image=image)
