"""Two inventories of one guest, fact by fact: what a person would say of each device, and what of it changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast_lab.inventory import Inventory, PciDevice

_KINDS = {
    "1af4:1000": "network card",
    "1af4:1041": "network card",
    "1af4:1001": "disk",
    "1af4:1042": "disk",
    "1af4:1002": "balloon",
    "1af4:1045": "balloon",
    "1af4:1003": "console",
    "1af4:1043": "console",
    "1af4:1004": "SCSI controller",
    "1af4:1048": "SCSI controller",
    "1af4:1005": "random numbers",
    "1af4:1044": "random numbers",
    "1b36:000c": "root port",
    "1b36:000d": "USB controller",
}
"""PCI vendor:device → what it is called here."""

_CLASSES = {"0600": "host bridge", "0601": "ISA bridge", "0680": "power management", "0c05": "SMBus"}
_CLASSES |= {"0101": "IDE controller", "0106": "SATA controller"}
"""First half of a PCI class code → what it is called here: the parts that every machine of its type has."""
_MORE_CLASSES = {"0300": "display", "0604": "PCI bridge", "0c03": "USB controller"}


@dataclass(frozen=True)
class Fact:
    """One fact about a guest. ``exact`` is what is compared, ``shown`` what is printed of it.

    Facts of one ``group`` ("root ports") can be told in one line as long as none of them changes.
    """

    shown: str
    exact: str
    group: str | None = None


@dataclass(frozen=True)
class Comparison:
    """One fact before and after, each None where the guest had no such thing."""

    name: str
    before: Fact | None
    after: Fact | None

    @property
    def group(self) -> str | None:
        """What it can be told together with."""
        fact = self.before or self.after
        return fact.group if fact else None

    @property
    def changed(self) -> bool:
        """True when the guest can tell the difference."""
        return (self.before and self.before.exact) != (self.after and self.after.exact)


def compare_inventories(before: Inventory, after: Inventory, labels: Mapping[str, str]) -> list[Comparison]:
    """Every fact of either inventory, in the order in which a person would read them.

    ``labels`` names disks by their serial and interfaces by their MAC. A new boot id is no change of hardware.
    """
    old, new = inventory_facts(before, labels), inventory_facts(after, labels)
    return [
        Comparison(name, old.get(name), new.get(name)) for name in [*old, *(name for name in new if name not in old)]
    ]


def inventory_facts(inventory: Inventory, labels: Mapping[str, str]) -> dict[str, Fact]:
    """What ``inventory`` says, fact by fact."""
    found = {}
    for disk in inventory.disks:
        size = f"{disk.size >> 20} MiB" + (", read-only" if disk.read_only else "")
        found[f"disk {labels.get(disk.serial, disk.serial or disk.name)}"] = _fact(
            f"{disk.name} at {_short(disk.address)}", disk.name, disk.path.partition("/virtio")[0], size
        )
    for interface in inventory.interfaces:
        found[labels.get(interface.mac, f"interface {interface.mac}")] = _fact(
            f"{interface.name} at {_short(interface.address)}", interface.name, interface.path.partition("/virtio")[0]
        )
    spoken_of = {disk.address for disk in inventory.disks} | {card.address for card in inventory.interfaces}
    numbers: dict[str, int] = {}
    chipset: dict[str, Fact] = {}
    for device in inventory.pci:
        if device.address not in spoken_of:
            kind = _kind(device)
            numbers[kind] = numbers.get(kind, 0) + 1
            name = kind if numbers[kind] == 1 else f"{kind} {numbers[kind]}"
            exact = f"{device.path} {device.vendor}:{device.device} {device.subsystem}"
            group = "root ports" if kind == "root port" else "chipset" if kind in _CLASSES.values() else None
            (chipset if group else found)[name] = Fact(_short(device.address), exact, group)
    found |= chipset
    found["machine type"] = _fact(inventory.machine)
    found["firmware"] = _fact(inventory.dmi["bios_version"], inventory.firmware, inventory.dmi["bios_version"])
    found["CPU"] = _fact(inventory.cpu_model, str(inventory.cpus))
    found["CPU flags"] = _fact(f"{len(inventory.cpu_flags)} flags", *inventory.cpu_flags)
    found["SMBIOS"] = _fact(f"{len(inventory.dmi)} fields", *(f"{key}={value}" for key, value in inventory.dmi.items()))
    for table, digest in inventory.acpi.items():
        found[f"ACPI {table}"] = Fact(digest[:8], digest, "ACPI tables")
    return found


def _fact(shown: str, *exact: str) -> Fact:
    return Fact(shown, " ".join(exact or (shown,)))


def _kind(device: PciDevice) -> str:
    return (
        _KINDS.get(f"{device.vendor}:{device.device}")
        or (_CLASSES | _MORE_CLASSES).get(device.class_code[:4])
        or f"PCI device {device.vendor}:{device.device}"
    )


def _short(address: str | None) -> str:
    return "no PCI address" if address is None else address.removeprefix("0000:")
