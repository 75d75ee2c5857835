"""No two domains have one file of state: each verb that makes, names or removes one keeps it a domain's own."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.state_files import StateKind
from holdfast.errors.firmware import NVRAM_BY_NAME, STATE_GONE, STATE_IN_USE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import FindingKind
from holdfast.operations.own_state import folders_of
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml, has_open_firmware
from tests.libvirt.state.states import SPEC, VARS, found, left_open, lose, place, started_once, uefi_xml
from tests.raising import raising


def test_a_new_domain_has_none_of_the_files_of_one_that_was_renamed(connection: Connection) -> None:
    old = started_once(connection, "web")
    nvram = place(connection, old, StateKind.NVRAM)
    operations.rename_domain(connection, "web", "www")
    made = operations.create_domain(connection, "web", SPEC)
    assert made.notes == ()
    assert place(connection, connection.find_domain("web"), StateKind.NVRAM) != nvram
    operations.clone_domain(connection, "www", "web2")
    operations.delete_domain(connection, "web")
    operations.delete_domain(connection, "web2")
    assert nvram.exists()
    assert place(connection, connection.find_domain("www"), StateKind.NVRAM) == nvram


def test_one_file_of_two_domains_is_told_and_stays_when_one_of_them_goes(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    nvram = tmp_path / "vars.fd"
    for name in ("a", "b"):
        connection.define(uefi_xml(name, nvram))
    shutil.copy(VARS, nvram)
    assert FindingKind.SHARED_STATE in found(connection, "a") & found(connection, "b")
    assert "b' has it, too" in done(uri, "delete", "a", "--dry-run")
    assert f"note: the NVRAM {nvram} stays: the domain 'b' has it, too" in done(uri, "delete", "a")
    assert nvram.exists()
    assert FindingKind.SHARED_STATE not in found(connection, "b")


def test_a_file_of_another_domain_is_taken_by_no_create_and_no_edit(connection: Connection, tmp_path: Path) -> None:
    nvram = tmp_path / "vars.fd"
    connection.define(uefi_xml("a", nvram))
    link = tmp_path / "link.fd"
    link.symlink_to(nvram)
    for path in (nvram, link):
        with raising(STATE_IN_USE, user="a", file=f"NVRAM {path}"):
            operations.create_domain_from_document(connection, uefi_xml("b", path))
    operations.create_domain_from_document(connection, uefi_xml("b", tmp_path / "own.fd"))
    original = operations.document(connection, "b", secure=True)
    with raising(STATE_IN_USE, user="a"):
        operations.edit_domain(connection, "b", original, original.replace("own.fd", "vars.fd"), accept=True)


def test_a_file_is_taken_where_only_one_of_anothers_two_documents_names_it(
    connection: Connection, tmp_path: Path
) -> None:
    domain = connection.define(uefi_xml("a", tmp_path / "live.fd"))
    domain.start(paused=True)
    connection.define(domain.xml(CONFIG, secure=True).replace("live.fd", "config.fd"))
    for name in ("live.fd", "config.fd"):
        with raising(STATE_IN_USE, user="a", file=f"NVRAM {tmp_path}/{name}"):
            operations.create_domain_from_document(connection, uefi_xml("b", tmp_path / name))


def test_links_of_this_machine_are_no_links_of_another(
    daemon: Connection, daemon_uri: str, remote_uri: str, tmp_path: Path
) -> None:
    nvram, link, folder = tmp_path / "vars.fd", tmp_path / "link.fd", tmp_path / "nvram"
    link.symlink_to(nvram)
    folder.symlink_to("/var/lib/libvirt/qemu/nvram")
    for name, path in (("a", nvram), ("b", link), ("c", folder / "c.fd")):
        daemon.define(uefi_xml(name, path))
    assert f"the NVRAM {nvram} stays: the domain 'b' has it, too" in done(daemon_uri, "delete", "a", "--dry-run")
    unknown = "stays: it is not in libvirt's folder, and no record says whose it is"
    assert f"the NVRAM {nvram} {unknown}" in done(remote_uri, "delete", "a", "--dry-run")
    assert f"the NVRAM {folder}/c.fd {unknown}" in done(remote_uri, "delete", "c", "--dry-run")


def test_nvram_in_libvirts_folder_is_its_own_whatever_the_folder_is_called(
    connection: Connection, tmp_path: Path
) -> None:
    nvram = in_libvirts_folder(connection, "vars.fd")
    nvram.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(VARS, nvram)
    folder = tmp_path / "nvram"
    folder.symlink_to(nvram.parent)
    connection.define(uefi_xml("a", folder / nvram.name))
    operations.delete_domain(connection, "a")
    assert not nvram.exists()


def test_nvram_that_has_the_domains_uuid_in_its_name_is_its_own(connection: Connection, tmp_path: Path) -> None:
    uuid = connection.define(domain_xml("a")).uuid
    nvram = tmp_path / f"{uuid}.fd"
    shutil.copy(VARS, nvram)
    connection.define(uefi_xml("a", nvram).replace("<memory", f"<uuid>{uuid}</uuid><memory"))
    operations.delete_domain(connection, "a")
    assert not nvram.exists()


def test_a_file_that_comes_with_an_imported_domain_is_used_and_said(connection: Connection, tmp_path: Path) -> None:
    nvram = tmp_path / "vars.fd"
    shutil.copy(VARS, nvram)
    made = operations.create_domain_from_document(connection, uefi_xml("a", nvram))
    assert f"its NVRAM {nvram} exists already, and is used" in made.notes
    assert made.nvram == str(nvram)


def test_nvram_that_only_its_domains_name_tells_of_is_its_own_too(connection: Connection, tmp_path: Path) -> None:
    domain = left_open(connection)
    if not has_open_firmware(parse(domain.xml(CONFIG))):
        pytest.skip("this libvirt names the NVRAM when a domain is defined (9.2)")
    nvram = place(connection, domain, StateKind.NVRAM)
    assert nvram.name == "a_VARS.fd"
    assert nvram.exists()
    with raising(NVRAM_BY_NAME):
        operations.rename_domain(connection, "a", "b")
    lose(nvram)
    with raising(STATE_GONE, lost=f"its NVRAM {nvram}"):
        operations.start(connection, "a")
    operations.start(connection, "a", paused=True, fresh=["nvram"])
    operations.destroy(connection, "a")
    connection.define(uefi_xml("b", nvram))
    assert FindingKind.SHARED_STATE in found(connection, "a") & found(connection, "b")
    with raising(STATE_IN_USE, user="b"):
        operations.seal_domain(connection, "a")
    operations.delete_domain(connection, "a")
    assert nvram.exists()


def test_nvram_that_libvirt_found_by_name_is_not_left_to_the_next_of_that_name(connection: Connection) -> None:
    nvram = place(connection, left_open(connection), StateKind.NVRAM)
    operations.delete_domain(connection, "a")
    assert not nvram.exists()


def in_libvirts_folder(connection: Connection, name: str) -> Path:
    folders = folders_of(connection)
    assert folders is not None
    return Path(folders.nvram, name)


def test_nvram_of_a_transient_domain_goes_with_it(connection: Connection) -> None:
    nvram = in_libvirts_folder(connection, "vars.fd")
    domain = connection.define(uefi_xml("a", nvram))
    domain.start(paused=True)
    domain.undefine(keep_nvram=True)
    assert nvram.exists()
    operations.delete_domain(connection, "a", force=True)
    assert not nvram.exists()


def as_it_is(path: Path, precious: Path) -> str:
    shutil.copy(precious, path)
    return "it is not in libvirt's folder, and no record says whose it is"


def as_a_link(path: Path, precious: Path) -> str:
    path.symlink_to(precious)
    return "it is a link"


def as_a_hard_link(path: Path, precious: Path) -> str:
    path.hardlink_to(precious)
    return "it has another name, too (a hard link)"


@pytest.mark.parametrize("put", [as_it_is, as_a_link, as_a_hard_link])
@pytest.mark.parametrize("force", [False, True], ids=["off", "runs"])
def test_a_file_that_is_not_surely_its_own_nvram_stays_and_is_said(
    connection: Connection, uri: str, tmp_path: Path, put: Callable[[Path, Path], str], force: bool
) -> None:
    precious = tmp_path / "precious"
    shutil.copy(VARS, precious)
    nvram = in_libvirts_folder(connection, "linked.fd") if put is not as_it_is else tmp_path / "vars.fd"
    nvram.parent.mkdir(parents=True, exist_ok=True)
    why = put(nvram, precious)
    try:
        domain = connection.define(uefi_xml("a", nvram))
        if force:
            domain.start(paused=True)
        for dry_run in (["--dry-run"], []):
            said = done(uri, "delete", "a", "--force", "--storage", *dry_run)
            assert f"note: the NVRAM {nvram} stays: {why}\n" in said
            assert f"with its NVRAM {nvram}" not in said
        assert connection.domains() == [] and nvram.exists() and precious.exists()
    finally:
        nvram.unlink()


def test_a_sealed_domain_keeps_its_nvram_under_another_name(connection: Connection) -> None:
    domain = left_open(connection)
    nvram = place(connection, domain, StateKind.NVRAM)
    operations.seal_domain(connection, "a")
    operations.rename_domain(connection, "a", "b")
    assert place(connection, domain, StateKind.NVRAM) == nvram
    operations.start(connection, "b", paused=True)


def orphans(connection: Connection) -> set[tuple[str, str]]:
    """Path, and the command that removes it."""
    return {(each.path, each.remove) for each in operations.audit_host(connection).orphans}


def test_state_that_no_domain_has_is_named_by_the_audit(connection: Connection, uri: str) -> None:
    domain = started_once(connection)
    orphan = place(connection, domain, StateKind.NVRAM).with_name("gone_VARS.fd")
    tpm = place(connection, domain, StateKind.TPM).parent
    others = orphans(connection)
    assert not {path for path, _ in others} & {str(tpm), str(place(connection, domain, StateKind.NVRAM))}
    orphan.touch()
    left = tpm.with_name("5d6f8c1e-0000-4000-8000-000000000001")
    left.mkdir()
    try:
        assert orphans(connection) - others == {(str(orphan), f"rm {orphan}"), (str(left), f"rm -r {left}")}
        assert str(orphan) in run(uri, "audit").stdout
    finally:
        orphan.unlink()
        left.rmdir()


def test_a_varstore_that_no_domain_has_is_named_by_the_audit(connection: Connection) -> None:
    """Also on a libvirt that makes none yet: one from before may have been."""
    folders = folders_of(connection)
    assert folders is not None
    left = Path(folders.varstore, "gone.json")
    left.parent.mkdir(exist_ok=True)
    left.touch()
    try:
        assert (str(left), f"rm {left}") in orphans(connection)
    finally:
        left.unlink()
        left.parent.rmdir()
