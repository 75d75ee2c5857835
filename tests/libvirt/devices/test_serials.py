"""Serials of any length: taken at every entrance, and it is said what the guest sees; refused where two look alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.errors.devices import TAKEN
from holdfast.errors.elements import SAME_SERIAL
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.images import qcow2
from tests.raising import raising

ONE, ALIKE, OTHER = (
    "0f6a1c52-3a4b-4c5d-9e8f-001122334455",
    "0f6a1c52-3a4b-4c5d-9e8f-0011223344aa",
    "7c6a1c52-3a4b-4c5d-9e8f-001122334455",
)
SAID = "of the serial of disk {} the guest sees the first 20 characters: {}"


def disk(folder: Path, target: str, serial: str) -> str:
    image = qcow2(folder, target)
    return (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        f"<target dev='{target}' bus='virtio'/><serial>{serial}</serial></disk>"
    )


def written(folder: Path, *serials: str) -> str:
    disks = "".join(disk(folder, f"vd{letter}", serial) for letter, serial in zip("ab", serials, strict=True))
    return domain_xml(ports=6, extra=disks)


def test_create_takes_long_serials_and_says_what_the_guest_sees(connection: Connection, tmp_path: Path) -> None:
    made = operations.create_domain_from_document(connection, written(tmp_path, ONE, OTHER))
    assert {SAID.format("vda", ONE[:20]), SAID.format("vdb", OTHER[:20])} <= set(made.notes)
    serials = parse(connection.find_domain("a").xml(CONFIG)).iterfind("devices/disk/serial")
    assert [serial.text for serial in serials] == [ONE, OTHER]


@pytest.mark.parametrize("dry_run", [True, False])
def test_create_refuses_two_that_the_guest_would_see_alike(
    connection: Connection, tmp_path: Path, dry_run: bool
) -> None:
    with raising(SAME_SERIAL, one="vda", other="vdb", serial=ONE[:20]):
        operations.create_domain_from_document(connection, written(tmp_path, ONE, ALIKE), dry_run=dry_run)
    assert connection.domains() == []


def test_what_libvirt_has_taken_already_is_taken_as_it_is(connection: Connection, tmp_path: Path) -> None:
    connection.define(written(tmp_path, ONE, ALIKE))
    original = operations.text_to_edit(connection, "a")
    edited = original.replace("<memory ", "<title>x</title><memory ", 1)
    assert operations.edit_domain(connection, "a", original, edited).edited


def test_attach_says_what_the_guest_sees_and_refuses_one_that_looks_alike(
    connection: Connection, tmp_path: Path
) -> None:
    connection.define(domain_xml(ports=6, extra=disk(tmp_path, "vda", ONE)))
    with raising(TAKEN, what=f"the serial {ONE[:20]}, of which the guest sees no more,"):
        operations.attach_device(connection, "a", disk(tmp_path, "vdb", ALIKE))
    attached = operations.attach_device(connection, "a", disk(tmp_path, "vdb", OTHER))
    assert SAID.format("vdb", OTHER[:20]) in attached.notes


def test_edit_refuses_two_that_the_guest_would_see_alike_from_then_on(connection: Connection, tmp_path: Path) -> None:
    connection.define(written(tmp_path, ONE, OTHER))
    original = operations.text_to_edit(connection, "a")
    with raising(SAME_SERIAL, one="vda", other="vdb"):
        operations.edit_domain(connection, "a", original, original.replace(OTHER, ALIKE), accept=True)
    assert OTHER in connection.find_domain("a").xml(CONFIG)
