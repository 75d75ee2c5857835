"""What a guest itself says of its hardware: the probe guest's lines as values that compare."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class PciDevice:
    """A function on the guest's PCI bus. ``path`` is its place in the tree, "pci0000:00/0000:00:02.0/0000:01:00.0"."""

    address: str
    path: str
    vendor: str
    device: str
    class_code: str
    subsystem: str
    driver: str | None


@dataclass(frozen=True)
class Disk:
    """A block device. ``size`` in bytes; ``number`` is major:minor, the order in which the kernel met them.

    ``queue`` is how many requests fit into its first queue: of a virtio disk, what QEMU made it as large as.
    """

    name: str
    serial: str
    size: int
    read_only: bool
    number: str
    path: str
    queue: int

    @property
    def address(self) -> str | None:
        """The PCI address of the function it hangs on."""
        return _last_pci_address(self.path)


@dataclass(frozen=True)
class Interface:
    """A network interface with a device behind it. ``index`` is the kernel's number for it.

    ``carrier``: there is a cable in it. Drivers take a while to find out, so it is not compared.
    """

    name: str
    mac: str
    index: int
    path: str
    carrier: bool = field(default=False, compare=False)

    @property
    def address(self) -> str | None:
        """The PCI address of the function it hangs on."""
        return _last_pci_address(self.path)


@dataclass(frozen=True)
class Inventory:
    """All that one guest saw at one moment. Equal hardware gives equal fields; only ``boot_id`` is new at each boot."""

    boot_id: str
    firmware: str
    dmi: dict[str, str]
    cpu_model: str
    cpu_flags: tuple[str, ...]
    cpus: int
    """Online."""
    memory: int = field(compare=False)
    """KiB that the kernel counts: a page or two more or less at each boot, so it is not compared."""
    acpi: dict[str, str]
    """ACPI table → MD5 of its content."""
    pci: tuple[PciDevice, ...]
    disks: tuple[Disk, ...]
    interfaces: tuple[Interface, ...]

    @property
    def machine(self) -> str:
        """The versioned machine type; QEMU writes it as the product version of SMBIOS."""
        return self.dmi.get("product_version", "")

    def disk(self, serial: str) -> Disk | None:
        """The disk with this serial number; None when the guest has none (virtio cuts serials at 20 characters)."""
        return next((disk for disk in self.disks if disk.serial and disk.serial == serial[: len(disk.serial)]), None)

    def interface(self, mac: str) -> Interface | None:
        """The interface with this MAC; None when the guest has none."""
        return next((interface for interface in self.interfaces if interface.mac == mac.lower()), None)

    def at(self, address: str) -> PciDevice | None:
        """The PCI function at this address; None when there is none."""
        return next((device for device in self.pci if device.address == address), None)


def parse_inventory(lines: list[str]) -> Inventory:
    """Read the probe guest's answer to "inventory". Raises ValueError or KeyError when it is no such answer."""
    things: dict[str, list[dict[str, str]]] = {}
    for line in lines:
        kind, *fields = line.split("\t")
        if kind.startswith("@"):
            things.setdefault(kind[1:], []).append(dict(field.split("=", 1) for field in fields))
    (boot,), (firmware,), (dmi,), (cpu,), (memory,) = (
        things[kind] for kind in ("boot", "firmware", "dmi", "cpu", "memory")
    )
    return Inventory(
        boot_id=boot["id"],
        firmware=firmware["kind"],
        dmi=dmi,
        cpu_model=cpu["model"],
        cpu_flags=tuple(sorted(cpu["flags"].split())),
        cpus=sum(map(_count, cpu["online"].split(","))),
        memory=int(memory["kib"]),
        acpi={table["table"]: table["md5"] for table in things.get("acpi", [])},
        pci=tuple(_pci_device(fields) for fields in things.get("pci", [])),
        disks=tuple(sorted((_disk(fields) for fields in things.get("disk", [])), key=_order)),
        interfaces=tuple(
            Interface(fields["name"], fields["mac"], int(fields["index"]), fields["path"], fields.get("carrier") == "1")
            for fields in things.get("interface", [])
        ),
    )


def _count(numbers: str) -> int:
    """How many numbers the kernel means by "3" or "0-2"."""
    first, _, last = numbers.partition("-")
    return int(last or first) - int(first) + 1


def _pci_device(fields: dict[str, str]) -> PciDevice:
    number = {key: fields[key].removeprefix("0x") for key in ("vendor", "device", "class")}
    subsystem = ":".join(fields[f"subsystem_{key}"].removeprefix("0x") for key in ("vendor", "device"))
    return PciDevice(
        fields["address"],
        fields["path"],
        number["vendor"],
        number["device"],
        number["class"],
        subsystem,
        fields.get("driver"),
    )


def _disk(fields: dict[str, str]) -> Disk:
    return Disk(
        fields["name"],
        fields.get("serial", "").strip(),
        int(fields["sectors"]) * 512,
        fields["read_only"] == "1",
        fields["number"],
        fields["path"],
        int(fields["queue"] or 0),
    )


def _order(disk: Disk) -> tuple[int, ...]:
    return tuple(int(part) for part in disk.number.split(":"))


def _last_pci_address(path: str) -> str | None:
    addresses = [part for part in path.split("/") if part.count(":") == 2 and "." in part]
    return addresses[-1] if addresses else None
