"""What starts a domain looks at the headers of its images again: they name what is known, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Below
from holdfast.domainxml.metadata import facts
from holdfast.errors import images
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, FindingKind
from tests.libvirt.commands import done
from tests.libvirt.disks.foreign import MIB, create, evil_vmdk, qemu_img, secret
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.images import create_image, qcow2, qcow2_disk
from tests.raising import raising


def test_what_was_overlaid_starts_until_its_header_names_another_file(connection: Connection, tmp_path: Path) -> None:
    base, top = qcow2(tmp_path, "base"), tmp_path / "top"
    create(connection, DiskSpec(path=str(top), overlay_of=str(base), source_format="qcow2"))
    assert operations.start(connection, "a", paused=True).notes == ()
    operations.destroy(connection, "a")
    qemu_img("rebase", "-u", "-b", str(secret(tmp_path)), "-F", "raw", str(top))
    for dry_run in (True, False):
        with raising(images.NAMES_ANOTHER_NOW, path=top, other=f"{tmp_path}/secret"):
            operations.start(connection, "a", dry_run=dry_run)
    assert len(would_not_start(connection)) == 3
    operations.adopt_domain(connection, "a")
    assert would_not_start(connection) == []
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    qemu_img("rebase", "-u", "-b", str(base), "-F", "qcow2", str(top))
    qemu_img("rebase", "-u", "-b", "/etc/hostname", "-F", "raw", str(base))
    with raising(images.NAMES_ANOTHER_NOW, path=base, other="/etc/hostname"):
        operations.start(connection, "a")


def would_not_start(connection: Connection) -> list[str]:
    """What plan, plan host and audit say is in the way of a start of the domain "a"."""
    plans = [operations.plan_reboot(connection, "a"), *operations.plan_host(connection)]
    found = operations.audit_host(connection).domains
    return [
        *(str(outlook) for plan in plans for outlook in plan.outlooks if outlook.stops),
        *(each.sentence for report in found for each in report.findings if each.kind is FindingKind.WOULD_NOT_START),
    ]


@pytest.mark.parametrize("verb", ["reboot", "rescue", "resume_host", "unrescue", "restore", "revert"])
def test_whatever_starts_a_domain_looks(connection: Connection, tmp_path: Path, verb: str) -> None:
    root, medium = qcow2(tmp_path, "root"), qcow2(tmp_path, "medium")
    create(connection, DiskSpec(path=str(root), format="qcow2"), start=verb in ("reboot", "restore"))
    if verb == "unrescue":
        operations.rescue(connection, "a", DiskSpec(path=str(medium), format="qcow2"))
    if verb == "restore":
        operations.save_domain(connection, "a")
    if verb == "revert":
        operations.create_snapshot(connection, "a", "one")
    if verb == "resume_host":
        connection.find_domain("a")._handle.setAutostart(1)
    header = bytearray(root.read_bytes()[:104])
    header[8:20] = (0x300).to_bytes(8, "big") + len("/etc/hostname").to_bytes(4, "big")
    with root.open("r+b") as file:  # QEMU's lock keeps qemu-img off
        file.write(header)
        file.seek(int.from_bytes(header[100:104], "big"))
        file.write(bytes.fromhex("e2792aca00000003") + b"raw".ljust(8, b"\0") + bytes(8))
        file.seek(0x300)
        file.write(b"/etc/hostname")
    if verb == "resume_host":
        (resumed,) = operations.resume_host(connection)
        assert resumed.error is not None and resumed.error.code == images.NAMES_ANOTHER_NOW.code
        return
    acts: dict[str, Callable[[], object]] = {
        "reboot": lambda: operations.reboot(connection, "a", hard=True),
        "rescue": lambda: operations.rescue(connection, "a", DiskSpec(path=str(medium), format="qcow2")),
        "unrescue": lambda: operations.unrescue(connection, "a", start=True),
        "restore": lambda: operations.restore_domain(connection, "a"),
        "revert": lambda: operations.revert_to_snapshot(connection, "a", "one"),
    }
    with pytest.raises(Exception) as refused:
        acts[verb]()
    assert "/etc/hostname" in str(refused.value)


def test_what_was_trusted_starts_and_nothing_else(connection: Connection, tmp_path: Path) -> None:
    base, top = qcow2(tmp_path, "base"), tmp_path / "top"
    qemu_img("create", "-q", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", str(top))
    with raising(images.NAMES_ANOTHER_FILE):
        create(connection, DiskSpec(path=str(top), format="qcow2"))
    create(connection, DiskSpec(path=str(top), format="qcow2", trust_format=True), start=True)
    operations.destroy(connection, "a")
    assert facts(parse(connection.find_domain("a").xml(CONFIG)), Below) == [Below(str(base))]
    qemu_img("rebase", "-u", "-b", "/etc/hostname", "-F", "raw", str(top))
    with raising(images.NAMES_ANOTHER_NOW):
        operations.start(connection, "a")


def test_a_trusted_disk_that_is_attached_starts(connection: Connection, tmp_path: Path) -> None:
    root, base, top = qcow2(tmp_path, "root"), qcow2(tmp_path, "base"), tmp_path / "top"
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(top))
    create(connection, DiskSpec(path=str(root), format="qcow2"))
    operations.attach_disk(connection, "a", DiskSpec(path=str(top), format="qcow2", trust_format=True))
    operations.start(connection, "a", paused=True)


@pytest.mark.parametrize("name", ["nbd://localhost/disk", 'json:{"driver":"raw","file":{"driver":"nbd","path":"/x"}}'])
def test_what_was_trusted_and_is_no_file_is_known_too(connection: Connection, tmp_path: Path, name: str) -> None:
    root, top = qcow2(tmp_path, "root"), tmp_path / "top"
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", name, "-F", "raw", str(top), "1M")
    create(connection, DiskSpec(path=str(root), format="qcow2"))
    operations.attach_disk(connection, "a", DiskSpec(path=str(top), format="qcow2", trust_format=True))
    operations.start(connection, "a", dry_run=True)
    with raising(images.RESTS_ELSEWHERE, other=name):
        operations.extend_disk(connection, "a", "vdb", 2 * MIB)
    qemu_img("rebase", "-u", "-b", "nbd://localhost/other", "-F", "raw", str(top))
    with raising(images.NAMES_ANOTHER_NOW, other="nbd://localhost/other"):
        operations.start(connection, "a", dry_run=True)


def test_a_trusted_name_that_no_document_can_hold_is_attached_and_not_recorded(
    connection: Connection, tmp_path: Path
) -> None:
    root, top = qcow2(tmp_path, "root"), tmp_path / "top"
    qemu_img("create", "-q", "-f", "qcow2", "-u", "-b", f"{tmp_path}/\x01", "-F", "raw", str(top), "1M")
    create(connection, DiskSpec(path=str(root), format="qcow2"))
    operations.attach_disk(connection, "a", DiskSpec(path=str(top), format="qcow2", trust_format=True))
    operations.adopt_domain(connection, "a")
    with raising(images.NAMES_ANOTHER_NOW):
        operations.start(connection, "a", dry_run=True)


def test_no_start_takes_a_header_that_is_not_seen_through(connection: Connection, tmp_path: Path) -> None:
    """QEMU takes what bears no mark for the description of a vmdk image, and reads zeros behind the end of a file."""
    extent = evil_vmdk(tmp_path).read_text().partition("\n")[2].replace("version=1", "version=9")
    cut = b"QFI\xfb\0\0\0\2" + (72).to_bytes(8, "big") + (99).to_bytes(4, "big")
    for format, content, refused in (
        ("vmdk", f"# no mark\n{extent}".encode(), images.NOT_OF_FORMAT),
        ("vmdk", f"conectix\n{extent}".encode(), images.ANOTHER_FORMAT),
        ("qcow2", cut.ljust(72, b"\0") + str(secret(tmp_path)).encode(), images.HEADER_DAMAGED),
        ("qcow2", cut[:12], images.HEADER_CUT_OFF),
    ):
        image = tmp_path / f"image.{format}"
        create_image(str(image), format, MIB)
        create(connection, DiskSpec(path=str(image), format=format))
        operations.start(connection, "a", dry_run=True)
        image.write_bytes(content)
        with raising(refused, path=image):
            operations.start(connection, "a", dry_run=True)
        connection.find_domain("a").undefine()
        image.unlink()


@pytest.mark.parametrize("made", ["running", "shut off"])
@pytest.mark.parametrize("deleted", ["running", "shut off"])
def test_what_our_snapshots_made_starts_however_they_are_deleted(
    connection: Connection, tmp_path: Path, made: str, deleted: str
) -> None:
    root = qcow2(tmp_path, "root")
    create(connection, DiskSpec(path=str(root), format="qcow2"), start=made == "running")
    for name in ("one", "two", "three"):
        operations.create_snapshot(connection, "a", name, external=True, memory=False)
    if made != deleted:
        operations.start(connection, "a") if deleted == "running" else operations.destroy(connection, "a")
    operations.delete_snapshot(connection, "a", "one" if deleted == "running" else "three")
    if deleted == "running":
        operations.destroy(connection, "a")
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    operations.extend_disk(connection, "a", "vda", 2 * MIB)


def test_a_snapshot_that_virsh_made_is_known(connection: Connection, tmp_path: Path) -> None:
    root = qcow2(tmp_path, "root")
    create(connection, DiskSpec(path=str(root), format="qcow2"))
    handle = connection.find_domain("a")._handle
    disk = f"<disk name='vda' snapshot='external'><source file='{tmp_path}/over'/></disk>"
    handle.snapshotCreateXML(f"<domainsnapshot><name>s</name><disks>{disk}</disks></domainsnapshot>", 16)
    operations.start(connection, "a", paused=True)


def test_of_a_domain_without_records_nothing_is_compared(connection: Connection, tmp_path: Path) -> None:
    base, top = qcow2(tmp_path, "base"), tmp_path / "top.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(top))
    connection.define(domain_xml(extra=qcow2_disk(top)))
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    operations.extend_disk(connection, "a", "vda", 2 * MIB)
    operations.adopt_domain(connection, "a")
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    qemu_img("rebase", "-u", "-b", "/etc/hostname", "-F", "raw", str(top))
    with raising(images.NAMES_ANOTHER_NOW):
        operations.start(connection, "a")
    for act in (
        lambda: operations.extend_disk(connection, "a", "vda", 3 * MIB),
        lambda: operations.clone_domain(connection, "a", "b"),
        lambda: operations.move_disk(connection, "a", "vda", operations.Place(path=str(tmp_path / "moved"))),
    ):
        with raising(images.NAMES_ANOTHER_NOW, other="/etc/hostname"):
            act()


def test_a_header_that_cannot_be_read_is_named_and_stops_nothing(
    connection: Connection, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = qcow2(tmp_path, "root")
    create(connection, DiskSpec(path=str(root), format="qcow2"))
    real = os.open

    def denied(path: str, *rest: int, **named: int) -> int:
        if str(path) == str(root):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "open", denied)
    assert (
        f"note: the files that the header of {root} names were not checked: this user may not read the image"
        in done(uri, "start", "--paused", "a")
    )
