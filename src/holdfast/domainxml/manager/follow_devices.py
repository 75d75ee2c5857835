"""Which devices a domain has, as its manager says: disks, interfaces and the like come and go with its own records.

All other devices are hardware that the domain was built with. They stay, whatever the manager would give a new domain.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.device import alias, device_name, short_name
from holdfast.domainxml.document import Element, child, devices, remove_children, remove_from_parent, value_at
from holdfast.domainxml.elements.disk import next_target, source_of, stated_format
from holdfast.domainxml.elements.interface import card_of_the_host
from holdfast.domainxml.elements.memory import add_module, remove_module
from holdfast.domainxml.make.aliases import name_device
from holdfast.domainxml.manager.take_host_side import is_same_kind
from holdfast.domainxml.places.behind_all import seat_behind_all
from holdfast.domainxml.places.controllers import free_controller_index, missing_controllers
from holdfast.domainxml.records.disk_record import record_element, rename_record, target_of

_KINDS = ("disk", "interface", "hostdev", "filesystem")
"""The devices that come and go with the manager's records; so do NVDIMMs."""


@dataclass
class DeviceChanges:
    """What became of a domain's devices; each is named as a :class:`Change` names it.

    ``attached``, ``detached``  devices that came and went
    ``others``     controllers that came along with them
    ``rebuilt``    devices that stayed and are of another kind now, as they were called before
    ``left_open``  what those are called since; what else there is to them follows from their kind
    ``renamed``    "disk vda" → "disk vdb": disks with another target
    """

    attached: list[str] = field(default_factory=list)
    detached: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    rebuilt: list[str] = field(default_factory=list)
    left_open: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)

    def explains(self, change: Change) -> bool:
        """True for a change of the guest view that follows from these."""
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
        """True where a disk only got another target, and stayed in its place."""
        if change.kind is not ChangeKind.MOVED or change.what not in self.renamed:
            return False
        places = [(text or "").partition(", ")[2] for text in (change.before, change.after)]
        return places[0] == places[1] != ""

    def rebuild(self, before: Element, after: Element) -> None:
        """Note that a device is of another kind now, in the same place or one that libvirt is yet to choose."""
        self.rebuilt += [short_name(before), device_name(before)]
        self.left_open += [short_name(after), device_name(after)]


def follow_devices(
    domain: Element, template: Element, is_own: Callable[[Element], bool], changes: DeviceChanges | None = None
) -> DeviceChanges:
    """Let ``domain``, in place, have the disks, interfaces, hostdevs, filesystems and NVDIMMs of ``template``.

    New ones have no address yet, except on buses where the target of a disk would decide it. Of the devices that
    ``template`` does not have, only those go that ``is_own`` says are the manager's. Disks get the targets that
    ``template`` gives them, by which the manager may address them; another disk with such a target gets a free one.
    ``changes`` are changes made before, to be added to.
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
    for mine, theirs in ((pair.before, pair.after) for pair in found):
        if theirs is None:
            continue
        if mine is None:
            controller = _controller_for(domain, template, theirs)
            changes.others += [] if controller is None else [short_name(controller)]
            device = add_device(domain, theirs, had)
            changes.attached.append(short_name(device))
        else:
            before = copy.deepcopy(mine)
            after = _replace(domain, mine, theirs)
            device = mine if after is None else after
            if after is not None:
                changes.rebuild(before, after)
        if device.tag == "disk" and given[target_of(theirs)] == 1:
            names[device] = target_of(theirs)
    _name_disks(domain, names, changes)
    for disk in domain.findall("devices/disk"):
        changes.others += [short_name(each) for each in seat_behind_all(domain, disk)]
    return changes


def _name_disks(domain: Element, names: Mapping[Element, str], changes: DeviceChanges) -> None:
    """Give each disk its target in ``names``, all at once; any other disk that has one of these gets a free one."""
    disks = domain.findall("devices/disk")
    old = {disk: target_of(disk) for disk in disks}
    others = [disk for disk in disks if disk not in names and old[disk] in names.values()]
    renamed = [*(disk for disk in disks if names.get(disk, old[disk]) != old[disk]), *others]
    records = {disk: record_element(domain, disk) for disk in renamed}
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
    """Add a copy of ``device`` to ``domain`` and return it: without an address, with an alias, target and boot order.

    Target and boot order are kept where they are free. Aliases in ``had``, of devices that went, are not given again.
    """
    new = copy.deepcopy(device)
    new.tail = None
    remove_children(new, "address")
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
    """Take ``device`` out of ``domain``, with the record of it."""
    if device.tag == "disk":
        rename_record(domain, device, None)
    if device.tag == "memory":
        remove_module(domain, device)
    else:
        remove_from_parent(device)


def _controller_for(domain: Element, template: Element, device: Element) -> Element | None:
    """Add to ``domain`` the controller that has to come with ``device``, and return it; None where none has to."""
    lacking = missing_controllers(device, [domain])
    if not lacking or domain.find("devices/controller[@type='scsi']") is not None:
        return None
    return add_device(domain, next(template.iterfind("devices/controller[@type='scsi']"), lacking[0]))


def _replace(domain: Element, mine: Element, theirs: Element) -> Element | None:
    """Let ``mine`` be what the manager knows of the same device; return it if the guest sees a change, else None.

    The guest sees another kind of interface in the same place, another card of the host behind it, another MTU of its
    network, and another format of an image that the manager made anew under the same name.
    """
    if not is_same_kind(mine, theirs):
        new = copy.deepcopy(theirs)
        new.extend([copy.deepcopy(each) for each in mine if each.tag in ("address", "alias")])
        child(domain, "devices").replace(mine, new)
        return new
    cards = [card_of_the_host(each) for each in (mine, theirs) if each.tag == "interface"]
    if None not in cards and len(set(cards)) == 2:
        for source in theirs.findall("source"):
            child(mine, "source")[:] = copy.deepcopy(list(source))
        return mine
    mtu = value_at(theirs, "mtu@size")
    if mine.tag == "interface" and mtu is not None and mtu != value_at(mine, "mtu@size"):
        child(mine, "mtu").set("size", mtu)
        return mine
    is_image = mine.tag == "disk" and source_of(mine) == source_of(theirs) is not None
    if not is_image or stated_format(mine) == stated_format(theirs):
        return None
    child(mine, "driver").set("type", stated_format(theirs))
    return mine
