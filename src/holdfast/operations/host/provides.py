"""Whether a host has what a document names: networks, bridges, devices, pools, volumes, secrets.

Each thing is looked up once in the life of a :class:`HostProvides`. What cannot be seen is not judged: files and
devices of another machine, and what a hook or a manager may make when the domain starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.host.named_provisions import Provision, ProvisionKind, named_provisions
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.manager.nova_metadata import nova_instance
from holdfast.hostfiles.host_devices import (
    has_bus_device,
    has_network_device,
    has_start_hook,
    has_usb_device,
    has_usb_place,
)
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.provisions import (
    Presence,
    has_secret,
    interface_xml,
    network_presence,
    pool_presence,
    pool_volumes,
    secret_digest,
)
from holdfast.operations.image_access import sees_our_files

_BUSES = {ProvisionKind.PCI: "pci", ProvisionKind.SCSI: "scsi", ProvisionKind.MEDIATED: "mdev"}
_DEVICES = {ProvisionKind.BRIDGE, ProvisionKind.NETWORK_DEVICE, ProvisionKind.USB, *_BUSES}
"""Kinds that a hook or a manager may make for the domain when it starts."""

NOT_MENDABLE = frozenset({*_DEVICES, ProvisionKind.FILE, ProvisionKind.SECRET})
"""Kinds that only a person can bring back. A repair mends what it can of the others, and reports what it cannot."""


class HostProvides:
    """What the host of ``connection`` provides. Threads may share it: at worst something is looked up twice."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._presence = cache(self._look)
        self._volumes = cache(lambda pool: pool_volumes(connection, pool))
        self._interface = cache(lambda name: interface_xml(connection, name))
        self._hook = cache(has_start_hook)
        self._sees_our_files = cache(lambda: sees_our_files(connection))

    def mtu(self, device: str) -> int | None:
        """The MTU of a network device of this host, or bridge; None where it is not there, or nobody can tell."""
        if self._connection.is_local and not self._connection.is_usual:
            return None
        document = self._interface(device)
        return int(value_at(parse(document), "mtu@size") or 0) or None if document else None

    def secret_digest(self, name: str) -> str | None:
        """A digest of the secret of this name, as a provision has it; None where libvirt does not hand it out."""
        word, _, usage = name.partition(" ")
        return secret_digest(self._connection, None if usage else name, word, usage)

    def missing(self, domain: Element, kinds: Iterable[ProvisionKind] = ProvisionKind) -> Iterator[Outlook]:
        """Those provisions of these ``kinds`` that ``domain`` names and the host does not have now."""
        wanted, made = set(kinds), nova_instance(domain) is not None
        for provision in named_provisions(domain):
            if provision.kind in wanted and (outlook := self.outlook_for(provision, made_at_start=made)) is not None:
                yield outlook

    def newly_missing(self, before: Element, after: Element) -> Iterator[Outlook]:
        """What ``after`` names, ``before`` did not, and the host does not have, of the kinds in NOT_MENDABLE."""
        known = {(provision.kind, provision.name) for provision in named_provisions(before)}
        made = nova_instance(after) is not None
        for provision in named_provisions(after):
            if provision.kind in NOT_MENDABLE and (provision.kind, provision.name) not in known:
                outlook = self.outlook_for(provision, made_at_start=made)
                if outlook is not None:
                    yield outlook

    def outlook_for(self, provision: Provision, *, made_at_start: bool = False) -> Outlook | None:
        """What a start without ``provision`` comes to; None where the host has it, and where nobody knows.

        ``made_at_start``: a manager makes devices of the host for the domain when it starts it.
        """
        presence = self._presence(provision.kind, provision.name)
        if presence in (None, Presence.ACTIVE):
            return None
        what = f"{provision.who}: the host has no {provision.kind} {provision.name}"
        if presence is Presence.INACTIVE:
            inactive = f"{provision.who}: the {provision.kind} {provision.name} is not active"
            return Outlook(Effect.BLOCKS, "host", inactive, who=provision.who)
        is_made = provision.kind in _DEVICES and (made_at_start or self._hook())
        if is_made or provision.kind is ProvisionKind.UNMANAGED:
            return Outlook(Effect.UNKNOWN, "host", f"{what} now; it may be made when the domain starts")
        return Outlook(Effect.BLOCKS, "host", what, who=provision.who)

    def _look(self, kind: ProvisionKind, name: str) -> Presence | None:
        if kind is ProvisionKind.NETWORK:
            return network_presence(self._connection, name)
        if kind is ProvisionKind.POOL:
            return pool_presence(self._connection, name)
        return {True: Presence.ACTIVE, False: Presence.MISSING, None: None}[self._has(kind, name)]

    def _has(self, kind: ProvisionKind, name: str) -> bool | None:
        if kind is ProvisionKind.VOLUME:
            pool, _, volume = name.partition("/")
            active = self._presence(ProvisionKind.POOL, pool) is Presence.ACTIVE
            return volume in self._volumes(pool) if active else None
        if kind is ProvisionKind.SECRET:
            word, _, usage = name.partition(" ")
            return has_secret(self._connection, None if usage else name, word, usage)
        if kind in (ProvisionKind.BRIDGE, ProvisionKind.NETWORK_DEVICE, ProvisionKind.UNMANAGED):
            if self._connection.is_local:
                return has_network_device(name) if self._connection.is_usual else None  # it may be a container's
            document = self._interface(name)
            return None if document is None else bool(document)
        return self._has_here(kind, name) if self._connection.is_local else None

    def _has_here(self, kind: ProvisionKind, name: str) -> bool | None:
        if kind is ProvisionKind.FILE:
            return file_exists(name) if self._sees_our_files() else None
        if kind is not ProvisionKind.USB:
            return has_bus_device(_BUSES[kind], name)
        if ":" in name:
            return has_usb_device(*[int(each, 16) for each in name.split(":")])
        return has_usb_place(*[int(each) for each in name.split(".")])
