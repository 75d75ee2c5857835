"""The document of a domain that was on another host, and what is judged of it before it is this host's.

It is replayed, never made anew, and it is somebody's input: only what somebody says stands for something here is
replaced, and what of this host its guest could reach is taken only when that is asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import PurePosixPath

from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.host.capabilities import Capabilities
from holdfast.domainxml.host.reaches import reaches
from holdfast.domainxml.make.aliases import name_devices
from holdfast.domainxml.make.rebind import HostMaps, rebind
from holdfast.domainxml.platform import Platform
from holdfast.errors import NotFound
from holdfast.errors.hosts import IMPORTED_OTHERWISE, MAC_IN_USE, REACHES_HOST, UNASKED_IMPORT
from holdfast.hostfiles.firmware.descriptors import read_firmwares
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.own_state import folders_of


def taken_over(connection: Connection, before: Element, maps: HostMaps) -> Element:
    """As :func:`rebound`, for a document that Holdfast makes its own: every device of it has a name."""
    after = rebound(before, maps, partial(host_capabilities, connection))
    name_devices(after)
    return after


def rebound(before: Element, maps: HostMaps, capabilities: Callable[[Platform], Capabilities]) -> Element:
    """The document of another host as this one can have it: a copy of ``before``, with this host's QEMU.

    ``capabilities`` says what this host has for a platform: where another QEMU is, nobody knows what it is here.
    """
    after = copy.deepcopy(before)
    rebind(after, maps)
    here = capabilities(Platform.of(after)._replace(emulator=""))
    if (emulator := after.find("devices/emulator")) is not None:
        emulator.text = here.emulator
    return after


def what_was_replaced(before: Element, after: Element) -> list[str]:
    """What ``after`` has of this host in the place of what ``before`` has of the other, in sentences."""
    return [f"of this host: {change}" for change in host_changes(before, after)]


def what_it_reaches(
    connection: Connection, domain: Element, maps: HostMaps, images: Collection[str], *, accept: bool
) -> list[str]:
    """What the guest could reach of this host and is not mapped to, and is no image of the archive, no firmware of this
    host, and no NVRAM in libvirt's own folder: in sentences. Raises REACHES_HOST for it unless ``accept``.
    """
    firmware, folders, nvram = read_firmwares(), folders_of(connection), nvram_of(domain) or ""
    known = {*images, *(each.loader for each in firmware), *(each.template for each in firmware)}
    known |= {*host_capabilities(connection, Platform.of(domain)).loaders}
    if folders is not None and str(PurePosixPath(nvram).parent) == folders.nvram:
        known.add(nvram)
    found = [reach for reach in reaches(domain) if reach.place not in known and not maps.lead_to(reach.place)]
    if found and not accept:
        raise REACHES_HOST(name=domain.findtext("name"), reaches=found)
    return [f"of this host, as the document says: {reach}" for reach in found]


def macs_here(connection: Connection) -> dict[str, str]:
    """The MAC addresses that the domains of this host have → the domain's name. (virConnectListAllDomains)"""
    found: dict[str, str] = {}
    for each in inventory(connection):
        with suppress(NotFound):
            document = parse(each.domain.xml(Definition.CONFIG if each.persistent else Definition.LIVE))
            found.update(dict.fromkeys(_macs(document), each.domain.name))
    return found


def refuse_macs(domain: Element, taken: Mapping[str, str]) -> None:
    """Raise MAC_IN_USE for an interface with a MAC address that is ``taken``, as :func:`macs_here` has it."""
    for mac in _macs(domain):
        if mac in taken:
            raise MAC_IN_USE(user=taken[mac], mac=mac)


def _macs(domain: Element) -> list[str]:
    return [mac for each in domain.iterfind("devices/interface") if (mac := value_at(each, "mac@address")) is not None]


def refuse_other_hardware(before: Element, made: Element, is_made: bool = False) -> None:
    """Raise UNASKED_IMPORT where the guest of ``before`` would see other hardware by the document ``made``;
    IMPORTED_OTHERWISE where libvirt has it already.
    """
    condition = IMPORTED_OTHERWISE if is_made else UNASKED_IMPORT
    refuse_unasked(made.findtext("name") or "", compare_documents(before, made), condition=condition)
