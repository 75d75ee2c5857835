"""Which domain of this host can move to which other ones, and why not. Reads only, and decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum

from holdfast.domainxml.document import parse
from holdfast.domainxml.host.outlook import Outlook, differs
from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps
from holdfast.errors import HoldfastError, InvalidDocument, LibvirtRefused, NoConnection, NotFound, Refused
from holdfast.errors.programs import NO_HOST_REACHED
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.connect import connect
from holdfast.operations.documents import Documents, read
from holdfast.operations.host.capabilities import host_uuid
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.hosts.alone_here import alone_here
from holdfast.operations.hosts.destination import DestinationHost
from holdfast.operations.hosts.images_there import coming_images
from holdfast.operations.hosts.other_host import macs_here


class Move(StrEnum):
    """Whether a domain can move to a host."""

    YES = "yes"
    """With all that its guest has."""
    CHANGES = "changes"
    """It can, and at its next start there its guest sees something differ."""
    NO = "no"
    UNKNOWN = "unknown"
    """The host could not be asked."""


@dataclass(frozen=True, kw_only=True)
class PossibleMove:
    """One domain, and one other host.

    ``uri``       the host's
    ``reasons``   why not, or what changes, or why nobody knows; in sentences
    ``taken``     what of the domain's documents would be that host's, in sentences
    ``outlooks``  all that its next start there would change or lack, and what nobody can tell
    """

    uri: str
    move: Move
    reasons: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    outlooks: tuple[Outlook, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DomainMoves:
    """One domain and where it can move; ``state`` in virsh's words, ``moves`` in the order of the URIs."""

    name: str
    uuid: str
    state: str
    moves: tuple[PossibleMove, ...]

    @property
    def can_move(self) -> bool:
        """True where there is a host on which its guest would see nothing differ."""
        return any(each.move is Move.YES for each in self.moves)


@dataclass(frozen=True, kw_only=True)
class HostsPlan:
    """Which domain can move where. ``errors`` has the hosts that could not be asked, by URI, or were lost meanwhile."""

    uris: tuple[str, ...]
    domains: tuple[DomainMoves, ...]
    errors: dict[str, HoldfastError]


def plan_hosts(
    connection: Connection,
    uris: Sequence[str],
    names: Sequence[str] = (),
    *,
    maps: HostMaps = NO_MAPS,
    copy_storage: bool = False,
) -> HostsPlan:
    """Judge for each domain of this host (``names``, or all) whether it can move to the host at each of ``uris``.

    It is judged as :func:`.migrate.migrate_domain` does before it begins, with ``maps`` as there; with ``copy_storage``
    as if images were copied. A host that cannot be reached is named in the result, and the others are judged.

    Raises NO_DOMAIN, and NO_HOST_REACHED where none of them can be asked.
    """
    domains = [connection.find_domain(name) for name in names] if names else connection.domains()
    with ExitStack() as stack:
        origin = HostOutlook(connection)
        hosts: dict[str, _Host] = {}
        errors: dict[str, HoldfastError] = {}
        for uri in dict.fromkeys(uris):
            try:
                other = stack.enter_context(connect(uri, connection.readonly, connection.lock_timeout))
                hosts[uri] = _Host(connection, other, maps, origin, copy_storage)
            except NoConnection as error:
                errors[uri] = error
        if not hosts:
            raise NO_HOST_REACHED()
        planning = _Planning(tuple(dict.fromkeys(uris)), hosts, errors, host_uuid(connection))
        found = tuple(each for domain in domains if (each := planning.of(domain)) is not None)
    return HostsPlan(uris=planning.uris, domains=found, errors=errors)


@dataclass(frozen=True)
class _Planning:
    uris: tuple[str, ...]
    hosts: Mapping[str, _Host]
    errors: dict[str, HoldfastError]
    own_uuid: str

    def of(self, domain: Domain) -> DomainMoves | None:
        """Where ``domain`` can move; None for one that has vanished meanwhile."""
        try:
            documents, state = read(domain), domain.state()
            refusal = _why_nowhere(documents) or _why_not_yet(domain)
        except NotFound:
            return None
        except InvalidDocument as error:
            documents, state, refusal = Documents(None, None), "not known", error.message
        moves = tuple(self._move(uri, domain, documents, refusal) for uri in self.uris)
        return DomainMoves(name=domain.name, uuid=domain.uuid, state=state, moves=moves)

    def _move(self, uri: str, domain: Domain, documents: Documents, refusal: str | None) -> PossibleMove:
        if uri in self.errors:
            return PossibleMove(uri=uri, move=Move.UNKNOWN, reasons=(self.errors[uri].message,))
        host = self.hosts[uri]
        if host.uuid == self.own_uuid:
            return PossibleMove(uri=uri, move=Move.NO, reasons=("it is there already",))
        if refusal is not None:
            return PossibleMove(uri=uri, move=Move.NO, reasons=(refusal,))
        try:
            return host.judge(uri, domain, documents)
        except NoConnection as error:
            self.errors[uri] = error
            return PossibleMove(uri=uri, move=Move.UNKNOWN, reasons=(error.message,))
        except (Refused, LibvirtRefused, NotFound) as error:
            return PossibleMove(uri=uri, move=Move.NO, reasons=(error.message,))


class _Host:
    """A host to which domains might move. Raises NoConnection."""

    def __init__(
        self, source: Connection, connection: Connection, maps: HostMaps, origin: HostOutlook, copy_storage: bool
    ) -> None:
        self._source = source
        self.uuid = host_uuid(connection)
        self._readonly = connection.readonly
        self._copy_storage = copy_storage
        self._destination = DestinationHost(connection, maps, origin)
        self._macs = macs_here(connection)

    def judge(self, uri: str, domain: Domain, documents: Documents) -> PossibleMove:
        """What becomes of ``domain`` there. Raises what a refusal of it raises."""
        config, live = documents.config, documents.live
        assert config is not None  # without one it can move nowhere
        self._destination.refuse_taken(config, self._macs)
        now = config if live is None else live
        coming = coming_images(domain, now, copied=self._copy_storage, in_pools=live is not None)
        maps = self._destination.maps if live is None else NO_MAPS
        alone = alone_here(self._source, now, self._destination.connection, coming.copied, maps)
        coming = replace(coming, alone=tuple(alone))
        moving = live if live is None or self._readonly else parse(migration.migratable_xml(domain))
        arrival = self._destination.judge(config, moving, coming)
        changes = tuple(str(each) for each in arrival.outlooks if differs([each]))
        if arrival.blocks:
            move, reasons = Move.NO, arrival.blocks
        else:
            move, reasons = Move.CHANGES if changes else Move.YES, changes
        return PossibleMove(uri=uri, move=move, reasons=reasons, taken=arrival.taken, outlooks=arrival.outlooks)


def _why_not_yet(domain: Domain) -> str | None:
    """What would be left behind (virDomainHasManagedSaveImage, virDomainSnapshotNum)."""
    if domain.has_managed_save():
        return "its memory is saved: continue from it, or drop it"
    if domain.snapshot_count():
        return "it has snapshots: delete them first"
    return None


def _why_nowhere(documents: Documents) -> str | None:
    """Why a domain cannot move, whatever the other host has."""
    if documents.config is None:
        return "it is transient: there is no document that could arrive"
    if documents.rescue is not None:
        return "it runs as a rescue: end that first"
    return None
