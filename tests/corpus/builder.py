"""What a domain of the corpus is made of: the parts given, and nothing that it does not show."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

IMAGES = ("data.img", "more.img", "stick.img", "cd.iso", "floppy.img", "nvdimm.img", "pmem.img", "kernel")
"""Raw images that the documents name, besides root.qcow2."""


@dataclass(frozen=True)
class Sample:
    """One domain. ``needs`` says what a host must have to start it: a file, or in words what no test host has.

    ``is_file`` is true for a whole domain from a file.
    """

    name: str
    text: str
    arch: str = "x86_64"
    needs: str = ""
    is_file: bool = False

    def document(self, folder: Path | str = "/nowhere") -> str:
        """The document, with its images in ``folder``."""
        return self.text.replace("@FOLDER@", str(folder))

    @property
    def can_define(self) -> bool:
        """True where an emulator is installed that has its machine type."""
        if self.needs in ("KVM", "AMD SEV", "another hypervisor", "a descriptor of a BIOS firmware"):
            return False
        machine = re.search("machine=['\"]([^'\"]+)", self.text)
        return machine is None or machine[1] in _machines({"armv7l": "arm", "i686": "i386"}.get(self.arch, self.arch))

    @property
    def can_start(self) -> bool:
        """True when nothing is missing here."""
        return (
            not self.needs
            or self.needs == f"qemu-system-{self.arch}"
            or (self.needs.startswith("/") and Path(self.needs).exists())
        )


@cache
def _machines(suffix: str) -> frozenset[str]:
    """The machine types of the QEMU for an architecture; none where it is not installed."""
    emulator = shutil.which(f"qemu-system-{suffix}")
    if emulator is None:
        return frozenset()
    told = subprocess.run([emulator, "-machine", "help"], capture_output=True, text=True, check=True).stdout
    return frozenset(line.split()[0] for line in told.splitlines()[1:])


def sample(
    name: str,
    devices: str = "",
    *,
    machine: str = "q35",
    arch: str = "x86_64",
    head: str = "",
    os: str = "",
    os_attributes: str = "",
    features: str = "<acpi/>",
    kind: str = "qemu",
    needs: str = "",
) -> Sample:
    """A domain of 64 MiB: ``devices`` go below <devices>, ``os`` below <os>, ``head`` below <domain>."""
    memory = "" if "<memory " in head else "<memory unit='MiB'>64</memory>"
    text = f"""<domain type='{kind}' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>{name}</name>
  <uuid>{uuid.uuid5(uuid.NAMESPACE_URL, name)}</uuid>
  {memory}{head}
  <os{os_attributes}><type arch='{arch}' machine='{machine}'>hvm</type>{os}</os>
  <features>{features}</features>
  <devices>{devices}</devices>
</domain>
"""
    return Sample(name, text, arch, needs)


def make_images(folder: Path) -> None:
    """Make every image that the documents name, in ``folder``."""
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", folder / "root.qcow2", "64M"], check=True)
    for name in IMAGES:
        with (folder / name).open("wb") as image:
            image.truncate(1474560 if name == "floppy.img" else 64 * 1024 * 1024)


def table(samples: Iterable[Sample]) -> dict[str, Sample]:
    """The samples by name. Raises ValueError for a name that two have."""
    named: dict[str, Sample] = {}
    for each in samples:
        if named.setdefault(each.name, each) is not each:
            raise ValueError(f"two domains of one name: {each.name}")
    return named


def disk(
    target: str = "vda",
    bus: str = "virtio",
    *parts: str,
    image: str = "data.img",
    device: str = "disk",
    driver: str = "",
    target_attributes: str = "",
) -> str:
    """A disk on a raw image; an empty ``image`` is an empty drive."""
    source = f"<source file='@FOLDER@/{image}'/>" if image else ""
    options = f"<driver name='qemu' type='{'qcow2' if image.endswith('qcow2') else 'raw'}' {driver}/>"
    place = f"<target dev='{target}' bus='{bus}' {target_attributes}/>"
    return f"<disk type='file' device='{device}'>{options}{source}{place}{''.join(parts)}</disk>"


def interface(model: str = "virtio", *parts: str, kind: str = "user", number: int = 1) -> str:
    """An interface with a MAC of its own."""
    mac = f"<mac address='52:54:00:00:01:{number:02x}'/>"
    return f"<interface type='{kind}'>{mac}{''.join(parts)}<model type='{model}'/></interface>"


def root_ports(count: int, more: str = "") -> str:
    """A pcie-root with ``count`` root ports."""
    ports = "".join(
        f"<controller type='pci' index='{number}' model='pcie-root-port'>{more}</controller>"
        for number in range(1, count + 1)
    )
    return f"<controller type='pci' index='0' model='pcie-root'/>{ports}"
