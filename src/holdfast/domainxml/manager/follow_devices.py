"""Which devices a domain has, as its manager says: those that come and go with the manager's own records.

All others are hardware that the domain was built with, and stay whatever the manager would build a new domain with.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.device import alias, device_name, short_name
from holdfast.domainxml.document import Element, child, devices, value_at
from holdfast.domainxml.elements.disk import next_target, source_of, stated_format
from holdfast.domainxml.elements.memory import add_module, remove_module
from holdfast.domainxml.make.seal import name_device
from holdfast.domainxml.manager.take_host_side import is_same_kind
from holdfast.domainxml.places.behind_all import seat_last
from holdfast.domainxml.places.controllers import free_controller_index, missing_controller
from holdfast.domainxml.records.disk_record import record_of, rename_record, target_of

_KINDS = ("disk", "interface", "hostdev", "filesystem")


@dataclass
class DeviceChanges:
    """What became of a domain's devices, by the names that changes have for them.

    ``others`` are controllers that came along. ``rebuilt`` are devices that stayed and are of another kind now, as they
    were called before; ``left_open`` are their names since: the rest of them follows from their kind.
    """

    attached: list[str] = field(default_factory=list)
    detached: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    left_open: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)

    def explains(self, change: Change) -> bool:
        """True for a change that a guest sees of this."""
        if change.where == "memory":
            return any(name.split()[0] == "memory" for name in (*self.attached, *self.detached))
        if self.is_rename(change) or (change.what in self.attached and change.what in self.detached):
            return True
        named = {
            ChangeKind.ADDED: [*self.attached, *self.others],
            ChangeKind.REMOVED: self.detached,
            ChangeKind.REPLACED: self.detached,  # another one took its place
        }
        return change.what in named.get(change.kind, self.rebuilt)

    def is_rename(self, change: Change) -> bool:
        """True where a disk only has another name, in the place that it had."""
        if change.kind is not ChangeKind.MOVED or change.what not in self.renamed:
            return False
        places = [(text or "").partition(", ")[2] for text in (change.before, change.after)]
        return places[0] == places[1] != ""

    def rebuild(self, before: Element, after: Element) -> None:
        """Note that a device became another one in the same place, or in another that libvirt is yet to choose."""
        self.rebuilt += [short_name(before), device_name(before)]
        self.left_open += [short_name(after), device_name(after)]


def follow_devices(
    domain: Element, template: Element, is_own: Callable[[Element], bool], changes: DeviceChanges | None = None
) -> DeviceChanges:
    """Let ``domain`` have the disks, interfaces, hostdevs, filesystems and NVDIMMs that ``template`` has, in place.

    New ones have no address yet, but on buses where the name of a disk would decide that. Of those that ``template``
    does not have only the manager's own go. Disks have the target names that ``template`` gives them, by which their
    manager may address them; another disk of such a name gets a free one. ``changes`` are those to go on with.
    """
    changes = DeviceChanges() if changes is None else changes
    found = [pair for pair in counterparts(domain, template) if _comes_and_goes(pair.before, pair.after)]
    gone = [pair.before for pair in found if pair.before is not None and pair.after is None and is_own(pair.before)]
    had = [alias(device) for device in gone]
    for device in gone:
        changes.detached.append(short_name(device))
        remove_device(domain, device)
    given = Counter(target_of(disk) for disk in template.iterfind("devices/disk"))
    names: dict[Element, str] = {}
    for before, wanted in ((pair.before, pair.after) for pair in found):
        if wanted is None:
            continue
        if before is None:
            controller = _controller_for(domain, template, wanted)
            changes.others += [] if controller is None else [short_name(controller)]
            device = add_device(domain, wanted, had)
            changes.attached.append(short_name(device))
        else:
            was = copy.deepcopy(before)
            after = _replace(domain, before, wanted)
            device = before if after is None else after
            if after is not None:
                changes.rebuild(was, after)
        if device.tag == "disk" and given[target_of(wanted)] == 1:
            names[device] = target_of(wanted)
    _name_disks(domain, names, changes)
    for disk in domain.findall("devices/disk"):
        changes.others += [short_name(each) for each in seat_last(domain, disk)]
    return changes


def _name_disks(domain: Element, names: Mapping[Element, str], changes: DeviceChanges) -> None:
    """Give each of the disks its name, all at once; any other disk that has one of them gets another."""
    disks = domain.findall("devices/disk")
    old = {disk: target_of(disk) for disk in disks}
    others = [disk for disk in disks if disk not in names and old[disk] in names.values()]
    renamed = [*(disk for disk in disks if names.get(disk, old[disk]) != old[disk]), *others]
    records = {disk: record_of(domain, disk) for disk in renamed}
    for disk in renamed:
        child(disk, "target").attrib.pop("dev")
    for disk in renamed:
        target = child(disk, "target")
        rest = dict(target.attrib)
        target.attrib.clear()
        target.set("dev", names.get(disk) or next_target(rest.get("bus", "virtio"), [domain]))
        target.attrib.update(rest)
        record = records[disk]
        if record is not None:
            record.set("target", target_of(disk))
    new = {f"disk {old[disk]}": short_name(disk) for disk in renamed}
    changes.attached = [new.get(name, name) for name in changes.attached]
    changes.left_open = [new.get(name, name) for name in changes.left_open]
    changes.renamed |= new


def _comes_and_goes(*pair: Element | None) -> bool:
    device = next(each for each in pair if each is not None)
    return device.tag in _KINDS or (device.tag == "memory" and device.get("model") == "nvdimm")


def add_device(domain: Element, device: Element, had: Iterable[str | None] = ()) -> Element:
    """Add a copy of ``device`` without an address, with an alias, and with a name and boot order that are free.

    The aliases that it ``had`` before some devices went are not given again.
    """
    new = copy.deepcopy(device)
    new.tail = None
    for address in new.findall("address"):
        new.remove(address)
    target = new.find("target")
    if new.tag == "disk" and target is not None:
        taken = {each.get("dev") for each in domain.iterfind("devices/disk/target")}
        if target.get("dev") is None or target.get("dev") in taken:
            target.set("dev", next_target(target.get("bus", "virtio"), [domain]))
    orders = {each.get("order") for device in devices(domain) for each in device.iterfind("boot")}
    for boot in new.findall("boot"):
        if domain.find("os/boot") is not None or boot.get("order") in orders:
            new.remove(boot)
    aliases = {alias(each) for each in devices(domain)} | set(had)
    for name in new.findall("alias"):
        if name.get("name") in aliases:
            new.remove(name)
    name_device(new, aliases)
    if new.tag == "controller":
        new.set("index", free_controller_index(new.get("type", ""), [domain]))
    if new.tag == "memory":
        add_module(domain, new)
    else:
        child(domain, "devices").append(new)
    return new


def remove_device(domain: Element, device: Element) -> None:
    """Take ``device`` out of ``domain``, with what is recorded of it."""
    if device.tag == "disk":
        rename_record(domain, device, None)
    if device.tag == "memory":
        remove_module(domain, device)
    else:
        child(domain, "devices").remove(device)


def _controller_for(domain: Element, template: Element, device: Element) -> Element | None:
    """The controller that has to come with ``device``, added to ``domain``; None where it needs none."""
    lacking = missing_controller(device, [domain])
    if lacking is None:
        return None
    return add_device(domain, next(template.iterfind("devices/controller[@type='scsi']"), lacking))


def _replace(domain: Element, device: Element, wanted: Element) -> Element | None:
    """Let ``device`` be what the manager knows to be behind it; returns what the guest sees of that, None if nothing.

    That is another kind of interface in the same place, the MTU of its network, and the format of an image, which the
    manager may have made anew under the same name.
    """
    if not is_same_kind(device, wanted):
        new = copy.deepcopy(wanted)
        new.extend([copy.deepcopy(each) for each in device if each.tag in ("address", "alias")])
        child(domain, "devices").replace(device, new)
        return new
    mtu = value_at(wanted, "mtu@size")
    if device.tag == "interface" and mtu is not None and mtu != value_at(device, "mtu@size"):
        child(device, "mtu").set("size", mtu)
        return device
    is_image = device.tag == "disk" and source_of(device) == source_of(wanted) is not None
    if not is_image or stated_format(device) == stated_format(wanted):
        return None
    child(device, "driver").set("type", stated_format(wanted))
    return device
