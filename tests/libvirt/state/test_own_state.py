"""What a domain has beside its documents, function by function."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.fact import AnyFact, KeptNvram, SeenState
from holdfast.domainxml.host.outlook import Effect
from holdfast.domainxml.host.state_files import StateFile, StateFolders, StateKind
from holdfast.domainxml.metadata import add_facts
from holdfast.errors.firmware import NVRAM_UNFIT, STATE_GONE, STATE_IN_USE
from holdfast.errors.libvirt import GONE
from holdfast.hostfiles.state_file import UNKNOWN, look_at
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import own_state
from holdfast.operations.own_state import (
    ANOTHER,
    all_state_of,
    folders_of,
    left_upgraded,
    look,
    lost_state,
    refuse_lost_state,
    refuse_state_of_others,
    refuse_unfit_nvram,
    state_of,
    state_outlook,
    state_to_record,
    unfit_nvram,
    users_of_state,
    why_not_its_own,
    why_unfit,
)
from tests.libvirt.domains import domain_xml
from tests.libvirt.state.states import CODE, uefi_xml
from tests.raising import raising

UUID = "5b1f0c8e-0000-4000-8000-000000000001"
OTHER = "5b1f0c8e-0000-4000-8000-000000000002"
NVRAM, TPM = StateKind.NVRAM, StateKind.TPM
HERE = os.uname().nodename


@pytest.fixture
def elsewhere(daemon: Connection, remote_uri: str) -> Iterator[Connection]:
    """A libvirt whose URI names another host."""
    with holdfast.connect(remote_uri) as connection:
        yield connection


@pytest.fixture
def files(tmp_path: Path) -> tuple[StateFile, StateFile]:
    """The NVRAM and the TPM state of :func:`document`; both are there."""
    (tmp_path / "vars.fd").touch()
    (tmp_path / "tpm").mkdir()
    (tmp_path / "tpm" / "state").touch()
    return StateFile(NVRAM, f"{tmp_path}/vars.fd"), StateFile(TPM, f"{tmp_path}/tpm")


def uefi(folder: Path, uuid: str = UUID, name: str = "a") -> str:
    """A domain with an NVRAM in ``folder``."""
    return uefi_xml(name, folder / "vars.fd").replace("</name>", f"</name><uuid>{uuid}</uuid>")


def text(folder: Path) -> str:
    """A domain with an NVRAM and a TPM, both in ``folder``; as a libvirt before 10.10 does not define it."""
    tpm = f"<tpm model='tpm-crb'><backend type='emulator' version='2.0'><source type='dir' path='{folder}/tpm'/>"
    return uefi(folder).replace("<devices>", f"<devices>{tpm}</backend></tpm>")


def document(folder: Path, *records: AnyFact) -> Element:
    domain = parse(text(folder))
    if records:
        add_facts(domain, *records)
    return domain


def seen(file: StateFile, born: str = "") -> SeenState:
    """The record of a file that was there at the last start."""
    return SeenState(file.kind, file.path, born)


def gone(*files: StateFile) -> None:
    for file in files:
        Path(file.path).rename(f"{file.path}.gone")


Files = tuple[StateFile, StateFile]


def test_state_is_what_the_document_names_or_libvirt_does(connection: Connection, files: Files, tmp_path: Path) -> None:
    kept = KeptNvram("firmware", "", f"{tmp_path}/old.fd", "<os/>")
    domain = document(tmp_path, kept)
    assert state_of(connection, domain) == [*files]
    assert all_state_of(connection, domain) == [*files, StateFile(NVRAM, f"{tmp_path}/old.fd")]
    folders = folders_of(connection)
    with holdfast.connect("test:///default") as no_qemu:
        assert folders_of(no_qemu) is None
    assert folders is not None and folders.nvram.endswith("/lib/qemu/nvram") and folders.tpm.endswith("/lib/swtpm")
    tpm = parse(
        domain_xml(extra="<tpm><backend type='emulator'/></tpm>").replace("<memory ", f"<uuid>{UUID}</uuid><memory ")
    )
    assert state_of(connection, tpm) == [StateFile(TPM, f"{folders.tpm}/{UUID}/tpm2", is_named=False)]


def test_files_are_looked_at_where_they_are_known_to_be_those_that_libvirt_sees(
    connection: Connection, daemon: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    there, missing = files[0], StateFile(NVRAM, f"{tmp_path}/gone.fd")
    assert look(connection, there) == look(daemon, there) == look_at(there.path)
    assert look(connection, missing).there is False
    assert look(daemon, missing) == look(daemon, missing, seen(missing, "1.0@another")) == UNKNOWN
    assert look(daemon, missing, seen(missing, f"1.0@{HERE}")).there is False
    assert look(elsewhere, there) == look(elsewhere, missing) == UNKNOWN


def test_what_is_seen_is_recorded_and_what_cannot_be_seen_stays_recorded(
    connection: Connection, daemon: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    nvram, _ = files
    old = seen(nvram, "1.0@old")
    now = [seen(file, look_at(file.path).born) for file in files]
    assert state_to_record(connection, document(tmp_path), document(tmp_path, old)) == now
    assert state_to_record(elsewhere, document(tmp_path), document(tmp_path, old)) == [old]
    assert state_to_record(elsewhere, document(tmp_path), document(tmp_path)) == []
    gone(nvram)
    assert state_to_record(connection, document(tmp_path), document(tmp_path, old)) == now[1:]
    was_here = seen(nvram, f"1.0@{HERE}")
    assert state_to_record(daemon, document(tmp_path), document(tmp_path, old)) == [old, *now[1:]]
    assert state_to_record(daemon, document(tmp_path), document(tmp_path, was_here)) == now[1:]
    bios = parse(domain_xml())
    assert state_to_record(connection, bios, document(tmp_path, old)) == []
    assert state_to_record(connection, document(tmp_path), bios) == now[1:]


def test_what_was_recorded_and_is_not_there_is_lost(
    connection: Connection, daemon: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    nvram, tpm = files
    both = document(tmp_path, seen(nvram), seen(tpm))
    assert lost_state(connection, both) == []
    gone(nvram, tpm)
    assert lost_state(connection, both) == [nvram, tpm]
    assert lost_state(connection, document(tmp_path, seen(tpm))) == [tpm]
    assert lost_state(connection, document(tmp_path)) == []
    assert lost_state(elsewhere, both) == lost_state(daemon, both) == []
    assert lost_state(daemon, document(tmp_path, seen(nvram), seen(tpm, f"1.0@{HERE}"))) == [tpm]
    lost = [f"its NVRAM {nvram.path}", f"its TPM state {tpm.path}"]
    with raising(STATE_GONE, name="a", lost=lost, kinds=["nvram", "tpm"]):
        refuse_lost_state(connection, "a", both)
    with raising(STATE_GONE, name="a", lost=lost[1:], kinds=["tpm"]):
        refuse_lost_state(connection, "a", both, ["nvram"])
    refuse_lost_state(connection, "a", both, ["nvram", "tpm"])
    refuse_lost_state(connection, "a", document(tmp_path))


def told(
    connection: Connection, config: Element, live: Element | None = None, fresh: tuple[str, ...] = ()
) -> list[tuple[Effect, str, str]]:
    every = state_outlook(connection, config, live=live, fresh=fresh)
    return [(each.effect, each.part, each.sentence) for each in every]


def test_what_there_is_to_know_before_a_start(
    connection: Connection, daemon: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    nvram, tpm = files
    plain, both = document(tmp_path), document(tmp_path, seen(nvram), seen(tpm))
    assert told(connection, plain) == told(connection, both) == []
    unseen = [
        (Effect.UNKNOWN, str(file.kind), f"whether its {file} is there cannot be seen from here") for file in files
    ]
    assert told(elsewhere, plain) == told(elsewhere, both) == unseen
    gone(nvram, tpm)
    assert told(connection, plain) == [
        (Effect.NOTE, str(file.kind), f"its {file} is yet to be made: a start does that") for file in files
    ]
    assert told(connection, plain, live=plain) == unseen
    assert told(connection, plain, live=parse(domain_xml())) == told(connection, plain)
    blocks = [(Effect.BLOCKS, str(file.kind), f"its {file} is gone") for file in files]
    assert told(connection, both) == told(connection, both, live=both) == blocks
    assert told(daemon, both) == unseen
    was_here = document(tmp_path, *(seen(file, f"1.0@{HERE}") for file in files))
    assert told(daemon, was_here) == blocks
    anew = (Effect.CHANGES, "tpm", f"its {tpm} is gone, and is made anew")
    assert told(connection, both, fresh=("tpm",)) == [blocks[0], anew]


def test_another_file_than_at_the_last_start_is_told(connection: Connection, files: Files, tmp_path: Path) -> None:
    nvram, tpm = files
    same, other = look_at(tpm.path).born, f"1.000000001@{HERE}"
    sentence = f"its {tpm} {ANOTHER}"
    assert told(connection, document(tmp_path, seen(tpm, same))) == []
    changed = document(tmp_path, seen(tpm, other))
    assert told(connection, changed) == [(Effect.CHANGES, "tpm", sentence)]
    assert told(connection, changed, live=changed) == [(Effect.NOTE, "tpm", sentence)]
    assert told(connection, document(tmp_path, seen(tpm, "1.0@another"))) == []
    assert told(connection, document(tmp_path, SeenState(TPM, "/another", other))) == []
    changed = document(tmp_path, seen(nvram, other))
    assert told(connection, changed) == [(Effect.CHANGES, "nvram", f"its {nvram} {ANOTHER}")]


def flash(folder: Path, code: int, variables: int) -> Element:
    """A domain whose firmware and NVRAM have these sizes, in KiB."""
    for name, size in (("code.fd", code), ("vars.fd", variables)):
        with (folder / name).open("wb") as file:
            file.truncate(size << 10)
    return parse(text(folder).replace(CODE, f"{folder}/code.fd"))


def test_variables_of_another_build_do_not_fit(
    connection: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    fits = flash(tmp_path, 4096 - 528, 528)
    assert unfit_nvram(connection, fits) is None
    refuse_unfit_nvram(connection, "a", fits)
    for code, variables in ((4096 - 528, 1), (1, 528)):
        assert unfit_nvram(connection, flash(tmp_path, code, variables)) is None
    unfit = flash(tmp_path, 4096 - 528, 128)
    why = f"its NVRAM {tmp_path}/vars.fd belongs to a 2 MB firmware, but {tmp_path}/code.fd is a 4 MB build"
    assert unfit_nvram(connection, unfit) == why
    assert told(connection, unfit) == [(Effect.BLOCKS, "firmware", why)]
    with raising(NVRAM_UNFIT, name="a", why=why):
        refuse_unfit_nvram(connection, "a", unfit)
    assert unfit_nvram(elsewhere, unfit) is None
    assert why_unfit(connection, None, files[0]) is None
    assert unfit_nvram(connection, parse(domain_xml())) is None


def test_state_of_another_domain_is_refused(connection: Connection, files: Files, tmp_path: Path) -> None:
    nvram, _ = files
    mine = document(tmp_path)
    refuse_state_of_others(connection, mine)
    connection.define(uefi(tmp_path))
    refuse_state_of_others(connection, mine)
    connection.define(domain_xml("c"))
    other = connection.define(uefi(tmp_path, OTHER, "b"))
    assert users_of_state(connection, UUID, files) == {nvram.path: "b"}
    with raising(STATE_IN_USE, file=nvram, user="b"):
        refuse_state_of_others(connection, mine)
    assert users_of_state(connection, OTHER, files) == {nvram.path: "a"}
    other.undefine(keep_nvram=True)
    assert users_of_state(connection, UUID, files) == {}


def test_where_there_is_no_state_nobody_is_asked_for_its_users(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_state, "inventory", lambda _: pytest.fail("asked"))
    assert users_of_state(connection, UUID, []) == {}


def test_state_is_the_file_that_it_is_whatever_it_is_called(
    connection: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    nvram, link = files[0], StateFile(NVRAM, f"{tmp_path}/link.fd")
    Path(link.path).hardlink_to(nvram.path)
    connection.define(uefi(tmp_path))
    elsewhere.define(uefi(tmp_path))
    assert users_of_state(connection, OTHER, [link]) == {link.path: "a"}
    assert users_of_state(elsewhere, OTHER, [link]) == {}
    assert users_of_state(elsewhere, OTHER, [nvram]) == {nvram.path: "a"}


def test_domain_that_vanishes_meanwhile_has_no_state(
    connection: Connection, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, uuid in (("a", UUID), ("z", OTHER)):
        connection.define(uefi(tmp_path, uuid, name))
    read = Domain.xml

    def vanished(self: Domain, definition: Definition) -> str:
        if self.name == gone_first[0]:
            raise GONE(reason="Domain not found")
        return read(self, definition)

    monkeypatch.setattr(Domain, "xml", vanished)
    for gone_first in (["a", "z"], ["z", "a"]):
        assert users_of_state(connection, "", files) == {files[0].path: gone_first[1]}


def test_both_documents_and_what_is_kept_of_an_upgrade_are_looked_at(
    connection: Connection, files: Files, tmp_path: Path
) -> None:
    config = parse(uefi(tmp_path))
    add_facts(config, KeptNvram("firmware", "", f"{tmp_path}/old.fd", "<os/>"))
    domain = connection.define(serialize(config))
    old, new = (StateFile(NVRAM, f"{tmp_path}/{name}.fd") for name in ("old", "new"))
    assert users_of_state(connection, OTHER, [old]) == {old.path: "a"}
    Path(files[0].path).unlink()
    domain.start(paused=True)
    connection.define(uefi(tmp_path).replace("vars.fd", "new.fd"))
    assert users_of_state(connection, OTHER, [files[0], new]) == {files[0].path: "a", new.path: "a"}
    domain.undefine(keep_nvram=True)
    assert users_of_state(connection, OTHER, [files[0], new]) == {files[0].path: "a"}


def test_nvram_is_its_own_by_a_record_its_name_or_its_folder(
    connection: Connection, elsewhere: Connection, files: Files, tmp_path: Path
) -> None:
    nvram, tpm = files
    not_known = "it is not in libvirt's folder, and no record says whose it is"
    config = document(tmp_path)
    assert why_not_its_own(connection, config, nvram) == why_not_its_own(elsewhere, config, nvram) == not_known
    assert why_not_its_own(connection, config, tpm) is None
    assert why_not_its_own(connection, document(tmp_path, seen(nvram)), nvram) is None
    assert why_not_its_own(connection, document(tmp_path, seen(tpm)), nvram) == not_known
    named = StateFile(NVRAM, f"{tmp_path}/{UUID}_VARS.fd")
    assert why_not_its_own(connection, config, named) is None
    assert why_not_its_own(connection, config, StateFile(NVRAM, f"{tmp_path}/{OTHER}_VARS.fd")) == not_known
    assert why_not_its_own(connection, parse(domain_xml()), nvram) == not_known
    Path(named.path).hardlink_to(nvram.path)
    assert why_not_its_own(connection, config, named) == "it has another name, too (a hard link)"
    assert why_not_its_own(elsewhere, config, named) is None


def test_nvram_in_libvirts_folder_is_its_own_by_whatever_name_the_folder_has(
    connection: Connection, elsewhere: Connection, tmp_path: Path
) -> None:
    config = document(tmp_path)
    for each in (connection, elsewhere):
        folders = folders_of(each)
        assert isinstance(folders, StateFolders)
        assert why_not_its_own(each, config, StateFile(NVRAM, f"{folders.nvram}/x_VARS.fd")) is None
    folders = folders_of(connection)
    assert folders is not None
    (tmp_path / "link").symlink_to(folders.nvram)
    assert why_not_its_own(connection, config, StateFile(NVRAM, f"{tmp_path}/link/x_VARS.fd")) is None
    far = folders_of(elsewhere)
    assert far is not None
    (tmp_path / "far").symlink_to(far.nvram)
    assert why_not_its_own(elsewhere, config, StateFile(NVRAM, f"{tmp_path}/far/x_VARS.fd")) is not None


def test_what_upgrades_have_left_is_what_is_not_used(tmp_path: Path) -> None:
    config = document(tmp_path, KeptNvram("firmware", "", f"{tmp_path}/{UUID}_VARS-4M.fd", "<os/>"))
    assert left_upgraded(config) == []
    for name in (f"{UUID}_VARS-4M.fd", f"{UUID}_VARS-4M-2.fd", f"{UUID}_VARS-2023.fd", f"{OTHER}_VARS-4M.fd", "x"):
        (tmp_path / name).touch()
    assert left_upgraded(config) == [f"{tmp_path}/{UUID}_VARS-2023.fd", f"{tmp_path}/{UUID}_VARS-4M-2.fd"]
    used = parse(text(tmp_path).replace("vars.fd", f"{UUID}_VARS-2023.fd"))
    assert f"{tmp_path}/{UUID}_VARS-2023.fd" not in left_upgraded(used)
    (tmp_path / "_VARS-4M.fd").touch()
    assert left_upgraded(parse(uefi_xml("a", tmp_path / "vars.fd"))) == left_upgraded(parse(domain_xml())) == []
