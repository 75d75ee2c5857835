"""What a running guest itself sees, in the form in which a probe shows it: so the two compare word for word."""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.document import parse
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.probe.observe import ProbeView, without_settings
from holdfast.operations.probe.tables import smbios_by_name, without_places
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory

_ASK = (
    "rm -rf /run/sight; mkdir -p /run/sight/acpi /run/sight/pci; cd /run/sight;"
    " cp /sys/firmware/acpi/tables/[A-Z]* acpi; cp /sys/firmware/dmi/tables/DMI .;"
    " for at in /sys/bus/pci/devices/*; do for what in config resource; do"
    " cat $at/$what >pci/${at##*/}-$what; done; done;"
    " tar -c . | gzip | base64 >/run/answer;"
    ' while read -r line; do echo "$line"; done </run/answer'
)
"""Line by line, so that the guest's own "@ready" comes between lines; tar reads no file whose size sysfs has wrong.
"""
_NOT_PROBED = ("FACS",)
_IO = 0x100


@dataclass(frozen=True)
class Sight:
    """One look: the inventory, and the tables and registers behind it; whether a watchdog bites shows when it does."""

    inventory: Inventory
    tables: ProbeView


def look(guest: Guest) -> Sight:
    """What ``guest`` sees now."""
    archive = base64.b64decode(guest.run(_ASK))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = {member.name: read.read() for member in tar if (read := tar.extractfile(member)) is not None}
    inventory = guest.inventory()
    tables = ProbeView(
        acpi=dict(_acpi(files)),
        smbios=smbios_by_name(files["./DMI"]),
        pci={address: without_settings(content) for address, content in _of_functions(files, "config")},
        regions={address: _regions(content) for address, content in _of_functions(files, "resource")},
        cpu={"model": inventory.cpu_model, "flags": " ".join(inventory.cpu_flags)},
        virtio=dict(_queues(guest, inventory)),
        watchdog={},
    )
    return Sight(inventory, tables)


def _acpi(files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    for path, content in files.items():
        name = path.removeprefix("./acpi/")
        if name != path and name not in _NOT_PROBED:
            yield name, without_places(content) if name == "FACP" else content


def _of_functions(files: dict[str, bytes], name: str) -> Iterator[tuple[str, bytes]]:
    for path, content in files.items():
        address = path.removeprefix("./pci/0000:").removesuffix(f"-{name}")
        if path.endswith(f"-{name}"):
            yield address, content


def _regions(resource: bytes) -> str:
    """As ``query-pci`` has them: the BARs and the ROM, which are the first seven."""
    said = []
    for bar, line in enumerate(resource.decode().splitlines()[:7]):
        start, end, flags = (int(word, 16) for word in line.split())
        if end:
            said.append(f"{bar}: {end - start + 1} bytes of {'io' if flags & _IO else 'memory'}")
    return ", ".join(said)


def _queues(guest: Guest, inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Of its disks on virtio; the guest is told of no other queue."""
    live = parse(guest.domain.xml(Definition.LIVE))
    for disk in live.iterfind("devices/disk"):
        alias, seen = disk.find("alias"), inventory.disk(disk.findtext("serial") or "none")
        if alias is not None and seen is not None and "virtio" in seen.path:
            yield f"virtio-blk {alias.get('name')}", str(seen.queue)
