"""Copies of NVRAM and TPM state: what is copied when, for whom alone, and that it comes back as it was."""

from __future__ import annotations

import gzip
import io
import os
import re
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.host.state_files import StateKind
from holdfast.errors import firmware as errors
from holdfast.errors.domains import RUNNING
from holdfast.errors.files import UNREADABLE
from holdfast.errors.firmware import STATE_GONE
from holdfast.errors.power import MANAGED_SAVE
from holdfast.hostfiles.state_copies.own_files import read_state
from holdfast.hostfiles.state_copies.state_copy import KEPT
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import done, run
from tests.libvirt.domains import LIVE
from tests.libvirt.past.kept import NVRAM, TPM, Kept, write
from tests.libvirt.state.states import create, lose, place, started_once
from tests.raising import raising


def test_what_changed_is_copied_for_its_owner_alone_and_nothing_else_is_written(
    connection: Connection, uri: str, kept: Kept
) -> None:
    domain = started_once(connection)
    nvram = place(connection, domain, NVRAM)
    assert done(uri, "history", "copy-state").splitlines() == [
        "1 domain looked at, 1 copy made",
        "copied  a  NVRAM",
        "left out  a  TPM state: no recipient is set to encrypt it to, and it holds keys of disks",
    ]
    [file] = kept.files()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert file.parent.name == domain.uuid
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(file.read_bytes()))) as tar:
        [member] = tar.getmembers()
        extracted = tar.extractfile(member)
        assert extracted is not None
        assert extracted.read() == nvram.read_bytes()
    before = kept.traces()
    os.utime(nvram)
    assert "0 copies made" in done(uri, "history", "copy-state", "a")
    assert kept.traces() == before
    write(nvram, b"changed")
    assert "1 copy made" in done(uri, "history", "copy-state", "a")
    assert set(before) < set(kept.traces())


def test_a_copy_names_the_entry_that_has_its_document(connection: Connection, uri: str, kept: Kept) -> None:
    started_once(connection)
    operations.copy_state(connection)
    [copy] = kept.copies()
    [listed] = operations.list_state_copies(connection, "a")
    assert copy == listed
    assert copy.entry == operations.log_domain(connection, "a")[0].id
    assert f"  NVRAM  off     no         {copy.entry[:8]}" in done(uri, "history", "states", "a")


def test_of_a_guest_that_runs_the_nvram_is_copied_and_marked(
    connection: Connection, uri: str, kept: Kept, key: Path
) -> None:
    create(connection)
    operations.start(connection, "a", paused=True)
    said = done(uri, "history", "copy-state")
    assert "copied  a  NVRAM, while it runs" in said
    assert "left out  a  TPM state: it runs" in said
    assert [(copy.running, copy.kind) for copy in kept.copies()] == [(True, NVRAM)]
    operations.destroy(connection, "a")
    operations.copy_state(connection)
    assert [copy.running for copy in kept.copies()] == [True, False]
    assert [copy.running for copy in kept.copies(TPM)] == [False]


def test_the_last_copies_stay_and_one_that_was_taken_while_it_was_off(connection: Connection, kept: Kept) -> None:
    domain = started_once(connection)
    operations.copy_state(connection)
    operations.start(connection, "a", paused=True)
    for number in range(KEPT + 2):
        write(place(connection, domain, NVRAM), bytes([number]))
        operations.copy_state(connection)
    assert [copy.running for copy in kept.copies()] == [False, *[True] * KEPT]


@pytest.mark.parametrize("program", ["age", "gpg"])
def test_what_was_encrypted_comes_back_the_same(
    connection: Connection, kept: Kept, program: str, request: pytest.FixtureRequest
) -> None:
    secret = request.getfixturevalue({"age": "key", "gpg": "keyring"}[program])
    domain = started_once(connection)
    nvram, tpm = place(connection, domain, NVRAM), place(connection, domain, TPM)
    before = [read_state(str(nvram)), read_state(str(tpm))]
    assert None not in before
    operations.copy_state(connection)
    assert {copy.cipher for kind in StateKind for copy in kept.copies(kind)} == {program}
    lose(nvram)
    lose(tpm.parent)
    done = operations.restore_state(connection, "a", identity=str(secret))
    assert [each.path for each in done.restored] == [str(nvram), str(tpm)]
    assert [read_state(str(nvram)), read_state(str(tpm))] == before
    operations.start(connection, "a", paused=True)
    operations.destroy(connection, "a")
    assert operations.copy_state(connection, ["a"]).copied == ()


