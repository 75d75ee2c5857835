"""What changed from one document that a manager generated to the next, applied to the domain's own document.

Nothing else is: what both generated documents have in common stays as the domain has it, whatever the manager would
make of it today.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import NamedTuple

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import alias, device_name, short_name
from holdfast.domainxml.document import Element, child, devices, remove_children, same, value_at
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.elements.disk import next_target
from holdfast.domainxml.elements.firmware import remove_firmware
from holdfast.domainxml.elements.memory import set_memory_beside_modules, total_memory
from holdfast.domainxml.elements.vcpu import max_vcpus, online_vcpus, set_max_vcpus, set_online
from holdfast.domainxml.host.machine_type import family, kind_of
from holdfast.domainxml.manager.follow_devices import DeviceChanges, add_device, remove_device
from holdfast.domainxml.places.bus import bus_of
from holdfast.domainxml.records.disk_record import rename_record
from holdfast.domainxml.sides import Node, children_by_step
from holdfast.errors.changes import OTHER_KIND_OF_MACHINE

_ELSEWHERE = frozenset({"name", "uuid", "metadata", "devices", "memory", "currentMemory", "vcpu", "vcpus", "cpu", "os"})
"""What is not merged attribute by attribute."""

_WHOLE = frozenset({"topology"})
"""What only makes sense as a whole."""

_TREE = Node(
    attributes=DOMAIN.tree.attributes,
    children=DOMAIN.tree.children | {tag: sides.tree for tag, sides in SECTIONS.items()},
)

_MEDIA = ("cdrom", "floppy")
_FIRMWARE = ("@firmware", "firmware", "loader", "nvram")
"""What ``<os>`` says of the firmware."""


class Difference(NamedTuple):
    """What was applied.

    ``changes``  what differs between the two generated documents, as the guest would see it
    ``devices``  what became of the domain's devices
    ``names``    the name of a device in the domain → its name in the older generated document
    """

    changes: list[Change]
    devices: DeviceChanges
    names: dict[str, str]

    def explains(self, change: Change) -> bool:
        """True for a change of the domain's document that follows from what was applied."""
        if self.devices.explains(change):
            return True
        what = self.names.get(change.what, change.what)
        places = {each.where for each in self.changes if (each.kind, each.what) == (change.kind, what)}
        return change.where in places or change.where.startswith(tuple(_follows(places)))


def _follows(places: set[str]) -> Iterator[str]:
    """Where more changes with ``places``: a CPU's features with its model, the firmware's files with the firmware."""
    if places & {"cpu@mode", "cpu@match", "cpu/model"}:
        yield "cpu"
    if any(place.startswith("cpu/topology") for place in places):
        yield "cpu/topology"
    if any(place.removeprefix("os").lstrip("/").startswith(_FIRMWARE) for place in places if place[:2] == "os"):
        yield from (f"os{'' if part[0] == '@' else '/'}{part}" for part in _FIRMWARE)
    if "vcpu" in places:
        yield "vcpu"


def apply_difference(domain: Element, old: Element, new: Element) -> Difference:
    """Apply to ``domain``, in place, what ``new`` says otherwise than ``old``; one manager generated both.

    A device that differs keeps its place, unless it moves to another bus: then it loses the place, and a disk gets a
    free target there. New devices have no place yet. A CPU of which only topology, NUMA and single features differ
    stays the model that it is; another CPU is taken whole. Raises OTHER_KIND_OF_MACHINE.
    """
    changes = compare_documents(old, new)
    _machine(domain, old, new)
    _memory(domain, old, new)
    _cpus(domain, old, new)
    _merge(domain, old, new, _TREE, _ELSEWHERE)
    return Difference(changes, *_devices(domain, old, new))


def _machine(domain: Element, old: Element, new: Element) -> None:
    """Apply what differs in ``<os>``: the machine type, the firmware as a whole, and the rest one by one."""
    mine, one, other = child(domain, "os"), *(copy.deepcopy(child(each, "os")) for each in (old, new))
    machine, was, becomes = (child(each, "type").attrib.pop("machine", "") for each in (mine, one, other))
    if was != becomes and kind_of(becomes) != kind_of(machine):
        raise OTHER_KIND_OF_MACHINE(machine=becomes, now=machine, kind=kind_of(machine))
    is_version = becomes != family(becomes)  # a name without a version says no more than the domain's own
    child(mine, "type").set("machine", becomes if was != becomes and is_version else machine)
    if _firmware(one) != _firmware(other):
        for each in (mine, one):
            remove_firmware(each)
    if other.find("boot") is None:  # beside a kernel: libvirt (9.0) writes one anyway
        other.extend(copy.deepcopy(boot) for boot in one.findall("boot"))
    _merge(mine, one, other, SECTIONS["os"].tree)


def _firmware(os: Element) -> list[str | None]:
    return [value_at(os, path) for path in ("@firmware", "loader", "loader@type", "loader@secure", "loader@stateless")]


def _memory(domain: Element, old: Element, new: Element) -> None:
    if total_memory(old) != total_memory(new):
        set_memory_beside_modules(domain, total_memory(new))


def _cpus(domain: Element, old: Element, new: Element) -> None:
    if (max_vcpus(old), online_vcpus(old)) != (max_vcpus(new), online_vcpus(new)):
        set_max_vcpus(domain, max_vcpus(new))
        set_online(domain, online_vcpus(new))
    mine, one, other = (document.find("cpu") for document in (domain, old, new))
    if one is not None and other is not None and _model(one) == _model(other):
        if mine is not None:
            _merge(mine, one, other, SECTIONS["cpu"].tree)
    elif one is not other:
        remove_children(domain, "cpu")
        domain.extend([] if other is None else [copy.deepcopy(other)])


