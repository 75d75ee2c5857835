"""OVMF itself says it: after both upgrades of its NVRAM the guest has its boot entry, its variables and its keys."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.guest import Guest
from holdfast_lab.probe_image import ProbeImage
from tests.guest.test_identity import VARIABLE, variables
from tests.libvirt.domains import CONFIG

EFIVARS = "/sys/firmware/efi/efivars"
ENTRY = f"{EFIVARS}/Boot0099-8be4df61-93ca-11d2-aa0d-00e098032b8c"
DB = f"{EFIVARS}/db-d719b2cb-3d3a-4596-a3bc-dad00e67656f"
OLD, NEW = "Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023"
LOAD_OPTION = "\\007\\000\\000\\000\\001\\000\\000\\000\\004\\000k\\000e\\000p\\000t\\000\\000\\000\\177\\377\\004\\000"
"""Attributes of the variable, then EFI_LOAD_OPTION: active, 4 bytes of path, the title "kept", the end of the path."""


def with_old_firmware(connection: Connection, images: Path) -> None:
    """Let the domain "a" have a firmware of 2 MB, and an NVRAM with Microsoft's certificates of 2011.

    It has no PK: this firmware would do Secure Boot then, and refuse the probe guest, which nobody has signed.
    """
    program = importlib.util.find_spec("virt.firmware")
    assert program is not None
    certificates = Path((program.submodule_search_locations or [""])[0]) / "certs" / "microsoft.com"
    owner = str(uuid.uuid4())
    keys = [f"--add-kek {owner} {certificates}/ms-kek-2011.pem", f"--add-db {owner} {certificates}/ms-uefi-2011.pem"]
    files = f"--input /usr/share/OVMF/OVMF_VARS.fd --output {images}/a_VARS.fd"
    command = [sys.executable, "-m", "virt.firmware.vars", *" ".join([files, *keys]).split()]
    subprocess.run(command, check=True, capture_output=True)
    document = connection.find_domain("a").xml(CONFIG)
    before, _, rest = document.partition("<nvram")
    named = f"<nvram template='/usr/share/OVMF/OVMF_VARS.fd'>{images}/a_VARS.fd</nvram>"
    document = before + named + rest.partition("</nvram>")[2]
    connection.define(document.replace("OVMF_CODE_4M.fd", "OVMF_CODE.fd"))


def seen(guest: Guest) -> str:
    """What a guest sees of the variable and the boot entry that it has written."""
    return variables(guest) + guest.run(f"md5sum <{ENTRY}; :")


def certificates_in(guest: Guest, variable: str, *names: str) -> list[str]:
    """Which of these certificates its firmware has in a variable."""
    return [name for name in names if guest.run(f"grep -c '{name}' {variable}; :") == "1"]


def boot(connection: Connection, guest: Guest) -> None:
    operations.start(connection, "a")
    guest.wait_for_boot()


@pytest.mark.skipif(
    not Path("/usr/share/OVMF/OVMF_CODE.fd").exists(), reason="this system has no OVMF of 2 MB to move from"
)
def test_ovmf_finds_its_entry_and_its_keys_after_the_upgrades(
    connection: Connection, probe: ProbeImage, images: Path
) -> None:
    root = DiskSpec(path=str(images / "a.img"), format="raw", copy_from=str(probe.disk), source_format="raw")
    operations.create_domain(
        connection, "a", DomainSpec(memory=256 << 20, firmware="uefi", disks=(root,), graphics="none")
    )
    with_old_firmware(connection, images)
    guest = Guest(connection.find_domain("a"))
    try:
        boot(connection, guest)
        guest.run(f"grep -q efivarfs /proc/mounts || mount -t efivarfs none {EFIVARS}")
        guest.run(f"printf '\\007\\000\\000\\000kept' >{VARIABLE}; printf '{LOAD_OPTION}' >{ENTRY}")
        before = seen(guest)
        assert before.startswith("kept")
        assert certificates_in(guest, DB, OLD, NEW) == [OLD]
        operations.destroy(connection, "a")

        upgraded = operations.upgrade_firmware(connection, "a")
        assert ("kept" in upgraded.entries, upgraded.keys) == (True, ("KEK", "db"))
        boot(connection, guest)
        assert seen(guest) == before
        assert certificates_in(guest, DB, OLD, NEW) == [OLD]
        operations.destroy(connection, "a")

        operations.upgrade_certificates(connection, "a")
        boot(connection, guest)
        assert seen(guest) == before
        assert certificates_in(guest, DB, OLD, NEW) == [OLD, NEW]
    finally:
        guest.close()
