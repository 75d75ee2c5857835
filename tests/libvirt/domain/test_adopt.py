"""Adoption writes metadata and nothing else; release leaves no trace."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from holdfast.errors.changes import NOT_ADOPTED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSpec, rescue
from holdfast.operations.domain.adopt import adopt_domain, release_domain
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.raising import raising

NOVA = """<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
<nova:owner><nova:project uuid="p1">demo</nova:project></nova:owner></nova:instance></metadata>"""
OSINFO = """<metadata><libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
<libosinfo:os id="http://debian.org/debian/12"/></libosinfo:libosinfo></metadata>"""


def with_metadata(document: str, metadata: str) -> str:
    return document.replace("<memory ", f"{metadata}<memory ", 1)


def without_metadata(document: str) -> str:
    return re.sub(r"  <metadata>.*</metadata>\n", "", document, flags=re.DOTALL)


@pytest.mark.parametrize("runs", [False, True])
def test_not_one_byte_of_hardware_changes(connection: Connection, tmp_path: Path, runs: bool) -> None:
    domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    if runs:
        domain.start(paused=True)
    before = {which: domain.xml(which) for which in (LIVE, CONFIG)}
    adopted = adopt_domain(connection, "a")
    assert (adopted.origin, adopted.already) == ("unknown", False)
    for which, document in before.items():
        assert "holdfast:adopted" in domain.xml(which)
        assert without_metadata(domain.xml(which)) == document
    assert adopt_domain(connection, "a").already
    release_domain(connection, "a")
    # libvirt keeps the empty element itself when the last one in it goes (9.0).
    assert {which: domain.xml(which).replace("  <metadata/>\n", "") for which in (LIVE, CONFIG)} == before
    with raising(NOT_ADOPTED):
        release_domain(connection, "a")


def test_origin_owner_and_roles_are_read_from_what_the_maker_left(connection: Connection, tmp_path: Path) -> None:
    volume = disk_xml(tmp_path, "data", "vdb")
    config = disk_xml(tmp_path, "x", "sda", bus="sata").replace("x.img", "x_disk.config")
    disks = disk_xml(tmp_path, "one", "vda") + volume + config
    connection.define(with_metadata(domain_xml("nova", extra=disks), NOVA))
    connection.define(with_metadata(domain_xml("manager"), OSINFO))
    adopted = adopt_domain(connection, "nova")
    assert (adopted.origin, adopted.owner) == ("nova", "p1")
    assert {disk.target: disk.role for disk in adopted.disks} == {"vda": "root", "vdb": "volume", "sda": "config"}
    assert adopt_domain(connection, "manager").origin == "virt-manager"
    assert "libosinfo:os" in connection.find_domain("manager").xml(CONFIG)


def test_commands(uri: str, connection: Connection) -> None:
    for name in ("one", "two"):
        connection.define(domain_xml(name))
    assert run(uri, "adopt").exit_code == 2
    assert run(uri, "adopt", "one", "--all").exit_code == 2
    assert "would be adopted" in done(uri, "adopt", "one", "--dry-run")
    assert "metadata" not in connection.find_domain("one").xml(CONFIG)
    would = json.loads(done(uri, "adopt", "--all", "--dry-run", "-o", "json"))
    assert (would["format"], would["dry_run"]) == ("holdfast.adopt", True)
    assert [(domain["name"], domain["already"]) for domain in would["domains"]] == [("one", False), ("two", False)]
    assert done(uri, "adopt", "--all").count("unknown") == 2
    assert "already adopted" in done(uri, "adopt", "one")
    assert done(uri, "release", "one") == "one: released\n"
    assert run(uri, "release", "one").exit_code == 1
    assert run(uri, "adopt", "nope").exit_code == 4


def test_the_medium_of_a_rescue_is_no_disk_of_the_domain(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    image(tmp_path, "rescue")
    rescue(connection, "a", DiskSpec(path=str(tmp_path / "rescue.img"), format="raw"))
    assert [disk.target for disk in adopt_domain(connection, "a").disks] == ["vda"]
