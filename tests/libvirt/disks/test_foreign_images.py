"""Images that somebody else made: none is opened, copied or attached whose header names files that nobody knows of."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import NotFound, images
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.errors.files import ANOTHER_FILE
from holdfast.hostfiles.images.header import FORMATS
from holdfast.hostfiles.images.image import check_format
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec
from tests.libvirt.commands import done, run
from tests.libvirt.disks.foreign import MIB, SECRET, create, evil_vmdk, qemu_img, secret
from tests.libvirt.domains import domain_xml
from tests.libvirt.images import create_image, mark_of, qcow2, qcow2_disk, write
from tests.libvirt.state.states import uefi_xml
from tests.raising import raising


def formats_of_qemu() -> list[str]:
    # In one line (QEMU 7.2), or in several below an empty one (10.0).
    found = re.search(r"^Supported (?:image )?formats:\s+(.*?)$(?=\n\n)", qemu_img("--help"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1].split()


def options_of(format: str) -> str:
    asked = subprocess.run(["qemu-img", "create", "-f", format, "-o", "help"], capture_output=True, text=True)
    return asked.stdout


@pytest.mark.parametrize("format", formats_of_qemu())
def test_each_format_of_this_qemu_is_checked_or_refused(tmp_path: Path, format: str) -> None:
    base, path = tmp_path / "base", str(tmp_path / "image")
    create_image(str(base), "raw", MIB)
    if format not in FORMATS:
        base.rename(path)
        for trust in (False, True):
            with raising(UNKNOWN_WORD, word=format):
                check_format(path, format, trust)
        return
    options = options_of(format)
    if "backing_file=" in options:
        below = base if format != "vmdk" else tmp_path / "base.vmdk"
        if format == "vmdk":
            create_image(str(below), "vmdk", MIB)
        states = ["-F", "raw" if below == base else "vmdk"] if "backing_fmt=" in options else ["-u"]
        qemu_img("create", "-q", "-f", format, "-b", str(below), *states, path, str(MIB))
        with raising(images.NAMES_ANOTHER_FILE, images.BACKING_FORMAT_NOT_STATED):
            check_format(path, format)
        Path(path).unlink()
    if "data_file=" in options:
        qemu_img("create", "-q", "-f", format, "-o", f"data_file={tmp_path}/data", path, str(MIB))
        with raising(images.NAMES_ANOTHER_FILE, other=f"{tmp_path}/data"):
            check_format(path, format)
        Path(path).unlink()
    if options and format != "luks":
        create_image(path, format, MIB)
        check_format(path, format)


def test_each_kind_of_vmdk_is_refused_that_has_its_data_in_other_files(tmp_path: Path) -> None:
    found = re.search(r"subformat=.*\{(.*)\}", options_of("vmdk"))
    assert found is not None
    for kind in (each.split()[0] for each in found[1].split("|")):
        path = tmp_path / f"{kind}.vmdk"
        qemu_img("create", "-q", "-f", "vmdk", "-o", f"subformat={kind}", str(path), str(MIB))
        said = json.loads(qemu_img("info", "--output=json", str(path)))
        extents = {each["filename"] for each in said["format-specific"]["data"]["extents"]}
        if extents == {str(path)}:
            check_format(str(path), "vmdk")
        else:
            with raising(images.NAMES_ANOTHER_FILE):
                check_format(str(path), "vmdk")


def with_qed_backing(folder: Path) -> tuple[str, str]:
    path = str(folder / "evil.qed")
    qemu_img("create", "-q", "-f", "qed", "-b", str(secret(folder)), "-F", "raw", path)
    return path, "qed"


def with_data_file(folder: Path) -> tuple[str, str]:
    path = str(folder / "evil.qcow2")
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={folder}/data", path, "1M")
    return path, "qcow2"


EVIL: dict[str, Callable[[Path], tuple[str, str]]] = {
    "vmdk": lambda folder: (str(evil_vmdk(folder)), "vmdk"),
    "qed": with_qed_backing,
    "data file": with_data_file,
}


@pytest.mark.parametrize("kind", EVIL)
def test_no_way_leads_from_a_foreign_image_to_a_file_of_the_host(
    connection: Connection, tmp_path: Path, kind: str
) -> None:
    evil, format = EVIL[kind](tmp_path)
    new = str(tmp_path / "new")
    for disk in (
        DiskSpec(path=new, copy_from=evil, source_format=format),
        DiskSpec(path=new, overlay_of=evil, source_format=format),
        DiskSpec(path=evil, format=format),
    ):
        with raising(images.NAMES_ANOTHER_FILE, path=evil):
            create(connection, disk)
    cd = "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
    good = qcow2(tmp_path, "good")
    connection.define(domain_xml(extra=qcow2_disk(good) + cd))
    xml = f"<disk type='file'><driver type='{format}'/><source file='{evil}'/><target dev='vdb'/></disk>"
    for act in (
        lambda: operations.attach_disk(connection, "a", DiskSpec(path=evil, format=format)),
        lambda: operations.attach_disk(connection, "a", DiskSpec(path=new, copy_from=evil, source_format=format)),
        lambda: operations.attach_device(connection, "a", xml),
        lambda: operations.swap_disk(connection, "a", "vda", DiskSpec(path=evil, format=format)),
        lambda: operations.swap_disk(connection, "a", "vda", DiskSpec(path=evil, format=format), copy_content=True),
        lambda: operations.insert_medium(connection, "a", "sda", DiskSpec(path=evil, format=format, device="cdrom")),
        lambda: operations.rescue(connection, "a", DiskSpec(path=evil, format=format)),
        lambda: operations.create_domain_from_document(connection, domain_xml("b", extra=xml)),
    ):
        with raising(images.NAMES_ANOTHER_FILE, path=evil):
            act()
    assert not Path(new).exists()
    with pytest.raises(NotFound):
        connection.find_domain("b")


def test_the_case_of_the_issue_exits_with_3_and_makes_nothing(connection: Connection, uri: str, tmp_path: Path) -> None:
    disk = f"path={tmp_path}/new,copy-from={evil_vmdk(tmp_path)},source-format=vmdk"
    refused = run(uri, "create", "a", "--memory", "64MiB", "--disk", disk)
    assert refused.exit_code == 3 and str(tmp_path / "secret") in refused.stderr, refused.output
    assert not (tmp_path / "new").exists()
    done(uri, "create", "a", "--memory", "64MiB", "--disk", f"{disk},trust-format")
    assert SECRET[:20] in (tmp_path / "new").read_bytes()


def test_a_format_that_names_files_is_refused_where_its_header_cannot_be_read(connection: Connection) -> None:
    url = DiskSpec(source="nbd://localhost/export", format="qcow2")
    with raising(images.UNCHECKED_HEADER, stated="qcow2", place="nbd://localhost:10809/export"):
        create(connection, url)
    create(connection, DiskSpec(source="nbd://localhost/export", format="raw"))


EXCHANGING = """#!/bin/sh
ln -sfn "{evil}" "{link}"
exec "{qemu_img}" "$@"
"""


@pytest.mark.parametrize("way", ["copy_from", "overlay_of"])
def test_a_link_that_is_exchanged_after_the_look_changes_nothing(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    good, link = qcow2(tmp_path, "good", 7), tmp_path / "link"
    evil = tmp_path / "evil"
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(secret(tmp_path)), "-F", "raw", str(evil), "8M")
    link.symlink_to(good)
    program = tmp_path / "bin" / "qemu-img"
    program.parent.mkdir()
    real = subprocess.run(["which", "qemu-img"], check=True, capture_output=True, text=True).stdout.strip()
    program.write_text(EXCHANGING.format(evil=evil, link=link, qemu_img=real))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    new = tmp_path / "new"
    if way == "copy_from":
        create(connection, DiskSpec(path=str(new), copy_from=str(link), source_format="qcow2"))
    else:
        create(connection, DiskSpec(path=str(new), overlay_of=str(link), source_format="qcow2"))
    assert link.readlink() == evil
    if way == "copy_from":
        assert mark_of(new) == 7
    assert json.loads(qemu_img("info", "-U", "--output=json", str(new)))["virtual-size"] == MIB


def test_disks_are_brought_back_through_the_header_that_was_looked_at(connection: Connection, tmp_path: Path) -> None:
    base, top = qcow2(tmp_path, "base", 1), tmp_path / "top"
    create(connection, DiskSpec(path=str(top), overlay_of=str(base), source_format="qcow2"))
    operations.create_snapshot(connection, "a", "one")
    write(top, 2)
    operations.revert_to_snapshot(connection, "a", "one", disks_only=True)
    assert mark_of(top) == 1
    qemu_img("rebase", "-u", "-b", "/etc/hostname", "-F", "raw", str(top))
    with raising(images.NAMES_ANOTHER_NOW, other="/etc/hostname"):
        operations.revert_to_snapshot(connection, "a", "one", disks_only=True)


def test_a_new_file_that_is_exchanged_is_not_written_through(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write to the folder puts a link in the place of the file that was just made."""
    new, victim = tmp_path / "new", secret(tmp_path)
    program = tmp_path / "bin" / "qemu-img"
    program.parent.mkdir()
    real = subprocess.run(["which", "qemu-img"], check=True, capture_output=True, text=True).stdout.strip()
    program.write_text(EXCHANGING.format(evil=victim, link=new, qemu_img=real))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    with raising(ANOTHER_FILE, path=new):
        create(connection, DiskSpec(path=str(new), size=4 * MIB))
    assert victim.read_bytes() == SECRET
    assert not connection.domains()


