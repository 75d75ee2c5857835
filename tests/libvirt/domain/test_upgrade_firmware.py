"""``upgrade firmware`` and ``upgrade certificates``: another NVRAM with all that was in it, and the way back."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import canonical, parse, remove_children
from holdfast.domainxml.elements.firmware import flash_of, nvram_of
from holdfast.domainxml.fact import KeptNvram
from holdfast.domainxml.host.state_files import upgraded_prefix
from holdfast.domainxml.metadata import fact
from holdfast.errors import domains, firmware
from holdfast.errors import firmware as errors
from holdfast.hostfiles.firmware import virt_firmware
from holdfast.hostfiles.firmware.flash import SUCCESSORS
from holdfast.hostfiles.firmware.virt_firmware import Variable, nvram_from
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import FindingKind
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.state.states import CODE, VARS, found
from tests.raising import raising

OLD_CODE, OLD_VARS = "/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"
WITH_KEYS = {OLD_VARS: "/usr/share/OVMF/OVMF_VARS.ms.fd", VARS: "/usr/share/OVMF/OVMF_VARS_4M.ms.fd"}
"""Debian's own NVRAM has boot entries of the machine on which its keys were enrolled."""

pytestmark = pytest.mark.skipif(not Path(OLD_CODE).exists(), reason="this system has no OVMF of 2 MB to move from")

TPM = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
UPGRADES = {
    "firmware": (operations.upgrade_firmware, operations.take_back_firmware),
    "certificates": (operations.upgrade_certificates, operations.take_back_certificates),
}
each = pytest.mark.parametrize("upgrade", UPGRADES)


def with_old_firmware(
    connection: Connection, folder: Path, code: str = OLD_CODE, template: str = OLD_VARS, extra: str = ""
) -> Domain:
    nvram = folder / "a_VARS.fd"
    shutil.copy(WITH_KEYS[template], nvram)
    named = f"<loader readonly='yes' type='pflash'>{code}</loader><nvram template='{template}'>{nvram}</nvram></os>"
    return connection.define(domain_xml(extra=extra).replace("</os>", named))


def nvram(domain: Domain) -> Path:
    return Path(nvram_of(parse(domain.xml(CONFIG))) or "")


def variables(path: Path) -> dict[str, Variable]:
    return {each.name: each for each in nvram_from(path.read_bytes()).variables}


def orphans(connection: Connection, folder: Path) -> list[Path]:
    """What the audit names in this folder; other tests leave things elsewhere."""
    paths = [Path(orphan.path) for orphan in operations.audit_host(connection).orphans]
    return [path for path in paths if path.parent == folder]


def without_records(domain: Domain) -> bytes:
    document = parse(domain.xml(CONFIG, secure=True))
    remove_children(document, "metadata")
    return canonical(document)


def write_as_a_guest(path: Path, name: str) -> None:
    command = [sys.executable, "-m", "virt.firmware.vars", "--inplace", str(path), "--set-true", name]
    subprocess.run(command, check=True, capture_output=True)


def test_a_guest_moves_to_4_mb_with_its_boot_entries_and_its_keys(connection: Connection, tmp_path: Path) -> None:
    domain = with_old_firmware(connection, tmp_path)
    old = nvram(domain)
    before, bytes_before = variables(old), old.read_bytes()
    upgraded = operations.upgrade_firmware(connection, "a")
    flash = flash_of(parse(domain.xml(CONFIG)))
    assert flash is not None
    assert (flash.loader, upgraded.after, upgraded.kept) == (CODE, str(nvram(domain)), str(old))
    assert "UiApp" in upgraded.entries
    assert upgraded.keys == ("PK", "KEK", "db", "dbx")
    assert variables(nvram(domain)) == before
    assert nvram(domain).stat().st_size == Path(VARS).stat().st_size
    assert old.read_bytes() == bytes_before
    assert FindingKind.EXPIRING_FIRMWARE not in found(connection)
    operations.start(connection, "a", paused=True)
    assert orphans(connection, tmp_path) == []


@pytest.mark.parametrize("code", [CODE, "/nowhere/OVMF_CODE.fd"])
def test_a_guest_that_does_not_start_with_the_firmware_that_it_names_does_after_the_upgrade(
    connection: Connection, tmp_path: Path, code: str
) -> None:
    domain = with_old_firmware(connection, tmp_path, code)
    before = variables(nvram(domain))
    assert FindingKind.WOULD_NOT_START in found(connection)
    operations.upgrade_firmware(connection, "a")
    assert variables(nvram(domain)) == before
    assert FindingKind.WOULD_NOT_START not in found(connection)
    operations.start(connection, "a", paused=True)


