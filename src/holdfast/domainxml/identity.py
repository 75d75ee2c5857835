"""What a guest reads about the machine it runs on, in a few words: UUID, machine type, CPU, firmware, memory, vCPUs."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.document import Element
from holdfast.domainxml.os import chooses_firmware
from holdfast.domainxml.sides import SIZES, value_at


@dataclass(frozen=True)
class Identity:
    """``memory`` is in bytes; ``cpu`` and ``firmware`` are words, also where the document leaves them open."""

    uuid: str
    machine: str
    arch: str
    kind: str
    cpu: str
    vcpus: int
    max_vcpus: int
    memory: int
    firmware: str


def identity_of(domain: Element) -> Identity:
    """The identity of a domain document as libvirt prints it."""
    vcpus = _number(value_at(domain, "vcpu"))
    unit = SIZES.get(value_at(domain, "memory@unit") or "KiB", 1024)
    return Identity(
        uuid=value_at(domain, "uuid") or "",
        machine=value_at(domain, "os/type@machine") or "",
        arch=value_at(domain, "os/type@arch") or "",
        kind=domain.get("type", ""),
        cpu=_cpu(domain),
        vcpus=_number(value_at(domain, "vcpu@current")) or vcpus,
        max_vcpus=vcpus,
        memory=_number(value_at(domain, "memory")) * unit,
        firmware=_firmware(domain),
    )


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() else 0


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
        return "BIOS" if value_at(domain, "os/type@arch") in ("x86_64", "i686") else "QEMU's default"
    secure = ", secure boot" if value_at(domain, "os/loader@secure") == "yes" else ""
    return f"{'UEFI' if value_at(domain, 'os/loader@type') == 'pflash' else 'ROM'} {loader}{secure}"