def test_a_folder_that_others_can_write_to_is_named(connection: Connection, uri: str, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    image = qcow2(folder, "image")
    disk = f"path={image},format=qcow2"
    command = ("create", "a", "--memory", "64MiB", "--disk", disk)
    assert "can write to" not in run(uri, *command, "--dry-run").output
    folder.chmod(0o1777)
    for dry_run in (["--dry-run"], []):
        assert f"everybody can write to a folder of {image}" in run(uri, *command, *dry_run).output
    more = f"path={qcow2(folder, 'more')},format=qcow2"
    for dry_run in (["--dry-run"], []):
        assert "everybody can write to" in run(uri, "disk", "attach", "a", more, *dry_run).output
    other = f"path={qcow2(folder, 'other')},format=qcow2"
    for dry_run in (["--dry-run"], []):
        assert "everybody can write to" in run(uri, "disk", "swap", "a", "vda", other, *dry_run).output
        assert "everybody can write to" in run(uri, "disk", "move", "a", "vdb", f"path={folder}/moved", *dry_run).output
        nvram = tmp_path / "uefi.xml"
        nvram.write_text(uefi_xml("b", folder / "vars.fd"))
        said = run(uri, "create", "b", "--from-xml", str(nvram), *dry_run).output
        assert f"everybody can write to a folder of {folder}/vars.fd" in said, said
        snapshot = ("snapshot", "create", "a", "s", "--external", "--folder", str(folder), "--without", "vdb")
        said = run(uri, *snapshot, *dry_run).output
        assert f"everybody can write to a folder of {folder}/a-vda.s.qcow2" in said, said
