"""A domain arrives on another host: its document there is the one that the manager generated, with what the guest knew.

The document that came along is input, not truth: whoever can write where it was carried could have made it up. So it is
not defined, and not mended: what is defined is this host's own, and only the guest side of the other is taken into it.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.compare.match import Pair
from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import Element, child, element, remove_children, remove_from_parent, value_at
from holdfast.domainxml.elements.firmware import remove_firmware
from holdfast.domainxml.elements.vcpu import max_vcpus
from holdfast.domainxml.host.machine_type import kind_of
from holdfast.domainxml.manager.apply_difference import apply_difference
from holdfast.domainxml.manager.follow_devices import add_device
from holdfast.domainxml.manager.take_guest_side import guest_side_of, take_device, take_sections
from holdfast.domainxml.records.disk_record import target_of
from holdfast.errors.changes import OTHER_KIND_OF_MACHINE

_GIVEN = ("disk", "interface", "hostdev", "filesystem", "memory")
"""The devices that come and go with the manager's records."""

_LOADER = ("readonly", "secure", "type", "format", "stateless")

_BUILT_IN = ("controller", "memballoon", "input", "video", "watchdog", "panic", "iommu", "hub")
"""Hardware that needs nothing of a host: a domain keeps it, whatever the manager would give a new one."""


@dataclass(frozen=True)
class Arrived:
    """The document of a domain on the host it comes to.

    ``document``  to be sealed and defined here
    ``wanted``    as it was elsewhere, with what was asked for since: what the guest should find
    ``left_out``  devices that came along and that the manager did not ask for: "disk vdc"
    """

    document: Element
    wanted: Element
    left_out: tuple[str, ...]


def arrive(
    coming: Element, generated: Element, *, loaders: Collection[str] = (), old: Element | None = None
) -> Arrived:
    """The document that a domain has here, where its manager ``generated`` one, and ``coming`` is how it was elsewhere.

    ``loaders`` are the firmware files that this host offers. ``old`` is what the manager would generate for the flavor
    that the domain had there: the difference is applied to what came first. No document is changed. Raises
    OTHER_KIND_OF_MACHINE.
    """
    wanted, document = copy.deepcopy(coming), copy.deepcopy(generated)
    machines = [value_at(each, "os/type@machine") or "" for each in (coming, generated)]
    if kind_of(machines[0]) != kind_of(machines[1]):
        raise OTHER_KIND_OF_MACHINE(machine=machines[1], now=machines[0], kind=kind_of(machines[0]))
    if old is not None:
        apply_difference(wanted, old, generated)
    if max_vcpus(wanted) != max_vcpus(document):
        _take_topology(wanted, document)
    take_sections(document, wanted)
    _take_firmware(document, wanted, loaders)
    return Arrived(document, wanted, tuple(_take_devices(document, wanted)))


def _take_topology(wanted: Element, document: Element) -> None:
    """How many vCPUs there are is the manager's to say, and the topology follows from that."""
    for topology in wanted.findall("cpu/topology"):
        remove_from_parent(topology)
    child(wanted, "cpu").extend(copy.deepcopy(each) for each in document.iterfind("cpu/topology"))


def _take_devices(document: Element, wanted: Element) -> list[str]:
    """Let ``document`` have the devices of ``wanted``, in their order, then those that are new; return what is left.

    The order counts where the firmware boots from the first disk.
    """
    here, left_out = child(document, "devices"), []
    found = list(_matched(wanted, document))
    for pair in found:
        if pair.after is not None:
            here.remove(pair.after)
    for pair in found:
        if pair.before is None:
            continue
        if pair.after is not None:
            if pair.after.tag == "disk":
                _name_as(pair.before, pair.after)
            take_device(pair.after, pair.before)
            here.append(pair.after)
        elif pair.before.tag in _BUILT_IN and pair.before.find("source") is None:
            here.append(guest_side_of(pair.before))
        else:
            left_out.append(short_name(pair.before))
    for pair in found:
        if pair.before is None and pair.after is not None and pair.after.tag in _GIVEN:
            add_device(document, pair.after)
    return left_out


def _name_as(wanted: Element, disk: Element) -> None:
    """Let a disk be called as its manager calls it here, and a CD be said to be read-only only where it says so."""
    child(wanted, "target").set("dev", target_of(disk))
    if disk.get("device") == "cdrom" and disk.find("readonly") is None:
        remove_children(wanted, "readonly")


def _matched(wanted: Element, document: Element) -> Iterator[Pair]:
    """The devices of both, matched; those of a host that nothing else tells apart by their kind and their order."""
    waiting: list[Element] = []
    for pair in counterparts(wanted, document):
        if pair.before is not None and pair.after is None and pair.before.tag == "hostdev":
            waiting.append(pair.before)
        elif pair.before is None and pair.after is not None and pair.after.tag == "hostdev":
            kind = [(each.get("type"), each.get("model")) for each in waiting]
            mine = (pair.after.get("type"), pair.after.get("model"))
            yield Pair(waiting.pop(kind.index(mine)), pair.after) if mine in kind else pair
        else:
            yield pair
    yield from (Pair(device, None) for device in waiting)


def _take_firmware(document: Element, wanted: Element, loaders: Collection[str]) -> None:
    """Let ``document`` name the firmware file of ``wanted`` where that is one of ``loaders``.

    Neither NVRAM nor a template is taken: a template is any file, and the guest can read what is made of it.
    """
    theirs = wanted.find("os/loader")
    if theirs is None or (theirs.text or "").strip() not in loaders:
        return
    os = child(document, "os")
    remove_firmware(os)
    os.append(
        element("loader", {key: theirs.get(key, "") for key in _LOADER if key in theirs.attrib}, text=theirs.text)
    )
