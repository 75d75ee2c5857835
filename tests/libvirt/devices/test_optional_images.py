"""A disk whose startupPolicy lets libvirt start without its image is judged so everywhere (libvirt 9.0)."""

from __future__ import annotations

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.errors import creation, images
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.report import FindingKind
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, running
from tests.raising import raising

DISK = "<disk type='file' device='{}'><source file='/nowhere/a' startupPolicy='{}'/><target dev='{}' bus='{}'/></disk>"
OPTIONAL = [
    DISK.format("cdrom", "optional", "sda", "sata"),
    DISK.format("floppy", "optional", "fda", "fdc"),
    DISK.format("disk", "optional", "vda", "virtio"),
]


def stops(connection: Connection) -> bool:
    """True where plan and audit both say that the domain "a" would not start; they never differ."""
    planned = any(outlook.stops for outlook in operations.plan_reboot(connection, "a").outlooks)
    findings = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    assert planned == any(finding.kind is FindingKind.WOULD_NOT_START for finding in findings)
    return planned


@pytest.mark.parametrize("disk", OPTIONAL)
def test_a_disk_that_may_lack_its_image_is_attached_and_the_domain_starts(connection: Connection, disk: str) -> None:
    domain = connection.define(domain_xml(machine="pc"))
    for dry_run in (True, False):
        operations.attach_device(connection, "a", disk, dry_run=dry_run)
    assert not stops(connection)
    assert operations.repair_domain(connection, "a").remains == () and domain.is_active()
    assert "/nowhere/a" in domain.xml(CONFIG) and "/nowhere/a" not in domain.xml(LIVE)


@pytest.mark.parametrize("policy", ["requisite", "mandatory"])
def test_a_disk_that_a_cold_start_needs_is_not_attached_without_its_image(connection: Connection, policy: str) -> None:
    disk = DISK.format("cdrom", policy, "sda", "sata")
    domain = connection.define(domain_xml())
    with raising(images.NO_IMAGE):
        operations.attach_device(connection, "a", disk)
    domain.attach(disk, CONFIG)
    assert stops(connection)


def test_a_running_domain_takes_no_disk_without_its_image(connection: Connection) -> None:
    domain = running(connection, extra="<controller type='scsi' model='virtio-scsi'/>")
    before = domain.xml(CONFIG)
    disk = DISK.format("cdrom", "optional", "sdb", "scsi")
    for dry_run in (True, False):
        with raising(images.NO_IMAGE):
            operations.attach_device(connection, "a", disk, dry_run=dry_run)
    assert domain.xml(CONFIG) == before
    operations.attach_device(connection, "a", disk, config_only=True)


def test_a_domain_with_an_optional_disk_is_created_and_started(connection: Connection) -> None:
    text = domain_xml(machine="pc", extra="".join(f.replace("/a'", f"/{n}'") for n, f in enumerate(OPTIONAL)))
    made = operations.create_domain_from_document(connection, text, start=True)
    drives = [note for note in made.notes if "starts with an empty drive" in note]
    assert (made.started, len(drives)) == (True, 2)
    assert any("vda is optional, and the domain starts without the disk" in note for note in made.notes)
    assert parse(connection.find_domain("a").xml(LIVE)).find("devices/disk[@device='disk']") is None


def test_a_domain_with_a_disk_that_a_start_needs_is_not_started(connection: Connection) -> None:
    text = domain_xml(extra=DISK.format("cdrom", "requisite", "sda", "sata"))
    with raising(creation.NO_IMAGE_TO_START):
        operations.create_domain_from_document(connection, text, start=True)
    made = operations.create_domain_from_document(connection, text)
    assert any("make it before the first start" in note for note in made.notes)
