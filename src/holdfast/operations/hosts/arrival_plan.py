"""Whether a recorded domain can come to this host, and as what: everything is looked at before anything is changed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property, partial

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.elements.disk import is_shared, source_of
from holdfast.domainxml.fact import Releasing, RunAgain, SeenState
from holdfast.domainxml.host.state_files import StateFile, StateKind
from holdfast.domainxml.make.aliases import name_devices
from holdfast.domainxml.make.identifiers import identifiers
from holdfast.domainxml.make.rebind import HostMaps
from holdfast.domainxml.metadata import add_facts, drop_facts, fact, facts
from holdfast.domainxml.past.secret_places import put_back_secrets
from holdfast.domainxml.records.disk_record import unfinished
from holdfast.errors import NotFound
from holdfast.errors.files import EXISTS
from holdfast.errors.history import NAME_TAKEN_SINCE
from holdfast.errors.hosts import EVACUATION_UNFINISHED, IMAGE_LOCKED, NO_RECORDED_DOCUMENT, WOULD_START_AGAIN
from holdfast.errors.snapshots import USED_BY_OTHER
from holdfast.hostfiles.image_lock import is_held_open
from holdfast.hostfiles.state_copies.own_files import put_back, read_state, take_away
from holdfast.hostfiles.state_copies.state_copy import StateCopy
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_source import check_source, local_path
from holdfast.operations.disks.image_users import users_of
from holdfast.operations.disks.known_files import files_known_of
from holdfast.operations.domain.arrival import do_without, places_given
from holdfast.operations.domain.make import NewDomain
from holdfast.operations.history_place import newest_copies
from holdfast.operations.hosts.destination import DestinationHost
from holdfast.operations.hosts.other_host import (
    macs_here,
    refuse_macs,
    refuse_other_hardware,
    what_it_reaches,
)
from holdfast.operations.hosts.recorded import RecordedDomain
from holdfast.operations.own_state import look, refuse_state_of_others, state_gone, state_of
from holdfast.operations.past.restore_state import read_copy
from holdfast.operations.past.revision import PastDomain
from holdfast.operations.session import Need, looking


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What somebody says of the domains that come: see :func:`.evacuate.evacuate`."""

    maps: HostMaps
    accept_host: bool
    secrets: Mapping[str, str]
    fresh: Collection[str]
    identity: str
    start_again: bool


