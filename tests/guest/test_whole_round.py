"""The whole life of a domain that virt-install made and Holdfast adopted: through every verb its hardware stays."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.compare.guest_view import compare
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DomainSettings
from holdfast.operations.disks.spec import DiskSpec, Place
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.probe_image import ProbeImage
from tests.guest.test_rescue import RESCUE, assert_all_there, rescue_system
from tests.libvirt.domains import CONFIG, LIVE, places

MIB = 1024 * 1024


def hardware(inventory: Inventory) -> Inventory:
    return replace(inventory, boot_id="")


def virt_install(uri: str, root: Path) -> None:
    """Make and start a domain as people do who have never heard of Holdfast."""
    command = ["virt-install", "--connect", uri, "--name", "guest", "--memory", "256", "--vcpus", "1,maxvcpus=2"]
    command += ["--import", "--disk", f"path={root},format=qcow2,bus=virtio", "--network", "user", "--graphics", "none"]
    command += ["--virt-type", "qemu", "--osinfo", "detect=off,require=off", "--noautoconsole"]
    subprocess.run(command, check=True, capture_output=True, text=True)


def test_hardware_of_an_adopted_domain_stays_through_its_whole_life(
    connection: Connection, uri: str, probe: ProbeImage, images: Path
) -> None:
    root = images / "root.qcow2"
    convert = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(probe.disk), str(root)]
    subprocess.run(convert, check=True)
    virt_install(uri, root)
    domain = connection.find_domain("guest")
    guest = Guest(domain)
    try:
        guest.wait_for_boot()
        made = domain.xml(CONFIG)
        operations.adopt_domain(connection, "guest")
        operations.seal_domain(connection, "guest")
        assert operations.attach_disk(
            connection, "guest", DiskSpec(path=str(images / "new.qcow2"), size=MIB, serial="new")
        ).address
        guest.wait_until(lambda inventory: inventory.disk("new"))
        operations.extend_disk(connection, "guest", "vdb", 2 * MIB)
        operations.move_disk(connection, "guest", "vdb", Place(path=str(images / "moved.raw"), format="raw"))
        operations.set_domain(connection, "guest", DomainSettings(title="adopted", vcpus=2))
        operations.reboot(connection, "guest", hard=True)
        guest.wait_for_boot()
        settled = guest.wait_until(lambda inventory: inventory.disk("new"))
        disk = settled.disk("new")
        assert disk is not None
        assert (disk.size, settled.cpus) == (2 * MIB, 2)
        document = domain.xml(CONFIG)
        old = {change.what for change in compare(made, document) if change.is_visible}
        assert all(what.startswith(("disk vdb", "vcpu", "controller pci")) for what in old), old

        operations.save_domain(connection, "guest")
        operations.restore_domain(connection, "guest")
        guest.close()  # its console is another QEMU's now
        assert guest.inventory() == settled

        operations.detach_device(connection, "guest", "vdb")
        operations.create_snapshot(connection, "guest", "before")
        without = guest.inventory()
        operations.attach_disk(
            connection, "guest", DiskSpec(path=str(images / "moved.raw"), format="raw", serial="new")
        )
        guest.wait_until(lambda inventory: inventory.disk("new"))
        operations.revert_to_snapshot(connection, "guest", "before", accept=True)
        guest.close()
        assert guest.inventory() == without
        operations.delete_snapshot(connection, "guest", "before")

        operations.rescue(connection, "guest", rescue_system(probe, images, "usb"), force=True)
        guest.wait_for_boot()
        assert RESCUE in guest.run("cat /proc/cmdline")
        assert_all_there(without, guest.wait_until(lambda found: len(found.disks) > len(without.disks)))
        operations.unrescue(connection, "guest")
        guest.wait_for_boot()
        guest.wait_until(lambda found: hardware(found) == hardware(without))
        assert places(domain, LIVE) == places(domain, CONFIG)
        operations.release_domain(connection, "guest")
    finally:
        guest.close()
