"""Renaming: another name, and the same domain."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.errors.changes import HAS_SNAPSHOTS
from holdfast.errors.creation import BAD_NAME, DOMAIN_EXISTS, LONG_NAME, NAME_OF_DOCUMENT
from holdfast.errors.domains import READ_ONLY, RUNNING, TRANSIENT
from holdfast.errors.power import MANAGED_SAVE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, running
from tests.raising import raising


def test_renamed_domain_has_the_same_document_but_for_its_name(
    uri: str, connection: Connection, tmp_path: Path
) -> None:
    spec = DomainSpec(memory=64 << 20, graphics="none", firmware="uefi", tpm=True)
    operations.create_domain(connection, "a", spec)
    operations.attach_device(connection, "a", disk_xml(tmp_path, "one"))
    before = connection.find_domain("a")
    document = before.xml(CONFIG)
    assert f"{before.uuid}_VARS" in document
    assert done(uri, "rename", "a", "b", "--dry-run") == "a: would be renamed to b\n"
    assert before.xml(CONFIG) == document
    renamed = json.loads(done(uri, "rename", "a", "b", "-o", "json"))
    assert [renamed[key] for key in ("format", "name", "uuid", "before", "after", "dry_run")] == [
        "holdfast.rename", "b", before.uuid, "a", "b", False
    ]  # fmt: skip
    after = connection.find_domain("b")
    assert after.uuid == before.uuid
    assert after.xml(CONFIG) == document.replace("<name>a<", "<name>b<")
    operations.start(connection, "b", paused=True)
    assert run(uri, "show", "a").exit_code == 4


@pytest.mark.parametrize("name", ["-b", "b\n", "b@live", "n" * 241])
def test_names_that_cannot_be_are_refused(connection: Connection, name: str) -> None:
    connection.define(domain_xml())
    with raising(BAD_NAME, LONG_NAME, NAME_OF_DOCUMENT):
        operations.rename_domain(connection, "a", name)
    assert [domain.name for domain in connection.domains()] == ["a"]


def test_the_longest_name_is_one_that_libvirt_takes(connection: Connection) -> None:
    connection.define(domain_xml())
    operations.rename_domain(connection, "a", "n" * 240)
    assert [domain.name for domain in connection.domains()] == ["n" * 240]


def test_taken_name_running_domain_and_snapshots_are_refused(uri: str, connection: Connection, tmp_path: Path) -> None:
    qcow2 = tmp_path / "a.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(qcow2), "1M"], check=True)
    domain = running(
        connection, extra=disk_xml(tmp_path, "a", "vda").replace("raw", "qcow2").replace("a.img", "a.qcow2")
    )
    connection.define(domain_xml("b"))
    with raising(RUNNING):
        operations.rename_domain(connection, "a", "c")
    domain._handle.managedSave(0)
    with raising(MANAGED_SAVE):
        operations.rename_domain(connection, "a", "c")
    domain._handle.managedSaveRemove(0)
    with raising(DOMAIN_EXISTS, name="b", uuid=connection.find_domain("b").uuid):
        operations.rename_domain(connection, "a", "b")
    domain._handle.snapshotCreateXML("<domainsnapshot/>")
    with raising(HAS_SNAPSHOTS):
        operations.rename_domain(connection, "a", "c")
    with raising(READ_ONLY):
        operations.rename_domain(holdfast.connect(uri, readonly=True), "b", "c")
    assert run(uri, "rename", "nobody", "c").exit_code == 4


def test_a_transient_domain_is_not_told_to_stop_first(connection: Connection) -> None:
    running(connection).undefine()
    with raising(TRANSIENT):
        operations.rename_domain(connection, "a", "b")
