"""Bringing a deleted domain back: its last recorded document is defined anew, and what it needs has to be there."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse, same
from holdfast.errors import HoldfastError
from holdfast.errors.creation import DOMAIN_EXISTS
from holdfast.errors.firmware import STATE_GONE, STATE_IN_USE
from holdfast.errors.history import DELETED_UNFINISHED, NAME_TAKEN_SINCE, NO_ENTRIES, STILL_THERE
from holdfast.errors.images import IN_USE, NO_IMAGE
from holdfast.errors.snapshots import USED_BY_OTHER
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import EntryKind, InterfaceSpec
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising
from tests.secretive import MARK, VNC

USER = InterfaceSpec(kind="user", mac="52:54:00:00:00:01")


@pytest.fixture
def domain(connection: Connection, tmp_path: Path) -> Domain:
    """The domain "a" with a disk and an interface, adopted."""
    connection.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root"))))
    operations.attach_interface(connection, "a", USER)
    operations.adopt_domain(connection, "a")
    return connection.find_domain("a")


@pytest.mark.parametrize("by_us", [True, False])
def test_it_is_back_as_it_was(connection: Connection, uri: str, domain: Domain, by_us: bool) -> None:
    before, uuid = domain.xml(CONFIG), domain.uuid
    if by_us:
        operations.delete_domain(connection, "a")
    else:
        domain.undefine()
    said = done(uri, "history", "restore", "a")
    assert said.startswith("a: is back as it was on ")
    back = connection.find_domain("a")
    assert (back.uuid, back.is_active()) == (uuid, False)
    assert same(parse(back.xml(CONFIG)), parse(before))
    kinds = [entry.kind for entry in operations.log_domain(connection, "a")][:2]
    assert kinds == [EntryKind.CHANGED, EntryKind.DELETED if by_us else EntryKind.GONE]
    assert operations.record_host(connection).recorded == ()


def test_what_somebody_else_defines_again_as_it_was_is_an_entry(connection: Connection, domain: Domain) -> None:
    before = domain.xml(CONFIG)
    operations.delete_domain(connection, "a")
    connection.define(before)
    assert operations.record_host(connection).recorded == ("a",)
    assert operations.log_domain(connection, "a")[0].kind is EntryKind.OUTSIDE


def test_a_dry_run_says_so_and_makes_nothing(connection: Connection, uri: str, domain: Domain) -> None:
    operations.delete_domain(connection, "a")
    entries = operations.log_host(connection)
    promised = json.loads(done(uri, "history", "restore", "a", "--dry-run", "-o", "json"))
    assert (promised["name"], promised["uuid"], promised["asked_of_libvirt"]) == ("a", domain.uuid, True)
    assert "would be back" in done(uri, "history", "restore", domain.uuid, "--dry-run")
    assert connection.domains() == []
    assert operations.log_host(connection) == entries
    assert run(uri, "-r", "history", "restore", "a").exit_code == 1


def test_a_domain_that_is_there_is_not_made_again(connection: Connection, uri: str, domain: Domain) -> None:
    for name in ("a", domain.uuid):
        with raising(STILL_THERE):
            operations.restore_deleted(connection, name)
    operations.delete_domain(connection, "a")
    with raising(NO_ENTRIES):
        operations.restore_deleted(connection, "b")
    other = connection.define(domain_xml())
    with raising(STILL_THERE):
        operations.restore_deleted(connection, "a")
    with raising(NAME_TAKEN_SINCE, uuid=other.uuid):
        operations.restore_deleted(connection, domain.uuid)
    operations.rename_domain(connection, other.uuid, "b")
    operations.restore_deleted(connection, domain.uuid)


def test_images_have_to_be_there_and_free(connection: Connection, domain: Domain, tmp_path: Path) -> None:
    image = tmp_path / "root.qcow2"
    operations.delete_domain(connection, "a")
    connection.define(domain_xml("b", extra=qcow2_disk(image)))
    with raising(IN_USE, user="b"):
        operations.restore_deleted(connection, "a")
    overlay = tmp_path / "overlay.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", image, overlay], check=True)
    connection.define(connection.find_domain("b").xml(CONFIG).replace(str(image), str(overlay)))
    with raising(USED_BY_OTHER, user="b"):
        operations.restore_deleted(connection, "a")
    connection.find_domain("b").undefine()
    image.unlink()
    with raising(NO_IMAGE):
        operations.restore_deleted(connection, "a")
    assert connection.domains() == []


def test_nvram_that_is_gone_is_made_anew_only_where_that_is_taken(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    loader = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
    nvram = f"<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{tmp_path}/a_VARS.fd</nvram>"
    connection.define(domain_xml().replace("</os>", f"{loader}{nvram}</os>"))
    operations.adopt_domain(connection, "a")
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    operations.delete_domain(connection, "a")
    assert not (tmp_path / "a_VARS.fd").exists()
    with raising(STATE_GONE):
        operations.restore_deleted(connection, "a")
    assert "--fresh-nvram" in run(uri, "history", "restore", "a").stderr
    assert "is made anew at its next start" in done(uri, "history", "restore", "a", "--fresh-nvram")
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    connection.find_domain("a").undefine(keep_nvram=True)
    assert "exists already, and is used" in done(uri, "history", "restore", "a")
    connection.find_domain("a").undefine(keep_nvram=True)
    connection.define(domain_xml("b").replace("</os>", f"{loader}{nvram}</os>"))
    with raising(STATE_IN_USE, user="b"):
        operations.restore_deleted(connection, "a")


def test_a_console_without_its_password_listens_nowhere(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=f"{VNC}<video><model type='vga'/></video>"))
    operations.record_host(connection)
    operations.delete_domain(connection, "a")
    said = done(uri, "history", "restore", "a")
    assert "the vnc console listens nowhere" in said
    domain = connection.find_domain("a")
    assert parse(domain.xml(CONFIG)).find("devices/graphics/listen[@type='none']") is not None
    domain.undefine()
    file = tmp_path / "password"
    file.write_text(MARK)
    operations.log_domain(connection, "a")
    assert run(uri, "history", "restore", "a", "--secret", "no place").exit_code == 2
    place = "/domain/devices/graphics/@passwd"
    # The last document is that of the console that listens nowhere, which has no secret any more.
    assert run(uri, "history", "restore", "a", "--secret", f"{place}={file}").exit_code == 2


def test_a_password_that_is_given_is_the_consoles(connection: Connection, uri: str, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=f"{VNC}<video><model type='vga'/></video>"))
    operations.record_host(connection)
    operations.delete_domain(connection, "a")
    (tmp_path / "password").write_text(f"{MARK}\n")
    secret = f"/domain/devices/graphics/@passwd={tmp_path}/password"
    result = run(uri, "history", "restore", "a", "--secret", secret)
    assert (result.exit_code, MARK in result.output) == (0, False)
    assert f"passwd='{MARK}'" in connection.find_domain("a").xml(CONFIG, secure=True)


def test_what_was_unfinished_is_not_brought_back(connection: Connection, domain: Domain) -> None:
    ours = "<holdfast:snapshotting snapshot='s' file=''/></holdfast:domain>"
    connection.define(domain.xml(CONFIG).replace("</holdfast:domain>", ours))
    operations.record_host(connection)
    domain.undefine()
    with raising(DELETED_UNFINISHED):
        operations.restore_deleted(connection, "a")


def test_it_does_not_start_with_the_host_because_it_ran_when_it_was_deleted(
    connection: Connection, domain: Domain
) -> None:
    operations.start(connection, "a", paused=True)
    domain.undefine()
    domain.destroy()
    operations.restore_deleted(connection, "a")
    assert operations.resume_host(connection) == []
    assert "wanted" not in connection.find_domain("a").xml(CONFIG)


def test_of_two_at_once_one_brings_it_back(connection: Connection, domain: Domain) -> None:
    operations.delete_domain(connection, "a")
    found: list[str] = []

    def restore() -> None:
        try:
            found.append(operations.restore_deleted(connection, "a").name)
        except HoldfastError as error:
            found.append(error.code)

    threads = [threading.Thread(target=restore) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count("a") == 1
    assert set(found) <= {"a", STILL_THERE.code, DOMAIN_EXISTS.code}
