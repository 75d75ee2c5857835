"""Settings of a running guest, in its own word: it has what was asked for, all else is as before, and stays so."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import PartlyDone
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DomainSettings, DomainSpec, InterfaceSettings, InterfaceSpec, Topology
from holdfast.operations.disks.spec import DiskSpec
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.probe_image import ProbeImage
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, LIVE, places

MIB = 1024 * 1024
MAC = "52:54:00:aa:00:01"


@pytest.fixture
def guest(connection: Connection, uri: str, probe: ProbeImage, images: Path, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """A guest with one of two vCPUs online and slots for memory, which an editor put into its document."""
    root = DiskSpec(path=str(images / "root.img"), format="raw", copy_from=str(probe.disk), source_format="raw")
    interface = InterfaceSpec(kind="user", mac=MAC)
    spec = DomainSpec(memory=256 * MIB, disks=(root,), interfaces=(interface,), graphics="none")
    operations.create_domain(connection, "guest", spec)
    settings = DomainSettings(max_vcpus=2, vcpus=1, cpu_topology=Topology(cores=2))
    operations.set_domain(connection, "guest", settings)
    editor = images / "editor"
    numa = "<numa><cell id='0' cpus='0-1' memory='262144'/></numa>"
    slots = "<maxMemory slots='2' unit='MiB'>1024</maxMemory>"
    editor.write_text(f'#!/bin/sh\nsed -i "s:<topology [^>]*/>:&{numa}:; s:<memory unit:{slots}&:" "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("VISUAL", str(editor))
    assert "numa cell[0] memory is set to 256 MiB" in done(uri, "edit", "guest", "--accept")
    operations.start(connection, "guest")
    guest = Guest(connection.find_domain("guest"))
    guest.wait_for_boot()
    return guest


def rest(inventory: Inventory) -> Inventory:
    """What no setting of this test is about."""
    return replace(inventory, boot_id="", cpus=0, memory=0)


def carrier(inventory: Inventory) -> bool:
    interface = inventory.interface(MAC)
    assert interface is not None
    return interface.carrier


def test_guest_has_what_was_set_and_all_else_as_before(connection: Connection, guest: Guest) -> None:
    first = guest.wait_until(carrier)
    addresses = places(guest.domain, LIVE)
    assert first.cpus == 1

    operations.set_domain(connection, "guest", DomainSettings(vcpus=2, memory=192 * MIB))
    second = guest.wait_until(lambda seen: seen.cpus == 2 and seen.memory == first.memory - 64 * 1024)
    assert rest(second) == rest(first)

    operations.set_domain(connection, "guest", DomainSettings(max_memory=384 * MIB))
    third = guest.wait_until(lambda seen: seen.memory > second.memory + 100 * 1024)
    assert rest(third) == rest(first)

    operations.set_interface(connection, "guest", MAC, InterfaceSettings(link="down"))
    assert rest(guest.wait_until(lambda seen: not carrier(seen))) == rest(first)

    # The guest lets go of it at once. Emulated, QEMU (7.2) does not say so to libvirt, which waits and gives up.
    with contextlib.suppress(PartlyDone):
        operations.set_domain(connection, "guest", DomainSettings(vcpus=1))
    assert rest(guest.wait_until(lambda seen: seen.cpus == 1)) == rest(first)

    assert places(guest.domain, LIVE) == places(guest.domain, CONFIG)
    assert {name: place for name, place in places(guest.domain, LIVE).items() if name in addresses} == addresses
    changes = operations.reboot(connection, "guest", hard=True, accept=True).sees
    assert changes in ((), ("vcpu: current is 1, was 2",))
    guest.wait_for_boot()
    last = guest.wait_until(lambda seen: not carrier(seen) and abs(seen.memory - third.memory) < 8 * 1024)
    assert (rest(last), last.cpus) == (rest(first), 1)
    operations.set_interface(connection, "guest", MAC, InterfaceSettings(link="up"))
    assert guest.wait_until(carrier).pci == first.pci
