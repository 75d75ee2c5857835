"""What expires of a domain's firmware is found by ``holdfast audit``, and what does not fit keeps it from starting."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import firmware, guard
from holdfast.hostfiles.firmware.flash import SUCCESSORS
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.report import FindingKind
from tests.libvirt.domains import CONFIG
from tests.libvirt.look.test_audit import RNG, found, sealed
from tests.libvirt.state.states import CODE, VARS
from tests.raising import raising

SIZES = {"2 MB": (1_966_080, 131_072), "4 MB": (3_653_632, 540_672)}
EXPIRING = {FindingKind.EXPIRING_FIRMWARE, FindingKind.EXPIRING_CERTIFICATES}


def sized(path: Path, size: int) -> Path:
    with path.open("wb") as file:
        file.truncate(size)
    return path


def with_flash(folder: Path, code: str, variables: str, template: Path | str = VARS, secure: bool = False) -> str:
    """A domain whose firmware and NVRAM have the size of these builds."""
    loader = sized(folder / "code.fd", SIZES[code][0])
    nvram = sized(folder / "vars.fd", SIZES[variables][1])
    word = " secure='yes'" if secure else ""
    named = f"<loader readonly='yes'{word} type='pflash'>{loader}</loader><nvram template='{template}'>{nvram}</nvram>"
    return with_os(named, smm=secure)


def with_os(named: str, *, smm: bool = False, extra: str = "") -> str:
    document = sealed(extra=extra).replace("</os>", f"{named}</os>")
    return document.replace("<acpi/>", "<acpi/><smm state='on'/>") if smm else document


def said(connection: Connection) -> list[tuple[FindingKind, str]]:
    kinds = EXPIRING | {FindingKind.WOULD_NOT_START, FindingKind.NO_RNG, FindingKind.EXPIRING_MACHINE}
    return [(finding.kind, finding.sentence) for finding in found(connection) if finding.kind in kinds]


def test_a_firmware_that_the_next_release_does_not_have(connection: Connection, tmp_path: Path) -> None:
    connection.define(with_flash(tmp_path, "2 MB", "2 MB"))
    ((kind, sentence),) = said(connection)
    assert kind is FindingKind.EXPIRING_FIRMWARE
    assert sentence.startswith(f"its firmware {tmp_path}/code.fd is a 2 MB build")


def test_nothing_is_found_in_a_firmware_of_today(connection: Connection, tmp_path: Path) -> None:
    connection.define(with_flash(tmp_path, "4 MB", "4 MB"))
    assert said(connection) == []


def test_a_template_that_the_host_has_no_more(connection: Connection, tmp_path: Path) -> None:
    connection.define(with_flash(tmp_path, "4 MB", "4 MB", tmp_path / "gone.fd"))
    ((kind, sentence),) = said(connection)
    assert kind is FindingKind.EXPIRING_FIRMWARE
    assert sentence.startswith(f"{tmp_path}/gone.fd, from which")


def test_a_firmware_that_would_not_find_its_variables_does_not_start(connection: Connection, tmp_path: Path) -> None:
    connection.define(with_flash(tmp_path, "4 MB", "2 MB"))
    ((kind, sentence),) = said(connection)
    assert kind is FindingKind.WOULD_NOT_START
    assert "vars.fd belongs to a 2 MB firmware" in sentence
    assert sentence in [str(outlook) for outlook in operations.plan_reboot(connection, "a").outlooks if outlook.stops]
    with raising(firmware.NVRAM_UNFIT, name="a", why=sentence):
        operations.start(connection, "a", paused=True)
    assert not connection.find_domain("a").is_active()


def test_an_edit_to_a_firmware_that_would_not_find_the_variables_is_refused(
    connection: Connection, tmp_path: Path
) -> None:
    small, large = tmp_path / "2", tmp_path / "4"
    for folder in (small, large):
        folder.mkdir()
    domain = connection.define(with_flash(small, "2 MB", "2 MB"))
    before = domain.xml(CONFIG, secure=True)
    edited = before.replace(f"{small}/code.fd", str(sized(large / "code.fd", SIZES["4 MB"][0])))
    changes = (
        f"os: loader is {large}/code.fd, was {small}/code.fd",
        f"its NVRAM {small}/vars.fd belongs to a 2 MB firmware, but {large}/code.fd is a 4 MB build",
    )
    with raising(guard.UNASKED_EDIT, changes=changes):
        operations.edit_domain(connection, "a", before, edited)
    assert domain.xml(CONFIG, secure=True) == before


@pytest.mark.parametrize("secure", [True, False])
def test_secure_boot_with_certificates_of_2011_only(connection: Connection, tmp_path: Path, secure: bool) -> None:
    connection.define(with_flash(tmp_path, "4 MB", "4 MB", secure=secure))
    nvram = tmp_path / "vars.fd"
    assert said(connection) == []
    for names, lacking in ((["of_2011"], True), (["of_2011", "of_2023"], False)):
        content = b"\0".join(getattr(each, name).encode() for each in SUCCESSORS for name in names)
        nvram.write_bytes(content.ljust(SIZES["4 MB"][1], b"\xff"))
        assert [kind for kind, _ in said(connection)] == [FindingKind.EXPIRING_CERTIFICATES] * lacking


def test_debians_own_template_has_certificates_of_2011(connection: Connection, tmp_path: Path) -> None:
    connection.define(with_flash(tmp_path, "4 MB", "4 MB", secure=True))
    shutil.copy("/usr/share/OVMF/OVMF_VARS_4M.ms.fd", tmp_path / "vars.fd")
    ((kind, sentence),) = said(connection)
    assert kind is FindingKind.EXPIRING_CERTIFICATES
    assert SUCCESSORS[0].of_2023 in sentence and sentence.endswith("(and 3 more of 2023)")


NETWORK = (
    "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/>{}<alias name='ua-n'/></interface>"
)
FLASH = f"<loader readonly='yes' type='pflash'>{CODE}</loader><nvram template='{VARS}'/>"


@pytest.mark.parametrize(
    ("named", "boot", "extra", "found"),
    [
        (FLASH, "<boot order='1'/>", "", True),
        (FLASH, "", "", False),
        (FLASH, "<boot order='1'/>", RNG, False),
        ("", "<boot order='1'/>", "", False),
    ],
)
def test_uefi_that_boots_from_the_network_without_an_rng(
    connection: Connection, named: str, boot: str, extra: str, found: bool
) -> None:
    connection.define(with_os(named, extra=NETWORK.format(boot) + extra))
    assert [kind for kind, _ in said(connection)] == [FindingKind.NO_RNG] * found


def test_a_machine_type_that_no_qemu_of_today_brings_any_more(connection: Connection) -> None:
    connection.define(sealed("a", "pc-q35-4.0"))
    ((kind, sentence),) = said(connection)
    assert kind is FindingKind.EXPIRING_MACHINE
    assert sentence.endswith("QEMU 10.1 (2025-08) no longer has it")