def test_the_certificates_of_2023_come_and_nothing_else_changes(connection: Connection, tmp_path: Path) -> None:
    domain = with_old_firmware(connection, tmp_path, CODE, VARS)
    before = variables(nvram(domain))
    upgraded = operations.upgrade_certificates(connection, "a")
    assert upgraded.added == tuple(each.of_2023 for each in SUCCESSORS)
    after = variables(nvram(domain))
    assert {name for name in before if before[name] != after[name]} == {"KEK", "db"}
    assert before.keys() == after.keys()
    for name in ("KEK", "db"):
        assert after[name].data.startswith(before[name].data)
    again = operations.upgrade_certificates(connection, "a")
    assert (again.added, again.before) == ((), again.after)


@each
def test_a_dry_run_promises_what_is_then_done_and_changes_nothing(
    connection: Connection, tmp_path: Path, upgrade: str
) -> None:
    domain = with_old_firmware(connection, tmp_path)
    before, files = domain.xml(CONFIG), sorted(tmp_path.iterdir())
    change, _ = UPGRADES[upgrade]
    promised = change(connection, "a", dry_run=True)
    assert (domain.xml(CONFIG), sorted(tmp_path.iterdir())) == (before, files)
    kept = change(connection, "a")
    assert (promised.after, promised.entries, promised.keys, promised.added, promised.changes, promised.kept) == (
        kept.after,
        kept.entries,
        kept.keys,
        kept.added,
        kept.changes,
        kept.kept,
    )


@each
def test_an_upgrade_that_is_taken_back_leaves_all_as_it_was(
    connection: Connection, tmp_path: Path, upgrade: str
) -> None:
    domain = with_old_firmware(connection, tmp_path)
    for others in ("b_VARS.fd", f"{upgraded_prefix('another')}_VARS.fd"):
        (tmp_path / others).touch()
    before, files = without_records(domain), {path: path.read_bytes() for path in tmp_path.iterdir()}
    change, back = UPGRADES[upgrade]
    change(connection, "a")
    taken = back(connection, "a")
    assert (taken.lost, taken.since is None) == ((), False)
    assert without_records(domain) == before
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    assert fact(parse(domain.xml(CONFIG)), KeptNvram) is None
    with raising(errors.NOTHING_TO_TAKE_BACK):
        back(connection, "a")


@each
def test_what_the_guest_has_written_since_is_told_before_it_is_lost(
    connection: Connection, tmp_path: Path, upgrade: str
) -> None:
    domain = with_old_firmware(connection, tmp_path)
    old = nvram(domain)
    change, back = UPGRADES[upgrade]
    change(connection, "a")
    write_as_a_guest(nvram(domain), "Written")
    upgraded = nvram(domain)
    with raising(errors.LOSES_VARIABLES, lost="Written"):
        back(connection, "a")
    assert nvram(domain) == upgraded
    assert back(connection, "a", dry_run=True).lost == ("Written",)
    assert back(connection, "a", accept=True).lost == ("Written",)
    assert nvram(domain) == old
    assert not upgraded.exists()


def test_upgrades_are_taken_back_in_the_other_order(connection: Connection, tmp_path: Path) -> None:
    domain = with_old_firmware(connection, tmp_path)
    paths = [nvram(domain)]
    for change in (operations.upgrade_firmware, operations.upgrade_certificates):
        change(connection, "a")
        paths.append(nvram(domain))
    assert len({*paths}) == 3
    with raising(errors.NOT_THE_LAST_UPGRADE):
        operations.take_back_firmware(connection, "a")
    for back, path in ((operations.take_back_certificates, paths[1]), (operations.take_back_firmware, paths[0])):
        back(connection, "a")
        assert nvram(domain) == path
    assert sorted(tmp_path.iterdir()) == paths[:1]


@each
def test_a_guest_with_a_tpm_is_warned_of_its_recovery_key(connection: Connection, tmp_path: Path, upgrade: str) -> None:
    domain = with_old_firmware(connection, tmp_path, extra=TPM)
    change, back = UPGRADES[upgrade]
    old = nvram(domain)
    assert any("recovery key" in note for note in change(connection, "a", dry_run=True).notes)
    for verb, place in ((change, None), (back, old)):
        before = nvram(domain)
        with raising(errors.WANTS_RECOVERY_KEY):
            verb(connection, "a")
        assert nvram(domain) == before
        verb(connection, "a", accept=True)
        assert place is None or nvram(domain) == place


