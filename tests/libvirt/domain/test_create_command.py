"""The command ``holdfast create``: what it prints, and what it says of each mistake."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast import operations
from holdfast.cli.main import holdfast
from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.domains import newest_machine

MIB = 1024 * 1024


def run(uri: str, *arguments: str) -> Result:
    return CliRunner().invoke(holdfast, ["-c", uri, "create", *arguments])


BAD = {
    "name-taken": (["taken", "--memory", "64MiB", "--disk", "NEW"], 3, "there is already a domain 'taken'"),
    "name": (["a/b", "--memory", "64MiB", "--disk", "NEW"], 2, "cannot be the name of a domain"),
    "name-too-long": (["a" * 241, "--memory", "64MiB", "--disk", "NEW"], 2, "too long for a domain: 241 bytes"),
    "name-of-a-document": (["a@live", "--memory", "64MiB", "--disk", "NEW"], 2, "the live document of 'a'"),
    "name-in-xml": (["a@config", "--from-xml", "HERE/empty.xml"], 2, "the config document of 'a'"),
    "no-memory": (["a", "--disk", "NEW"], 2, "needs --memory"),
    "memory": (["a", "--memory", "2", "--disk", "NEW"], 2, "is not a size"),
    "vcpus": (
        ["a", "--memory", "64MiB", "--vcpus", "9999", "--disk", "NEW"],
        1,
        "cannot have 9999 vCPUs here: at most ",
    ),
    "image-exists": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=1MiB,path=HERE/old"],
        3,
        "exists already",
    ),
    "no-folder": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=1MiB,path=HERE/n/d"], 4, "no folder"),
    "missing": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "path=HERE/nope,format=raw"], 4, "no image"),
    "format": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "path=HERE/old,format=raw"], 3, "looks like"),
    "used": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "path=HERE/used,format=qcow2"], 3, "in use by"),
    "no-place": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=1MiB"], 2, "no place was given"),
    "twice": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "NEW"], 2, "cannot both have the image"),
    "target": (["a", "--memory", "64MiB", "--disk", "NEW,target=vda", "--disk", "NEW2,target=vda"], 1, "duplicated"),
    "shrink": (
        [
            "a",
            "--memory",
            "64MiB",
            "--disk",
            "NEW",
            "--disk",
            "copy-from=HERE/old,source-format=qcow2,size=1KiB,path=HERE/s",
        ],
        3,
        "cannot be made smaller",
    ),
    "too-large": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=99999TiB,path=HERE/l"], 2, "for qcow2"),
    "too-large-for-anything": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=9000000TiB,format=raw,path=HERE/l"],
        2,
        "is not a possible size",
    ),
    "file-name": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--disk", f"size=1MiB,path=HERE/{'n' * 256}"],
        2,
        "is too long: 256 bytes",
    ),
    "proc": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=1MiB,path=/proc/x.raw"],
        1,
        "no file can be made in /proc",
    ),
    "folder": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "path=HERE,format=raw"],
        1,
        "path= takes an image",
    ),
    "control": (["a", "--memory", "64MiB", "--disk", "NEW", "--disk", "size=1MiB,path=HERE/\x01"], 2, "no document"),
    "cpu": (["a", "--memory", "64MiB", "--disk", "NEW", "--cpu", "pentium9"], 2, "knows no CPU model"),
    "passthrough": (["a", "--memory", "64MiB", "--disk", "NEW", "--cpu", "host-passthrough"], 1, "not possible here"),
    "machine": (["a", "--memory", "64MiB", "--disk", "NEW", "--machine", "q36"], 4, "no machine type q36"),
    "video": (["a", "--memory", "64MiB", "--disk", "NEW", "--video", "foo"], 1, "no video device"),
    "secure-pc": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--machine", "pc", "--firmware", "uefi-secure"],
        4,
        "no UEFI firmware with Secure Boot",
    ),
    "ports-pc": (
        ["a", "--memory", "64MiB", "--disk", "NEW", "--machine", "pc", "--root-ports", "4"],
        2,
        "no root ports",
    ),
    "ports": (["a", "--memory", "64MiB", "--disk", "NEW", "--root-ports", "999"], 2, "at most 200"),
    "mac": (["a", "--memory", "64MiB", "--disk", "NEW", "--interface", "user,mac=zz"], 2, "not a MAC address"),
    "model": (["a", "--memory", "64MiB", "--disk", "NEW", "--interface", "user,model=x"], 2, "no interface model"),
    "cdrom": (["a", "--memory", "64MiB", "--disk", "NEW", "--cdrom", "HERE/nope.iso"], 4, "no image"),
    "user-data": (["a", "--memory", "64MiB", "--disk", "NEW", "--cloud-init", "HERE/nope"], 4, "no user-data"),
    "ignored": (["a", "--memory", "64MiB", "--disk", "NEW", "--cloud-init", "HERE/text"], 2, "would ignore"),
    "kvm": (["a", "--memory", "64MiB", "--disk", "NEW", "--virt-type", "kvm"], 1, "kvm"),
    "xml-missing": (["--from-xml", "HERE/nope"], 4, "no file"),
    "xml-text": (["--from-xml", "HERE/text"], 2, "well-formed"),
    "xml-and-more": (["--from-xml", "HERE/text", "--memory", "64MiB"], 2, "leave out"),
    "xml-empty": (["--from-xml", "HERE/empty.xml"], 2, "no <name>"),
    "xml-schema": (["a", "--from-xml", "HERE/empty.xml"], 1, "schema"),
}


@pytest.mark.parametrize(("arguments", "code", "sentence"), BAD.values(), ids=BAD.keys())
def test_bad_request_is_one_sentence_and_leaves_nothing(
    connection: Connection, uri: str, tmp_path: Path, arguments: list[str], code: int, sentence: str
) -> None:
    for name in ("old", "used"):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / name, "1M"], check=True)
    used = DomainSpec(memory=64 * MIB, disks=(DiskSpec(path=str(tmp_path / "used"), format="qcow2"),))
    operations.create_domain(connection, "taken", used)
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "empty.xml").write_text("<domain/>")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    new = f"size=1MiB,path={tmp_path}/new"
    result = run(uri, *(part.replace("NEW", new).replace("HERE", str(tmp_path)) for part in arguments))
    assert result.exit_code == code, result.output
    assert sentence in result.output
    assert "Traceback" not in result.output
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert [domain.name for domain in connection.domains()] == ["taken"]


def test_domain_that_does_not_start_is_partly_done(connection: Connection, uri: str, tmp_path: Path) -> None:
    result = run(uri, "a", "--memory", "900000GiB", "--disk", f"size=1MiB,path={tmp_path}/d", "--start")
    assert result.exit_code == 5
    assert "was created, but does not start" in result.output and "holdfast start a" in result.output
    assert (tmp_path / "d").exists() and connection.find_domain("a")


def test_command_shows_what_libvirt_chose(connection: Connection, uri: str, tmp_path: Path) -> None:
    arguments = ["a", "--memory", "64MiB", "--disk", f"size=1MiB,path={tmp_path}/d", "--interface", "user"]
    result = run(uri, *arguments)
    assert result.exit_code == 0, result.output
    domain = connection.find_domain("a")
    machine = newest_machine(connection)
    for word in (domain.uuid, machine, "EPYC", "bios", "vda", "pci 0000:04:00.0", "16 places", f"{tmp_path}/d"):
        assert word in result.output
    result = run(uri, "b", "--memory", "64MiB", "-o", "json")
    assert json.loads(result.stdout)["name"] == "b"
    result = run(uri, "c", "--memory", "64MiB", "--dry-run")
    assert parse(result.stdout, "domain").findtext("name") == "c"


def test_readonly_connection_is_told_before_anything_is_made(uri: str, connection: Connection, tmp_path: Path) -> None:
    arguments = ["-r", "-c", uri, "create", "a", "--memory", "64MiB", "--disk", f"size=1MiB,path={tmp_path}/d"]
    result = CliRunner().invoke(holdfast, arguments)
    assert result.exit_code == 1 and "read-only" in result.output
    assert not list(tmp_path.iterdir())
