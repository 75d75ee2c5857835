"""What a domain document asks to be run on: which QEMU, architecture, machine type and virtualisation type."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.domainxml.document import Element

X86 = ("x86_64", "i686")
"""The architectures of a PC, of 64 and of 32 bits."""


class Platform(NamedTuple):
    """What decides which capabilities a domain meets on a host, in the order in which libvirt's calls take it.

    ``emulator``   the path of QEMU on the host
    ``arch``       "x86_64"
    ``machine``    the machine type, versioned ("pc-q35-7.2") or an alias ("q35")
    ``virt_type``  "kvm" or "qemu"

    Each is empty where the document leaves it to libvirt.
    """

    emulator: str = ""
    arch: str = ""
    machine: str = ""
    virt_type: str = ""

    @classmethod
    def of(cls, domain: Element) -> Platform:
        """The platform that the document ``domain`` asks for."""
        found = domain.find("os/type")
        arch, machine = ("", "") if found is None else (found.get("arch", ""), found.get("machine", ""))
        return cls((domain.findtext("devices/emulator") or "").strip(), arch, machine, domain.get("type", ""))

    @property
    def is_x86(self) -> bool:
        """True for a PC, of 32 or 64 bits."""
        return self.arch in X86


def has_root_ports(machine: str) -> bool:
    """True for a machine type whose PCI devices sit behind root ports: q35, and virt on ARM and RISC-V."""
    return "q35" in machine or machine.startswith("virt")
