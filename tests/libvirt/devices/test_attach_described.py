"""Disks and interfaces described in words: what is left out is as it is in create."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, parse, remove_children, same
from holdfast.errors import devices, images
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, InterfaceSpec, attach_device, attach_disk, attach_interface
from holdfast.operations.devices.attach import Attached
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running
from tests.raising import raising

MIB = 1024 * 1024


def new_image(folder: Path) -> DiskSpec:
    return DiskSpec(path=str(folder / "new.qcow2"), size=MIB)


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


@pytest.mark.parametrize("device", ["disk", "new image", "interface", "rng"])
def test_dry_run_promises_what_the_attach_does_and_nothing_that_is_chosen_at_random(
    connection: Connection, tmp_path: Path, device: str
) -> None:
    running(connection, "a")

    def attach(dry_run: bool) -> Attached:
        if device == "disk":
            return attach_device(connection, "a", disk_xml(tmp_path, "one"), dry_run=dry_run)
        if device == "new image":
            return attach_disk(connection, "a", new_image(tmp_path), dry_run=dry_run)
        if device == "interface":
            return attach_interface(connection, "a", InterfaceSpec(kind="user"), dry_run=dry_run)
        rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
        return attach_device(connection, "a", rng, dry_run=dry_run)

    promised = attach(dry_run=True)
    asked = parse(promised.device)
    assert (promised.dry_run, promised.asked_of_libvirt, user_alias(asked)) == (True, True, None)
    assert asked.find("mac") is None and asked.find("serial") is None
    assert "new.qcow2" not in {path.name for path in tmp_path.iterdir()}
    attached = attach(dry_run=False)
    assert attached.definitions == promised.definitions == (LIVE, CONFIG)
    assert attached.address == promised.address is not None
    assert same(without_what_is_chosen(parse(attached.device)), without_what_is_chosen(asked))


def without_what_is_chosen(device: Element) -> Element:
    """The device without what is chosen at random."""
    for name in ("alias", "mac", "serial"):
        remove_children(device, name)
    return device


def test_dry_run_of_a_new_image_is_refused_as_the_attach_is(connection: Connection, tmp_path: Path) -> None:
    running(connection, "a", ports=1, extra=disk_xml(tmp_path, "one", "vda"))
    at_vda = replace(new_image(tmp_path), target="vda")
    for dry_run in (True, False):
        with raising(devices.NO_FREE_PLACE):
            attach_disk(connection, "a", new_image(tmp_path), dry_run=dry_run)
        with raising(devices.TAKEN, what="the target vda"):
            attach_disk(connection, "a", at_vda, config_only=True, dry_run=dry_run)
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "x", "vda").replace("x.img", "new.qcow2")))
    for dry_run in (True, False):
        with raising(images.IN_USE, user="b"):
            attach_disk(connection, "a", new_image(tmp_path), config_only=True, dry_run=dry_run)
    assert not (tmp_path / "new.qcow2").exists()
