"""Disks and interfaces described in words: what is left out is as it is in create."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, attach_disk
from tests.libvirt.domains import domain_xml


@pytest.mark.parametrize(("machine", "cd"), [("q35", "sda"), ("pc", "hda")])
def test_device_without_a_bus_is_on_the_one_it_has_in_create(
    connection: Connection, tmp_path: Path, machine: str, cd: str
) -> None:
    connection.define(domain_xml(machine=machine))
    path = tmp_path / "floppy.img"
    path.write_bytes(bytes(1474560))
    floppy = DiskSpec(path=str(path), format="raw", device="floppy")
    assert attach_disk(connection, "a", floppy).label == "fda"
    assert attach_disk(connection, "a", DiskSpec(device="cdrom")).label == cd
