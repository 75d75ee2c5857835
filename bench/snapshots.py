"""Saved memory and snapshots, on two domains of 64 MiB with a small qcow2 image.

They are paused, so that neither side's guest takes the other's time, but for external snapshots, which need it running.
"""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection

OURS, BARE = "snapshots-ours", "snapshots-bare"


def snapshot_cases(bare: libvirt.virConnect, ours: Connection, folder: Path) -> Iterator[Case]:
    """Each verb beside its one call; the two domains are gone at the end."""
    domains = {name: _define(bare, folder, name) for name in (OURS, BARE)}
    for domain in domains.values():
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    bare_domain = domains[BARE]

    def bare_save() -> None:
        bare_domain.managedSave(0)
        bare_domain.create()  # paused, as it was saved

    def save() -> None:
        operations.save_domain(ours, OURS)
        operations.restore_domain(ours, OURS)

    yield Case("save and restore", bare_save, save, aim=1.1)
    names = (f"s{number}" for number in itertools.count())
    current = ""

    def next_name() -> None:
        nonlocal current
        current = next(names)

    def bare_create(external: bool = False) -> None:
        memory = f"<memory snapshot='external' file='{folder}/bare.{current}.save'/>" if external else ""
        disks = f"<disks><disk name='vda'><source file='{folder}/bare.{current}'/></disk></disks>" if external else ""
        bare_domain.snapshotCreateXML(f"<domainsnapshot><name>{current}</name>{memory}{disks}</domainsnapshot>")

    def create(external: bool = False) -> None:
        operations.create_snapshot(ours, OURS, current, external=external)

    def bare_delete() -> None:
        bare_domain.snapshotLookupByName(current).delete()

    def delete() -> None:
        operations.delete_snapshot(ours, OURS, current)

    def bare_revert() -> None:
        bare_domain.revertToSnapshot(bare_domain.snapshotLookupByName(current))

    def revert() -> None:
        operations.revert_to_snapshot(ours, OURS, current)

    def delete_both() -> None:
        bare_delete()
        delete()

    def both_external() -> None:
        next_name()
        bare_create(external=True)
        create(external=True)

    yield Case("snapshot, internal", bare_create, create, before=next_name, after=delete_both)
    next_name()
    bare_create()
    create()
    yield Case("snapshot revert", bare_revert, revert, aim=1.1)
    delete_both()
    for domain in domains.values():
        domain.resume()
    yield Case(
        "snapshot, external",
        lambda: bare_create(external=True),
        lambda: create(external=True),
        before=next_name,
        after=delete_both,
    )
    yield Case("snapshot merge", bare_delete, delete, before=both_external)
    for domain in domains.values():
        domain.destroy()
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


def _define(bare: libvirt.virConnect, folder: Path, name: str) -> libvirt.virDomain:
    image = folder / f"{name}.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "1M"], check=True)
    return bare.defineXML(
        f"<domain type='qemu'><name>{name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>"
        "<os><type machine='q35'>hvm</type></os><features><acpi/></features><devices>"
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk><memballoon model='virtio'/></devices></domain>"
    )
