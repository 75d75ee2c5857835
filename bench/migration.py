"""A guest that runs goes to another host and back, beside the same call of libvirt's with the same flags."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from pathlib import Path

import libvirt_qemu

import libvirt
from bench.measure import Case, Figure
from holdfast import operations
from holdfast.libvirtapi.connection import open_connection
from holdfast_lab.cable import two_hosts
from holdfast_lab.patience import wait_until

MEMORY = 512
"""MiB of the guest, which writes to all of it once and then stands still."""

_CODE = bytes.fromhex(
    "fa 0f0116307c 0f20c0 0c01 0f22c0 ea137c0800"  # cli; lgdt [7c30]; cr0 |= 1; jmp 8:7c13
    "66b81000 8ec0"  # mov ax, 10; mov es, ax
    "bf00001000 b90000f007 b8efbeadde f3ab f4ebfd"  # edi = 1 MiB; ecx = 127 Mi; eax = deadbeef; rep stosd; hlt; jmp
)
_LAST = (1 << 20) + (0x7F00000 << 2) - 4
"""Where it writes last."""

_GDT = bytes.fromhex("1700387c00000000 0000000000000000 ffff0000009acf00 ffff00000092cf00")
_FLAGS = (
    libvirt.VIR_MIGRATE_LIVE
    | libvirt.VIR_MIGRATE_PERSIST_DEST
    | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
    | libvirt.VIR_MIGRATE_CHANGE_PROTECTION
    | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
)


def migration_cases(images: Path) -> Iterator[Case | Figure]:
    """There and back, on two hosts of their own; then how long the guest stood still, as libvirt says."""
    with (
        two_hosts("kelp", "rock") as cable,
        open_connection(cable.hosts[0].uri) as one,
        open_connection(cable.hosts[1].uri) as other,
    ):
        guest = libvirt.open(one.uri).defineXML(_guest(images))
        guest.create()
        wait_until(lambda: _has_written(guest), "the guest does not write")
        bare_hosts = [libvirt.open(each.uri) for each in (one, other)]
        stood_still: dict[str, list[int]] = {"bare": [], "ours": []}

        def bare() -> None:
            for source, target in (bare_hosts, bare_hosts[::-1]):
                stood_still["bare"].append(_bare_move(source, target))

        def ours() -> None:
            for source, target in ((one, other), (other, one)):
                stood_still["ours"].append(operations.migrate_domain(source, "moving", target).downtime or 0)

        yield Case("live migration", bare, ours, aim=1.05)
        if not stood_still["ours"]:
            return  # it was not measured
        was, is_now = (float(statistics.median(stood_still[side])) for side in ("bare", "ours"))
        yield Figure("its downtime", 1, len(stood_still["ours"]), was, is_now, aim=None)


def _bare_move(source: libvirt.virConnect, target: libvirt.virConnect) -> int:
    """Move it as ``virsh migrate --live --persistent --undefinesource`` does with --xml and --persistent-xml."""
    guest = source.lookupByName("moving")
    documents: dict[str, int | str | list[str]] = {
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: guest.XMLDesc(
            libvirt.VIR_DOMAIN_XML_MIGRATABLE | libvirt.VIR_DOMAIN_XML_SECURE
        ),
        libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: guest.XMLDesc(
            libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE
        ),
    }
    there = guest.migrate3(target, documents, _FLAGS)
    return int(there.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED)["downtime"])


def _has_written(guest: libvirt.virDomain) -> bool:
    return "deadbeef" in libvirt_qemu.qemuMonitorCommand(guest, f"xp /1wx {_LAST}", 1)


def _guest(images: Path) -> str:
    image = images / "moving.img"
    image.write_bytes((_CODE.ljust(0x30, b"\0") + _GDT).ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    return f"""<domain type='qemu'><name>moving</name><memory unit='MiB'>{MEMORY}</memory><vcpu>1</vcpu>
<os><type machine='q35'>hvm</type></os><cpu mode='custom' match='exact'><model>qemu64</model></cpu>
<devices><controller type='usb' model='none'/><disk type='file'><driver name='qemu' type='raw'/>
<source file='{image}'/><target dev='vda' bus='virtio'/><readonly/></disk></devices></domain>"""
