"""Devices that no domain is given: what is no device at all, and images that are not there, disguised, or another's."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.errors import Condition, HoldfastError, devices, documents, images
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.devices.attach import attach_device
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running, text_of
from tests.raising import raising


@pytest.mark.parametrize(
    ("device", "condition"),
    [
        ("<disk", documents.NOT_WELL_FORMED),
        ("", documents.NOT_WELL_FORMED),
        ("<domain/>", documents.NOT_ONE_DEVICE),
        ("<nosuch/>", documents.UNKNOWN_DEVICE),
        ("<Disk/>", documents.UNKNOWN_DEVICE),
        ("<emulator>/usr/bin/true</emulator>", documents.UNKNOWN_DEVICE),
        ("<disk type='file'><source file='/nonexistent/x.img'/></disk>", images.NO_IMAGE),
        ("<interface type='network'><source network='nosuch'/></interface>", devices.LIVE_REFUSES),
    ],
)
def test_bad_device_is_one_sentence_and_changes_nothing(
    connection: Connection, device: str, condition: Condition[HoldfastError]
) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with raising(condition) as raised:
        attach_device(connection, "a", device)
    assert "\n" not in raised.value.message
    assert (text_of(domain, CONFIG), text_of(domain, LIVE)) == before


def test_image_of_another_domain_is_refused(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml("other", extra=disk_xml(tmp_path, "one", "vda")))
    link = tmp_path / "link.img"
    link.symlink_to(tmp_path / "one.img")
    domain = running(connection)
    before = domain.xml(CONFIG)
    for path in ("one.img", "link.img"):
        with raising(images.IN_USE, user="other"):
            attach_device(connection, "a", disk_xml(tmp_path, "one").replace("one.img", path))
    assert domain.xml(CONFIG) == before
    readonly = disk_xml(tmp_path, "one", extra="<readonly/>")
    with raising(images.IN_USE, user="other"):
        attach_device(connection, "a", readonly.replace("<readonly/>", ""))


def test_qcow2_behind_raw_is_refused(connection: Connection, tmp_path: Path) -> None:
    running(connection)
    xml = disk_xml(tmp_path, "one")
    (tmp_path / "one.img").write_bytes(b"QFI\xfb\0\0\0\3" + bytes(1024))
    with raising(images.NOT_RAW, found="qcow2"):
        attach_device(connection, "a", xml)
