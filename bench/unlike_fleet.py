"""Audit of a host on which no two domains are alike: what is found out about one says nothing about the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import holdfast
import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast_lab.daemon import private_host

_FEATURES = ("3dnow", "abm", "aes", "avx", "avx2", "bmi1", "bmi2", "erms", "f16c", "fma", "fsgsbase", "mce", "movbe")
"""Enough CPU features for a set of its own for each of 8,192 domains."""


def unlike_xml(number: int, folder: Path) -> str:
    """A q35 domain: the sets of its CPU's features, disks, interfaces, ports and other devices depend on ``number``."""
    name = f"unlike-{number:05}"
    features = "".join(
        f"<feature policy='disable' name='{feature}'/>" for bit, feature in enumerate(_FEATURES) if number >> bit & 1
    )
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 9 + number % 17))
    disks = "".join(
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{folder}/{name}-{n}.img'/>"
        f"<target dev='vd{'abcd'[n]}' bus='virtio'/></disk>"
        for n in range(1 + number % 4)
    )
    interfaces = "<interface type='user'><model type='virtio'/></interface>" * (1 + number % 3)
    others = (
        "",
        "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
        "<watchdog model='i6300esb'/>",
    )
    return f"""<domain type='qemu'><name>{name}</name>
<metadata><app:facts xmlns:app='http://example.org/app'><app:fact>{number}</app:fact></app:facts></metadata>
<memory unit='MiB'>{64 + number % 7}</memory><vcpu>{1 + number % 5}</vcpu>
<os><type machine='q35'>hvm</type></os><features><acpi/></features>
<cpu mode='custom'><model>qemu64</model>{features}</cpu>
<devices><controller type='pci' index='0' model='pcie-root'/>{ports}<controller type='usb' model='none'/>
{disks}{interfaces}<console type='pty'/>{others[number % 3]}</devices></domain>"""


def unlike_fleet(domains: int) -> Iterator[Case]:
    """The case, over a host of its own with so many domains, all shut off."""
    with private_host("unlike") as host, holdfast.connect(host.uri) as ours:
        bare = libvirt.open(host.uri)

        def define() -> None:
            for number in range(bare.numOfDefinedDomains(), domains):
                bare.defineXML(unlike_xml(number, host.images))

        def in_turn() -> None:
            for domain in bare.listAllDomains(0):
                domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)

        aim = 1.0 if domains >= 5000 else None
        yield Case("audit, all unlike", in_turn, lambda: operations.audit_host(ours), aim, before=define)
        bare.close()