def test_another_key_does_not_open_a_copy(connection: Connection, kept: Kept, key: Path, tmp_path: Path) -> None:
    domain = started_once(connection)
    operations.copy_state(connection)
    lose(place(connection, domain, NVRAM))
    other = tmp_path / "other.txt"
    subprocess.run(["age-keygen", "-o", other], check=True, capture_output=True)
    with raising(errors.IDENTITY_NEEDED):
        operations.restore_state(connection, "a")
    for identity in (other, tmp_path / "none"):
        with raising(errors.NOT_DECRYPTED, program="age"):
            operations.restore_state(connection, "a", identity=str(identity))
    assert not place(connection, domain, NVRAM).exists()


@pytest.mark.parametrize("recipient", ["age1nobody", "/nowhere/public.asc"])
def test_what_is_no_public_key_is_said_and_nothing_is_copied(
    connection: Connection, uri: str, kept: Kept, recipient: str
) -> None:
    started_once(connection)
    kept.set(state=kept.folder, recipient=recipient)
    failed = run(uri, "history", "copy-state", "a")
    assert (failed.exit_code, recipient in failed.stderr) == (1, True)
    assert kept.files() == []


def test_a_program_that_is_not_installed_is_named(
    connection: Connection, kept: Kept, key: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started_once(connection)
    monkeypatch.setenv("PATH", str(tmp_path))
    left = operations.copy_state(connection).left
    assert [each.error.code for each in left if each.error] == [errors.NO_CIPHER_PROGRAM.code] * 2
    assert kept.files() == []


def test_a_lost_state_says_how_old_its_copy_is_and_comes_back(connection: Connection, uri: str, kept: Kept) -> None:
    domain = started_once(connection)
    nvram = place(connection, domain, NVRAM)
    before = nvram.read_bytes()
    operations.copy_state(connection)
    lose(nvram)
    refused = run(uri, "start", "a")
    assert refused.exit_code == STATE_GONE.kind.exit_code
    assert f"its NVRAM {nvram} (there is a copy of 2" in refused.stderr
    assert re.search(r"(less than a|\d+) minutes? old", refused.stderr)
    assert "'holdfast history restore-state a'" in refused.stderr
    assert "would bring back NVRAM" in done(uri, "history", "restore-state", "a", "--dry-run")
    assert not nvram.exists()
    assert f"a: brought back NVRAM {nvram}, of 2" in done(uri, "history", "restore-state", "a")
    assert (nvram.read_bytes(), nvram.stat().st_mode & 0o777) == (before, 0o600)
    done(uri, "start", "a", "--paused")


def test_an_earlier_copy_is_brought_back_by_its_id(connection: Connection, kept: Kept) -> None:
    nvram = place(connection, started_once(connection), NVRAM)
    before = nvram.read_bytes()
    operations.copy_state(connection)
    write(nvram, b"changed")
    operations.copy_state(connection)
    lose(nvram)
    with raising(errors.NO_STATE_COPY, wanted=f"NVRAM {nvram} that begins with 123456789"):
        operations.restore_state(connection, "a", copy="123456789")
    operations.restore_state(connection, "a", copy=operations.list_state_copies(connection, "a")[-1].id)
    assert nvram.read_bytes() == before


def test_the_beginning_of_two_ids_is_refused(connection: Connection, kept: Kept) -> None:
    domain = started_once(connection)
    operations.copy_state(connection)
    lose(place(connection, domain, NVRAM))
    [file], [copy] = kept.files(), kept.copies()
    for end in ("0", "1"):
        file.with_name(replace(copy, digest=f"abc{end}".ljust(64, "0")).file_name).touch()
    with raising(errors.SEVERAL_STATE_COPIES, copy="abc"):
        operations.restore_state(connection, "a", copy="abc")
    with raising(errors.COPY_DAMAGED):
        operations.restore_state(connection, "a", copy="abc1")


def test_what_is_there_is_never_replaced(connection: Connection, kept: Kept) -> None:
    domain = started_once(connection)
    operations.copy_state(connection)
    nvram = place(connection, domain, NVRAM)
    write(nvram, b"newer")
    before = nvram.read_bytes()
    tpm = place(connection, domain, TPM)
    with raising(errors.NO_STATE_LOST, why=f"its NVRAM {nvram} is there, its TPM state {tpm} is there"):
        operations.restore_state(connection, "a")
    operations.start(connection, "a", paused=True)
    with raising(RUNNING):
        operations.restore_state(connection, "a")
    operations.save_domain(connection, "a")
    with raising(MANAGED_SAVE):
        operations.restore_state(connection, "a")
    assert nvram.read_bytes() == before


def test_a_damaged_copy_is_not_brought_back(connection: Connection, kept: Kept) -> None:
    nvram = place(connection, started_once(connection), NVRAM)
    operations.copy_state(connection)
    lose(nvram)
    [file] = kept.files()
    whole = file.read_bytes()
    for damaged in (whole[:-9], b"", gzip.compress(b"another")):
        file.write_bytes(damaged)
        with raising(errors.COPY_DAMAGED):
            operations.restore_state(connection, "a")
        assert not nvram.exists()


def test_a_state_that_is_a_link_is_not_followed(connection: Connection, kept: Kept, tmp_path: Path) -> None:
    nvram = place(connection, started_once(connection), NVRAM)
    nvram.rename(tmp_path / "elsewhere")
    nvram.symlink_to(tmp_path / "elsewhere")
    [failed] = [each for each in operations.copy_state(connection).left if each.error]
    assert failed.error is not None
    assert failed.error.code == UNREADABLE.code
    assert kept.files() == []


def test_copies_of_a_deleted_domain_are_found_by_its_name(connection: Connection, uri: str, kept: Kept) -> None:
    started_once(connection)
    operations.copy_state(connection)
    operations.delete_domain(connection, "a")
    assert len(operations.list_state_copies(connection, "a")) == 1
    assert done(uri, "history", "states", "a").startswith("COPY")


def test_a_watch_copies_the_state_of_what_stops(connection: Connection, uri: str, kept: Kept, key: Path) -> None:
    create(connection)
    operations.start(connection, "a", paused=True)
    notices = operations.watch([uri], interval=0.1)
    try:
        next(notices)
        connection.find_domain("a").destroy()
        wait_until(lambda: len(kept.copies(TPM)) == 1, "no copy was made")
    finally:
        notices.close()
    assert [copy.running for copy in kept.copies()] == [False]


def test_a_watch_copies_the_state_of_what_stops_while_it_is_looked_at(
    connection: Connection, uri: str, kept: Kept, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(connection)
    operations.start(connection, "a", paused=True)
    real = Domain.xml

    def xml(self: Domain, definition: Definition, secure: bool = False) -> str:
        if definition is LIVE and self.is_active():
            self.destroy()
        return real(self, definition, secure)

    notices = operations.watch([uri], interval=0.1)
    try:
        next(notices)
        monkeypatch.setattr(Domain, "xml", xml)
        wait_until(lambda: len(kept.copies(TPM)) == 1, "no copy was made")
    finally:
        notices.close()


def test_what_hinders_a_watch_from_copying_is_logged(
    connection: Connection, uri: str, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    kept.folder.rmdir()
    create(connection)
    operations.start(connection, "a", paused=True)
    notices = operations.watch([uri], interval=0.1)
    try:
        next(notices)
        connection.find_domain("a").destroy()
        wait_until(lambda: bool(caplog.messages), "nothing was said")
    finally:
        notices.close()
    assert "the state of a domain that has stopped was not copied: cannot use the copies" in caplog.messages[0]


def test_a_deleted_domain_comes_back_without_state_of_which_there_is_a_copy(
    connection: Connection, uri: str, kept: Kept
) -> None:
    nvram = place(connection, started_once(connection), NVRAM)
    before = nvram.read_bytes()
    operations.copy_state(connection)
    operations.delete_domain(connection, "a")
    lost = re.compile(r"its NVRAM \S+ \(there is a copy of .*, (less than a|\d+) minutes? old\), its TPM state \S+")
    with raising(STATE_GONE, kinds="nvram, tpm", lost=lost):
        operations.restore_deleted(connection, "a")
    said = done(uri, "history", "restore", "a", "--fresh-tpm")
    assert f"its NVRAM {nvram} is not there: bring back its copy of 2" in said
    with raising(STATE_GONE):
        operations.start(connection, "a", paused=True)
    operations.restore_state(connection, "a")
    assert nvram.read_bytes() == before
    operations.start(connection, "a", paused=True)