class Arrivals:
    """Plans what comes to the host of ``connection``; what is asked once for all of it is kept."""

    def __init__(self, connection: Connection, wishes: Wishes) -> None:
        self._connection = connection
        self._wishes = wishes
        self._destination = DestinationHost(connection, wishes.maps)

    @cached_property
    def _macs(self) -> dict[str, str]:
        return macs_here(self._connection)

    def ran(self, recorded: RecordedDomain) -> bool:
        """True where the domain was wanted running when it was recorded."""
        return recorded.kept is not None and fact(parse(recorded.kept.document), RunAgain) is not None

    def plan(self, recorded: RecordedDomain) -> NewDomain | None:
        """The domain as it is to be made here; None where it is here.

        Raises why it cannot come: what :func:`.import_domain.import_domain` and :func:`.restore_deleted` raise of a
        document, its images and its state, and SEES_OTHER_THERE, CANNOT_BE_THERE, IMAGE_LOCKED, WOULD_START_AGAIN,
        NO_RECORDED_DOCUMENT, EVACUATION_UNFINISHED.
        """
        if self._is_here(recorded):
            return None
        before = self._document(recorded)
        name_devices(before)  # no guest sees that; named only later, each device would differ in each comparison
        notes = self._with_secrets(recorded, before)
        judgement = self._destination.judge(before)
        after = judgement.config
        accept = self._wishes.accept_host
        reached = what_it_reaches(self._connection, after, self._wishes.maps, (), accept=accept)
        refuse_macs(after, self._macs)
        self._look_at_images(recorded, after)
        restore, told = self._state(recorded, after)
        self._destination.refuse(recorded.name, judgement)
        notes += [*told, *(f"of this host: {change}" for change in judgement.taken), *reached]
        return _New(
            document=after, stated=frozenset(identifiers(before)), notes=notes, other_files=restore, before=before
        )

    def _is_here(self, recorded: RecordedDomain) -> bool:
        """Raises UNFINISHED where it is being made here, and NAME_TAKEN_SINCE."""
        with suppress(NotFound):
            looking(self._connection, recorded.uuid, needs=Need.WHOLE)
            return True
        with suppress(NotFound):
            other = self._connection.find_domain(recorded.name)
            raise NAME_TAKEN_SINCE(name=other.name, uuid=other.uuid)
        return False

    def _document(self, recorded: RecordedDomain) -> Element:
        if recorded.kept is None or recorded.entry is None:
            raise NO_RECORDED_DOCUMENT(name=recorded.name, why=recorded.lost)
        if recorded.lost and not self._wishes.start_again:
            raise WOULD_START_AGAIN(name=recorded.name, time=recorded.entry.time, why=recorded.lost)
        document = parse(recorded.kept.document, "domain")
        if what := list(unfinished(document)):
            raise EVACUATION_UNFINISHED(name=recorded.name, what=what)
        for kind in (RunAgain, Releasing):
            drop_facts(document, kind)
        return document

    def _with_secrets(self, recorded: RecordedDomain, document: Element) -> list[str]:
        assert recorded.entry is not None and recorded.kept is not None  # else it has no document
        past = PastDomain(uuid=recorded.uuid, entry=recorded.entry, kept=recorded.kept)
        places = places_given(past, self._wishes.secrets)
        return do_without(recorded.name, document, put_back_secrets(document, places, None, self._wishes.secrets))

    def _look_at_images(self, recorded: RecordedDomain, document: Element) -> None:
        """Raise what is against its images: that they are not here, not what they were, or in use here or elsewhere."""
        known = files_known_of(document)
        disks = document.findall("devices/disk")
        for disk in disks:
            check_source(self._connection, recorded.uuid, disk, known=known, may_lack=("optional", "requisite"))
        written = [disk for disk in disks if not is_shared(disk) and source_of(disk) is not None]
        for disk in written:
            path = local_path(self._connection, disk)
            if path is not None and is_held_open(path):
                raise IMAGE_LOCKED(name=recorded.name, image=path)
        for image, user in users_of(self._connection, recorded.uuid, [source_of(disk) or "" for disk in written]):
            raise USED_BY_OTHER(user=user, image=image)

    def _content(self, recorded: RecordedDomain, copy: StateCopy) -> dict[str, bytes]:
        return read_copy(self._connection, recorded.uuid, recorded.name, copy, self._wishes.identity)

    def _state(
        self, recorded: RecordedDomain, document: Element
    ) -> tuple[Callable[[ExitStack], None] | None, list[str]]:
        """What brings its NVRAM and TPM state here, and what is to be known of them. Raises STATE_GONE, EXISTS …"""
        files = state_of(self._connection, document)
        if not files:
            return None, []
        refuse_state_of_others(self._connection, document)
        copies = newest_copies(self._connection, recorded.uuid)
        notes: list[str] = []
        brought: dict[str, dict[str, bytes]] = {}
        lost: list[StateFile] = []
        anew: list[StateFile] = []
        for file in files:
            there = look(self._connection, file).there
            copy = copies.get(file.kind) if file.kind not in self._wishes.fresh else None
            if there is None:
                notes.append(f"whether its {file} is there cannot be seen from here")
            elif copy is None and not there:
                (anew if file.kind in self._wishes.fresh else lost).append(file)
            else:
                content = None if copy is None else self._content(recorded, copy)
                if there and read_state(file.path) != content and not self._wishes.accept_host:
                    raise EXISTS(path=file.path)
                if copy is not None and content is not None and not there:
                    brought[file.path] = content
                    notes.append(f"its {file} comes from a copy {copy.told}")
        if lost:
            raise state_gone(recorded.name, lost, copies)
        notes += [f"its {file} is made anew at its next start" for file in anew]
        _forget(document, {file.kind for file in anew})

        def restore(undo: ExitStack) -> None:
            for path, content in brought.items():
                put_back(path, content)
                undo.callback(take_away, path, content)

        return (restore if brought else None), notes


@dataclass(frozen=True, kw_only=True)
class _New(NewDomain):
    """``before``: the document as the other host had it."""

    before: Element


def prove_of(new: NewDomain) -> Callable[[Element, bool], None]:
    """What proves that the guest sees of a domain that came what it saw before."""
    assert isinstance(new, _New)
    return partial(refuse_other_hardware, new.before)


def _forget(document: Element, anew: Collection[StateKind]) -> None:
    """Forget that state was seen that is to be made anew: else its lack would stop the next start."""
    records = [each for each in facts(document, SeenState) if each.kind not in anew]
    if anew:
        drop_facts(document, SeenState)
        add_facts(document, *records)
