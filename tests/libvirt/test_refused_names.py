"""Names and paths that nothing new gets: libvirt does not keep a line break, and "-h" is an option to every program."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors.disk_spec import CONTROL_CHARACTERS, VOLUME_LIKE_OPTION
from holdfast.errors.documents import BREAK_IN_ATTRIBUTE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, Place
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising

CD = "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
CREATE = ["create", "--memory", "64MiB", "--graphics", "none"]
NAMING = {
    "create": [*CREATE, "--", "{}"],
    "create --from-xml": ["create", "--from-xml", "{folder}/b.xml", "--", "{}"],
    "clone": ["clone", "--", "a", "{}"],
    "rename": ["rename", "--", "a", "{}"],
}
"""The commands that give a name to a domain."""

PATHS = {
    "create with a new disk": [*CREATE, "b", "--disk", "path={},size=1MiB"],
    "create with a disk": [*CREATE, "b", "--disk", "path={},format=qcow2"],
    "create of a copy": [*CREATE, "b", "--disk", "path={folder}/new,copy-from={},source-format=qcow2"],
    "create of an overlay": [*CREATE, "b", "--disk", "path={folder}/new,overlay-of={},source-format=qcow2"],
    "create with a CD": [*CREATE, "b", "--cdrom", "{}"],
    "attach a new disk": ["disk attach", "a", "path={},size=1MiB"],
    "attach a disk": ["disk attach", "a", "path={},format=qcow2"],
    "move": ["disk move", "a", "vda", "{}"],
    "swap": ["disk swap", "a", "vda", "path={},format=qcow2", "--accept"],
    "insert": ["disk media insert", "a", "sda", "{}"],
    "rescue": ["rescue", "a", "--format", "qcow2", "--image", "{}"],
    "repair": ["repair", "a", "--source", "vda={}"],
    "snapshot": ["snapshot create", "a", "s", "--external", "--folder", "{}"],
}
"""The commands that take a path."""


@pytest.fixture
def folder(connection: Connection, tmp_path: Path) -> Path:
    connection.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root")) + CD))
    (tmp_path / "b.xml").write_text(domain_xml("b"))
    (tmp_path / "line\nbreak").write_bytes((tmp_path / "root.qcow2").read_bytes())
    return tmp_path


def told(connection: Connection, folder: Path) -> dict[str, object]:
    domains = {domain.name: domain.xml(CONFIG) for domain in connection.domains()}
    return {**domains, **{path.name: path.stat().st_size for path in folder.iterdir()}}


def refusal(connection: Connection, uri: str, folder: Path, command: list[str], value: str) -> str:
    """What the command says, with ``value`` in place of {}, done and as a dry run; it must be refused."""
    before = told(connection, folder)
    verb, *words = [word.format(value, folder=folder) for word in command]
    for options in ([], ["--dry-run"]):
        result = run(uri, *verb.split(), *options, *words)
        assert result.exit_code == 2, (command, result.output)
        assert told(connection, folder) == before
    return result.stderr


@pytest.mark.parametrize("name", ["-h", "--help", "a\nb", "a\tb", "\x1b[2Jb"])
@pytest.mark.parametrize("command", NAMING)
def test_no_domain_gets_a_name_that_is_an_option_or_has_a_control_character(
    connection: Connection, uri: str, folder: Path, command: str, name: str
) -> None:
    said = refusal(connection, uri, folder, NAMING[command], name)
    assert "cannot be the name of a domain" in said and name not in said.replace(repr(name), ""), said


@pytest.mark.parametrize("command", PATHS)
def test_no_command_takes_a_path_with_a_line_break(
    connection: Connection, uri: str, folder: Path, command: str
) -> None:
    if command == "repair":
        (folder / "root.qcow2").rename(folder / "moved")
    said = refusal(connection, uri, folder, PATHS[command], f"{folder}/line\nbreak")
    assert said.count("error: ") == 1 and "line\\nbreak" in said, said


def test_a_domain_that_others_have_named_so_can_still_be_renamed(connection: Connection, uri: str) -> None:
    connection.define(domain_xml("-h"))
    done(uri, "rename", "--", "-h", "web")
    assert [domain.name for domain in connection.domains()] == ["web"]


def test_no_document_is_taken_whose_names_libvirt_would_not_keep(
    connection: Connection, uri: str, folder: Path
) -> None:
    disk = qcow2_disk(Path(f"{folder}/line&#10;break"), "vdb")
    (folder / "disk.xml").write_text(disk)
    (folder / "b.xml").write_text(domain_xml("b", extra=disk))
    before = told(connection, folder)
    document = connection.find_domain("a").xml(CONFIG)
    for act in (
        lambda: operations.attach_device(connection, "a", disk),
        lambda: operations.rescue(connection, "a", disk),
        lambda: operations.create_domain_from_document(connection, domain_xml("b", extra=disk)),
        lambda: operations.edit_domain(connection, "a", document, document.replace("root.", "line&#9;break.")),
    ):
        with raising(BREAK_IN_ATTRIBUTE):
            act()
    assert run(uri, "create", "b", "--from-xml", str(folder / "b.xml")).exit_code == 2
    assert run(uri, "device", "attach", "a", str(folder / "disk.xml")).exit_code == 2
    assert told(connection, folder) == before


def test_neither_a_new_volume_nor_an_interface_has_such_a_name() -> None:
    with raising(VOLUME_LIKE_OPTION, volume="-h"):
        DiskSpec(pool="default", volume="-h", size=1 << 20)
    with raising(VOLUME_LIKE_OPTION, volume="-h"):
        Place(pool="default", volume="-h")
    with raising(CONTROL_CHARACTERS, text="a\nb"):
        Place(pool="default", volume="a\nb")
    DiskSpec(pool="default", volume="-h", format="raw")  # others made it


def test_no_part_of_a_device_has_a_line_break(connection: Connection, uri: str) -> None:
    mac = "52:54:00:00:00:01"
    nic = f"<interface type='user'><mac address='{mac}'/><model type='virtio'/></interface>"
    connection.define(domain_xml(extra=nic))
    for words in (
        ("interface", "attach", "a", "bridge=br\n0"),
        ("interface", "set", "a", mac, "--bridge", "br\n0"),
        ("disk", "attach", "a", "size=1MiB,path=/x,serial=abc\n"),
        ("disk", "attach", "a", "size=1MiB,path=/x,target=vdb\n"),
        ("interface", "attach", "a", f"user,mac={mac}\n"),
    ):
        assert run(uri, *words).exit_code == 2, words
