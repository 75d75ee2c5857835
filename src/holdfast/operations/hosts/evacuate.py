"""Evacuating a host that is down: its domains come here, with the hardware that the remote of the history has recorded.

Their images are on shared storage, and are left as they are. The host that has a domain is one ref at the remote: it is
taken first, by compare-and-swap, and given back where the domain does not come here after all. So of two evacuations
one gets it, and a host that comes back does not start what is elsewhere by now.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps
from holdfast.errors import HoldfastError, NoConnection, NotFound, PartlyDone
from holdfast.errors.hosts import ARCHIVE_ON_ITS_HOST, CLAIM_KEPT, EVACUATION_CUT_OFF
from holdfast.history.entry import Entry
from holdfast.history.repository import Repository
from holdfast.hostfiles.process_owner import process_owner
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.make import NewDomain, make_domain
from holdfast.operations.history_place import history_place
from holdfast.operations.hosts.arrival_plan import Arrivals, Wishes, prove_of
from holdfast.operations.hosts.recorded import RecordedDomain, RecordedDomains
from holdfast.operations.past.off_host import remote_of
from holdfast.operations.results import Result
from holdfast.operations.session import refuse_read_only


class Fate(StrEnum):
    """What became of a domain."""

    EVACUATED = "evacuated"
    HERE = "here already"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class Evacuated(Result):
    """One domain that was to come here; in a dry run what would be.

    ``fate``     what became of it
    ``host``     which host had it; "" where nobody does
    ``entry``    the entry of the history whose document it has; None where there is none
    ``started``  True where it was started
    ``error``    why it did not come, or what is missing though it did (PartlyDone); else None
    """

    fate: Fate
    host: str
    entry: Entry | None = None
    started: bool = False
    error: HoldfastError | None = None


@dataclass(frozen=True)
class _Coming:
    """A domain that can come here: ``new`` is None for one that is here, and only said to be elsewhere."""

    recorded: RecordedDomain
    new: NewDomain | None
    start: bool


def evacuate(
    connection: Connection,
    names: Collection[str] = (),
    *,
    remote: str | None = None,
    source_is_down: str = "",
    start_again: bool = False,
    maps: HostMaps = NO_MAPS,
    accept_host: bool = False,
    secrets: Mapping[str, str] | None = None,
    fresh: Collection[str] = (),
    identity: str = "",
    start: bool = False,
    dry_run: bool = False,
) -> tuple[Evacuated, ...]:
    """Let the domains ``names``, or all of the host ``source_is_down``, come to the host of ``connection``.

    ``remote`` is where the histories are, by default the one that is set. ``source_is_down`` is the name of the host
    that has them, as its history has it: only somebody who knows that it is off for good can say so.
    ``maps`` and ``accept_host`` are those of :func:`.import_domain.import_domain`, ``secrets`` and ``fresh`` those of
    :func:`.restore_deleted.restore_deleted`; ``identity`` is the file of age's private key, for copies of state.
    ``start_again`` takes an earlier document where the last one cannot be read. ``start`` starts those that are named,
    or of all those that were wanted running.

    One that does not come holds up no other: its error is in the result. Raises ARCHIVE_ON_ITS_HOST, SOURCE_MAY_RUN,
    NOTHING_TO_EVACUATE, NOT_AT_REMOTE, SEVERAL_AT_REMOTE, DELETED_AT_REMOTE, NO_REMOTE, NOT_A_REMOTE, HISTORY_REMOTE,
    CLAIM_UNKNOWN, READ_ONLY, and what is wrong with the history; nothing was changed then. EVACUATION_CUT_OFF where
    libvirt goes away. (virDomainDefineXMLFlags)
    """
    if not connection.is_local:
        raise ARCHIVE_ON_ITS_HOST(uri=connection.uri)
    refuse_read_only(connection, ", ".join(names) or "all domains", dry_run=dry_run)
    place = history_place(connection)
    with Repository.made(place) as repository:
        with repository.writing():
            pass  # it is a repository now
        at_remote = RecordedDomains(repository, remote or remote_of(connection), place.host)
        known = {domain.uuid for domain in connection.domains()}
        found = at_remote.named(names) if names else at_remote.of_host(source_is_down, known)
        at_remote.refuse_running(found, source_is_down)
        wishes = Wishes(
            maps=maps,
            accept_host=accept_host,
            secrets=secrets or {},
            fresh=fresh,
            identity=identity,
            start_again=start_again,
        )
        evacuation = _Evacuation(connection, at_remote, place.host, dry_run)
        evacuation.plan(found, wishes, start, all_that_ran=not names)
        evacuation.claim()
        evacuation.bring()
        return tuple(sorted(evacuation.done, key=lambda each: each.name))


class _Evacuation:
    """Each step of an evacuation, and what became of the domains so far: ``done``."""

    def __init__(self, connection: Connection, at_remote: RecordedDomains, here: str, dry_run: bool) -> None:
        self._connection = connection
        self._at_remote = at_remote
        self._here = here
        self._dry_run = dry_run
        self._coming: list[_Coming] = []
        self.done: list[Evacuated] = []

    def plan(self, found: Sequence[RecordedDomain], wishes: Wishes, start: bool, *, all_that_ran: bool) -> None:
        """Look at everything before anything is changed."""
        arrivals = Arrivals(self._connection, wishes)
        for each in found:
            try:
                starts = start and (not all_that_ran or arrivals.ran(each))
                new = arrivals.plan(each)
            except NoConnection:
                raise
            except HoldfastError as error:
                self._failed(each, error)
                continue
            if new is None and each.claimed == self._here:
                self.done.append(self._result(each, Fate.HERE))
            else:
                self._coming.append(_Coming(each, new, starts))

    def claim(self) -> None:
        """Tell the remote that this host has them from now on; those that another host got first do not come."""
        if self._dry_run:
            return
        lost: dict[str, HoldfastError] = {}
        for host in {each.recorded.claimed for each in self._coming} - {self._here}:
            uuids = [each.recorded.uuid for each in self._coming if each.recorded.claimed == host]
            lost |= self._at_remote.claims.move(uuids, host, self._here, process_owner())
        for each in self._coming:
            if each.recorded.uuid in lost:
                self._failed(each.recorded, lost[each.recorded.uuid])
        self._coming = [each for each in self._coming if each.recorded.uuid not in lost]

    def bring(self) -> None:
        """Define each, as libvirt alone then says; what is not here in the end is given back."""
        waiting = list(self._coming)
        try:
            while waiting:
                self._bring(waiting[0])
                waiting.pop(0)
        except NoConnection as error:
            name = waiting.pop(0).recorded.name  # it may be here
            come = sum(each.fate is Fate.EVACUATED for each in self.done)
            raise EVACUATION_CUT_OFF(name=name, done=come, remote=self._at_remote.remote, cause=error) from error
        finally:
            failed = {each.uuid for each in self.done if each.fate is Fate.FAILED}
            self._give_back([each for each in self._coming if each in waiting or each.recorded.uuid in failed])

    def _bring(self, coming: _Coming) -> None:
        if coming.new is None:
            notes = ["only the remote did not say so"]
            self.done.append(self._result(coming.recorded, Fate.HERE, notes=notes))
            return
        try:
            made = make_domain(
                self._connection,
                coming.new,
                start=coming.start,
                dry_run=self._dry_run,
                prove=prove_of(coming.new),
            )
        except NoConnection:
            raise
        except PartlyDone as error:  # it stands
            if isinstance(error.cause, NoConnection):
                raise error.cause from error
            self.done.append(self._result(coming.recorded, Fate.EVACUATED, error=error))
        except HoldfastError as error:
            self._failed(coming.recorded, error)
        else:
            result = self._result(coming.recorded, Fate.EVACUATED, notes=made.notes)
            self.done.append(replace(result, started=coming.start, asked_of_libvirt=made.asked_of_libvirt))

    def _give_back(self, left: Collection[_Coming]) -> None:
        """Let the hosts that had them have again what is not here; where that fails, repeating the command goes on."""
        absent = [each for each in left if not self._dry_run and self._is_absent(each.recorded.uuid)]
        for host in {each.recorded.claimed for each in absent} - {self._here}:
            uuids = [each.recorded.uuid for each in absent if each.recorded.claimed == host]
            kept: dict[str, HoldfastError] = {}
            try:
                kept = self._at_remote.claims.move(uuids, self._here, host, process_owner())
            except HoldfastError as error:
                kept = dict.fromkeys(uuids, error)
            self.done = [self._with_claim(each, kept) for each in self.done]

    def _with_claim(self, done: Evacuated, kept: Mapping[str, HoldfastError]) -> Evacuated:
        if done.uuid not in kept:
            return done
        said = CLAIM_KEPT(
            name=done.name,
            remote=self._at_remote.remote,
            host=self._here,
            cause=done.error,
            why=kept[done.uuid].message,
        )
        return replace(done, error=said)

    def _is_absent(self, uuid: str) -> bool:
        with suppress(HoldfastError):
            try:
                self._connection.find_domain(uuid)
            except NotFound:
                return True
        return False

    def _failed(self, recorded: RecordedDomain, error: HoldfastError) -> None:
        self.done.append(replace(self._result(recorded, Fate.FAILED), error=error))

    def _result(
        self,
        recorded: RecordedDomain,
        fate: Fate,
        *,
        notes: Sequence[str] = (),
        error: HoldfastError | None = None,
    ) -> Evacuated:
        return Evacuated(
            name=recorded.name,
            uuid=recorded.uuid,
            dry_run=self._dry_run,
            notes=tuple(notes),
            fate=fate,
            host=recorded.host,
            entry=recorded.entry,
            error=error,
        )