@each
def test_a_guest_that_runs_is_left_alone(connection: Connection, tmp_path: Path, upgrade: str) -> None:
    domain = with_old_firmware(connection, tmp_path)
    domain.start(paused=True)
    for verb in UPGRADES[upgrade]:
        with raising(domains.RUNNING):
            verb(connection, "a")


@each
def test_a_domain_without_uefi_variables_in_a_file_is_refused(connection: Connection, upgrade: str) -> None:
    connection.define(domain_xml())
    with raising(errors.NO_FLASH):
        UPGRADES[upgrade][0](connection, "a")


@each
def test_an_nvram_of_which_something_could_be_lost_is_refused(
    connection: Connection, tmp_path: Path, upgrade: str
) -> None:
    domain = with_old_firmware(connection, tmp_path)
    content = nvram(domain).read_bytes()
    written = content.index(b"\xaa\x55\x3f\x00")
    nvram(domain).write_bytes(content[: written + 2] + b"\x3e" + content[written + 3 :])
    with raising(errors.VARIABLES_UNCLEAR):
        UPGRADES[upgrade][0](connection, "a")
    assert len(list(tmp_path.iterdir())) == 1


@each
def test_without_virt_firmware_it_is_said_what_to_install(
    connection: Connection, tmp_path: Path, upgrade: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_old_firmware(connection, tmp_path)
    monkeypatch.setattr(virt_firmware, "_PROGRAM", "virt.firmware_that_is_not_there")
    with raising(errors.NO_VIRT_FIRMWARE):
        UPGRADES[upgrade][0](connection, "a")


@each
def test_an_upgrade_that_was_killed_before_the_document_names_its_file_is_named_and_ended_by_repeating_it(
    connection: Connection, tmp_path: Path, upgrade: str
) -> None:
    domain = with_old_firmware(connection, tmp_path)
    change, back = UPGRADES[upgrade]
    left = Path(change(connection, "a", dry_run=True).after)
    left.write_bytes(b"half of it")
    assert orphans(connection, tmp_path) == [left]
    change(connection, "a")
    assert nvram(domain) == left
    assert variables(left)
    assert orphans(connection, tmp_path) == []
    content = left.read_bytes()
    back(connection, "a")
    left.write_bytes(content)  # as if it had been killed before it removed this
    assert orphans(connection, tmp_path) == [left]
    back(connection, "a")
    assert not left.exists()


def test_the_nvram_of_a_snapshot_stays(connection: Connection, tmp_path: Path) -> None:
    domain = with_old_firmware(connection, tmp_path, extra=qcow2_disk(qcow2(tmp_path, "root")))
    operations.upgrade_firmware(connection, "a")
    operations.create_snapshot(connection, "a", "s", external=True)
    with raising(errors.SNAPSHOT_HAS_NVRAM, snapshot="s"):
        operations.take_back_firmware(connection, "a")
    assert nvram(domain).exists()


def test_a_deleted_domain_takes_the_nvram_that_was_kept_along(connection: Connection, tmp_path: Path) -> None:
    with_old_firmware(connection, tmp_path)
    operations.upgrade_firmware(connection, "a")
    operations.start(connection, "a", paused=True)
    assert len(list(tmp_path.iterdir())) == 2
    operations.delete_domain(connection, "a", force=True)
    # a_VARS.fd has neither the domain's UUID in its name, nor was it there at a recorded start
    assert [path.name for path in tmp_path.iterdir()] == ["a_VARS.fd"]


def test_another_domain_cannot_have_the_nvram_that_is_kept(connection: Connection, tmp_path: Path) -> None:
    domain = with_old_firmware(connection, tmp_path)
    kept = nvram(domain)
    operations.upgrade_firmware(connection, "a")
    document = domain_xml("b").replace(
        "</os>", f"<loader readonly='yes' type='pflash'>{OLD_CODE}</loader><nvram>{kept}</nvram></os>"
    )
    with raising(firmware.STATE_IN_USE):
        operations.create_domain_from_document(connection, document)


def test_the_commands_say_it_in_words(connection: Connection, tmp_path: Path, uri: str) -> None:
    with_old_firmware(connection, tmp_path)

    def said(*words: str) -> str:
        return done(uri, "upgrade", *words)

    assert said("firmware", "a", "--dry-run").startswith("a: would upgrade its firmware\n")
    assert "boot entries: UiApp" in said("firmware", "a")
    assert "certificate added: Windows UEFI CA 2023" in said("certificates", "a")
    assert "a: nothing to upgrade in its certificates" in said("certificates", "a")
    assert said("certificates", "a", "--back").startswith("a: went back to its certificates")
    refused = run(uri, "upgrade", "certificates", "a", "--back")
    assert (refused.exit_code, "hint" in refused.stderr) == (4, False)
