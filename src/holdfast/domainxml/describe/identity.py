"""What a guest can read about the machine it runs on, in a few words: UUID, machine type, CPU, firmware, memory."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.memory import balloon_memory, total_memory
from holdfast.domainxml.elements.os import chooses_firmware
from holdfast.domainxml.elements.vcpu import max_vcpus, online_vcpus
from holdfast.domainxml.platform import Platform


@dataclass(frozen=True)
class Identity:
    """What a guest can read about its machine.

    ``kind``             the virtualisation type: "kvm" or "qemu"
    ``cpu``, ``firmware``  in words, which also say where the document leaves it open
    ``vcpus``            those that are online, of ``max_vcpus``
    ``memory``           in bytes, of which the guest has ``balloon`` now
    """

    uuid: str
    machine: str
    arch: str
    kind: str
    cpu: str
    vcpus: int
    max_vcpus: int
    memory: int
    balloon: int
    firmware: str


def identity_of(domain: Element) -> Identity:
    """The identity of a domain document as libvirt prints it."""
    platform = Platform.of(domain)
    return Identity(
        uuid=value_at(domain, "hwuuid") or value_at(domain, "uuid") or "",
        machine=platform.machine,
        arch=platform.arch,
        kind=platform.virt_type,
        cpu=_cpu(domain),
        vcpus=online_vcpus(domain),
        max_vcpus=max_vcpus(domain),
        memory=total_memory(domain),
        balloon=balloon_memory(domain),
        firmware=_firmware(domain),
    )


def _cpu(domain: Element) -> str:
    cpu = domain.find("cpu")
    if cpu is None:
        return "QEMU's default"
    mode, model = cpu.get("mode", "custom"), value_at(domain, "cpu/model")
    return model or "QEMU's default" if mode == "custom" else f"{mode} (left open: this host decides)"


def _firmware(domain: Element) -> str:
    loader = value_at(domain, "os/loader")
    if chooses_firmware(domain):
        return "UEFI (left open: libvirt chooses at each start)"
    if loader is None:
        return "BIOS" if Platform.of(domain).is_x86 else "QEMU's default"
    secure = ", secure boot" if value_at(domain, "os/loader@secure") == "yes" else ""
    return f"{'UEFI' if value_at(domain, 'os/loader@type') == 'pflash' else 'ROM'} {loader}{secure}"
