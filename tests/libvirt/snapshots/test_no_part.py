"""What is no part of a snapshot, and what cannot be done with it: said when it is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.domains import domain_xml
from tests.libvirt.images import qcow2, qcow2_disk

CODE = "/usr/share/OVMF/OVMF_CODE_4M.fd"
UEFI = (
    f"<loader readonly='yes' type='pflash'>{CODE}</loader>"
    "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{nvram}</nvram></os>"
)


@pytest.mark.parametrize("state", ["shut off", "running"])
def test_uefi_guest_has_internal_snapshots_where_libvirt_makes_them_and_a_note_names_what_is_no_part(
    connection: Connection, uri: str, tmp_path: Path, state: str
) -> None:
    tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>"
    nvram = tmp_path / "vars.fd"
    text = domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root")) + tpm).replace("</os>", UEFI.format(nvram=nvram))
    domain = connection.define(text)
    if state == "running":
        domain.start()
    result, version = run(uri, "snapshot", "create", "a", "inside"), connection.libvirt_version()
    if state == "shut off" and version >= (9, 3):
        done(uri, "snapshot", "delete", "a", "inside")
    else:
        words = "only where its NVRAM is qcow2" if version >= (10, 10) else "9.3.0 and later do while they are shut off"
        assert (result.exit_code, words in result.stderr) == (1, True)
    shown = done(uri, "snapshot", "create", "a", "one", "--external")
    assert f"note: the UEFI variables ({nvram}) are not part of it" in shown
    assert "note: the TPM's state is not part of it" in shown


@pytest.mark.parametrize(("version", "is_said"), [((11, 3, 0), True), ((12, 1, 0), False)])
def test_that_apparmor_forbids_its_deletion_after_the_next_start_is_said_beforehand(
    connection: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    version: tuple[int, int, int],
    is_said: bool,
) -> None:
    connection.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root"))))
    confined = connection.capabilities().replace(
        "</host>", "<secmodel><model>apparmor</model><doi>0</doi></secmodel></host>"
    )
    monkeypatch.setattr(Connection, "capabilities", lambda self: confined)
    monkeypatch.setattr(Connection, "libvirt_version", lambda self: version)
    made = operations.create_snapshot(connection, "a", "one", external=True)
    assert any("AppArmor" in note for note in made.notes) == is_said


def test_uefi_variables_are_no_part_of_libvirts_own_internal_snapshot(connection: Connection, tmp_path: Path) -> None:
    nvram = tmp_path / "vars.fd"
    text = domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root")))
    named = text.replace("</os>", f"<nvram>{nvram}</nvram></os>").replace("<os>", "<os firmware='efi'>")
    connection.define(named)
    nvram.write_bytes(b"then")
    assert f"({nvram}) are not part" in operations.create_snapshot(connection, "a", "one").notes[0]
    nvram.write_bytes(b"now")
    operations.revert_to_snapshot(connection, "a", "one")
    assert nvram.read_bytes() == b"now"
