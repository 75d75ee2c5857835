"""The judge of a destination: what a domain would have, lack and collide with on the host where it is to arrive.

Whoever lets a domain arrive asks here before anything is changed: a migration of a guest that runs, a cold one, an
import, an evacuation, and whoever only wants to know. Only the host side of a document is ever replaced, as somebody
says by what.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial

from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element
from holdfast.domainxml.host.outlook import Outlook
from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps
from holdfast.errors import NotFound
from holdfast.errors.hosts import CANNOT_BE_THERE, NAME_THERE, SEES_OTHER_THERE, UUID_THERE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.host.by_version import migration_outlook, version_outlook
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.outlook import HostOutlook, known_guest
from holdfast.operations.hosts.images_there import NOTHING_COMES, ComingImages, before_they_come, coming_outlook
from holdfast.operations.hosts.other_host import macs_here, rebound, refuse_macs
from holdfast.operations.hosts.ports_there import taken_ports
from holdfast.operations.hosts.unlike_there import other_secrets, smaller_mtus


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """What a destination would make of a domain.

    ``config``, ``live``  its documents as they would be there; ``live`` is None for a domain that does not run
    ``taken``             what of them is the destination's, in sentences
    ``outlooks``          what its next start there would change or lack, and what stops a guest that runs
    """

    config: Element
    live: Element | None
    taken: tuple[str, ...]
    outlooks: tuple[Outlook, ...]

    @property
    def blocks(self) -> tuple[str, ...]:
        """Why the domain cannot be there, in sentences; empty where it can."""
        return tuple(str(outlook) for outlook in self.outlooks if outlook.stops)


class DestinationHost:
    """The host of ``connection`` as the place where domains arrive; ``origin`` is the host that they come from.

    What libvirt says of the host is asked for once, however many domains are judged.
    """

    def __init__(self, connection: Connection, maps: HostMaps = NO_MAPS, origin: HostOutlook | None = None) -> None:
        self.connection = connection
        self.maps = maps
        self.outlook = HostOutlook(connection)
        self._origin = origin
        self._capabilities = cache(partial(host_capabilities, connection))

    def document(self, before: Element) -> Element:
        """``before`` as it would be there: with this host's side as the maps say, this host's QEMU, and nothing else.

        Raises SEES_OTHER_THERE where the guest would see that. (virConnectGetDomainCapabilities)
        """
        after = rebound(before, self.maps, self._capabilities)
        changes = compare_documents(before, after)
        refuse_unasked(before.findtext("name") or "", changes, condition=SEES_OTHER_THERE)
        return after

    def judge(self, config: Element, live: Element | None = None, coming: ComingImages = NOTHING_COMES) -> Arrival:
        """What becomes of the domain with these documents here, and the images that are ``coming``.

        Raises SEES_OTHER_THERE.
        """
        there = self.document(config)
        live_there = None if live is None else self.document(live)
        return Arrival(
            config=there,
            live=live_there,
            taken=tuple(dict.fromkeys(host_changes(config, there))),
            outlooks=tuple(dict.fromkeys(self._outlooks(config, live, there, live_there, coming))),
        )

    def _outlooks(
        self,
        config: Element,
        live: Element | None,
        there: Element,
        live_there: Element | None,
        coming: ComingImages,
    ) -> Iterator[Outlook]:
        known = known_guest(live, config)
        if live is not None and live_there is not None:
            yield from migration_outlook(live, config, self.outlook, self._origin)
            yield from (
                each
                for each in self.outlook.of(before_they_come(live_there, coming), known, self._origin)
                if each.stops
            )
            yield from coming_outlook(self.connection, live_there, coming)
            yield from taken_ports(self.connection, live_there)
        if self._origin is not None:
            yield from smaller_mtus(config, there, self._origin.provides, self.outlook.provides)
            yield from other_secrets(there, self._origin.provides, self.outlook.provides)
        yield from self.outlook.of(before_they_come(there, coming), known, self._origin)
        yield from coming_outlook(self.connection, there, coming)
        yield from version_outlook(there, known.versions, self.outlook, self._origin)

    def refuse(self, name: str, judgement: Arrival) -> None:
        """Raise CANNOT_BE_THERE where something stands in the way of the domain ``name``."""
        if judgement.blocks:
            raise CANNOT_BE_THERE(name=name, uri=self.connection.uri, reasons=judgement.blocks)

    def refuse_taken(self, document: Element, macs: Mapping[str, str] | None = None) -> None:
        """Raise where another domain has what is this one's alone: UUID_THERE, NAME_THERE, MAC_IN_USE.

        ``macs`` are those of the host, as :func:`macs_here` has them, for who judges many domains at once.
        """
        uuid, name = document.findtext("uuid") or "", document.findtext("name") or ""
        with suppress(NotFound):
            there = self.connection.find_domain(uuid)
            raise UUID_THERE(name=name, there=there.name, uri=self.connection.uri, state=there.state())
        with suppress(NotFound):
            there = self.connection.find_domain(name)
            raise NAME_THERE(name=name, uuid=there.uuid, uri=self.connection.uri)
        refuse_macs(document, macs_here(self.connection) if macs is None else macs)