def _model(cpu: Element) -> list[str | None]:
    return [value_at(cpu, path) for path in ("@mode", "@match", "model", "vendor")]


def _merge(mine: Element, old: Element, new: Element, node: Node, without: frozenset[str] = frozenset()) -> None:
    """Where ``old`` and ``new`` differ, let ``mine`` say what ``new`` says; children are matched by their steps.

    Children whose tag is in ``without`` are left alone.
    """
    differs = [str(name) for name in {*old.attrib, *new.attrib} if old.get(name) != new.get(name)]
    if (old.text or "").strip() != (new.text or "").strip():
        mine.text = new.text
        differs.append("unit")
    if node.has_unit and differs:
        differs.append("unit")
    for name in differs:
        if new.get(name) is None:
            mine.attrib.pop(name, None)
        else:
            mine.set(name, new.get(name, ""))
    nodes: dict[str, Node] = {}
    here, before, after = (_children(each, node, without, nodes) for each in (mine, old, new))
    for step in dict.fromkeys((*before, *after)):
        _merge_child(mine, here.get(step), before.get(step), after.get(step), nodes[step])


def _children(parent: Element, node: Node, without: frozenset[str], nodes: dict[str, Node]) -> dict[str, Element]:
    """The children of ``parent`` by their steps in a path; what is declared of each goes into ``nodes``."""
    found: dict[str, Element] = {}
    for step, each, below in children_by_step(parent, node):
        if each.tag not in without:
            found[step], nodes[step] = each, below or Node()
    return found


def _merge_child(parent: Element, mine: Element | None, old: Element | None, new: Element | None, node: Node) -> None:
    if new is None:
        if mine is not None:
            parent.remove(mine)
    elif old is None or not same(old, new):
        if mine is None or old is None or new.tag in _WHOLE or old.get("type") != new.get("type"):
            whole = copy.deepcopy(new)
            parent.append(whole) if mine is None else parent.replace(mine, whole)
        else:
            _merge(mine, old, new, node)


def _devices(domain: Element, old: Element, new: Element) -> tuple[DeviceChanges, dict[str, str]]:
    """Apply what differs among the devices; return what became of them, and their names (see Difference)."""
    changes, had = DeviceChanges(), [alias(device) for device in devices(domain)]
    names: dict[str, str] = {}
    mine: dict[Element | None, Element | None] = {}  # a device of a generated document → the domain's own
    for document in (new, old):
        mine |= {pair.after: pair.before for pair in counterparts(domain, document) if pair.after is not None}
    for pair in counterparts(old, new):
        one, other = pair.before, pair.after
        found = mine.get(one if one is not None else other)
        if found is not None and one is not None:
            names |= {short_name(found): short_name(one), device_name(found): device_name(one)}
        if one is None and other is not None and found is None:
            if other.tag != "controller" or other.get("type") != "pci":  # those come with what sits on them
                changes.attached.append(short_name(add_device(domain, other, had=had)))
        elif found is None:
            continue
        elif other is None:
            if found.tag != "controller" or not _is_used(domain, found):
                changes.detached.append(short_name(found))
                remove_device(domain, found)
        elif one is not None and not same(one, other):
            _change(domain, found, one, other, changes)
    return changes, names


def _is_used(domain: Element, controller: Element) -> bool:
    """True when a device sits on this ``controller``, and for every PCI controller: their buses stay."""
    name = controller.get("type", ""), controller.get("index", "")
    return name[0] == "pci" or any(bus_of(device) == name for device in devices(domain))


def _change(domain: Element, device: Element, old: Element, new: Element, changes: DeviceChanges) -> None:
    """Apply to ``device`` what differs between ``old`` and ``new``, and note in ``changes`` what became of it."""
    before = copy.deepcopy(device)
    node = DEVICES[str(device.tag)].tree if device.tag in DEVICES else Node()
    _merge(device, _without_place(old), _without_place(new), node)
    if device.tag == "disk" and old.get("device") in _MEDIA and new.get("device") not in _MEDIA:
        _make_writable(device, new)
    if _bus_kind(old) != _bus_kind(new):
        remove_children(device, "address")
        target = device.find("target")
        if device.tag == "disk" and target is not None:
            target.attrib.pop("dev", None)
            target.set("dev", next_target(target.get("bus", ""), [domain]))
            rename_record(domain, before, target.get("dev"))
    if _bus_kind(old) != _bus_kind(new) or _kind(old) != _kind(new):
        changes.rebuild(before, device)


def _make_writable(disk: Element, new: Element) -> None:
    """``disk`` was a drive for media: take out what libvirt (9.0) adds to such drives, and allows for them alone."""
    if new.find("readonly") is None:
        remove_children(disk, "readonly")
    child(disk, "target").attrib.pop("tray", None)


def _without_place(device: Element) -> Element:
    """A copy of ``device`` without what says where it sits and what it is called."""
    plain = copy.deepcopy(device)
    remove_children(plain, "address", "alias")
    target = plain.find("target")
    if device.tag == "disk" and target is not None:
        target.attrib.pop("dev", None)
    return plain


def _bus_kind(device: Element) -> tuple[str | None, ...]:
    """What kind of bus ``device`` is on: an address on one kind means nothing on another."""
    is_none = "none" in _kind(device)
    return str(is_none), value_at(device, "target@bus"), device.get("bus"), value_at(device, "target@type")


def _kind(device: Element) -> tuple[str | None, ...]:
    """The model of ``device`` and the like, on which depends what else libvirt says of it."""
    paths = ("@model", "@device", "model@type", "target/model@name")
    return tuple(value_at(device, path) for path in paths)
