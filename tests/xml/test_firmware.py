"""Firmware descriptors: read and chosen from as QEMU's specification and libvirt have it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.raising import raising

from holdfast.errors import files
from holdfast.hostfiles.firmware.descriptors import choose_firmware, read_firmwares


def descriptor(
    folder: Path, name: str, *features: str, machine: str = "pc-q35-*", changes: dict[str, Any] | None = None
) -> str:
    """Write a descriptor and the files it names; returns the code file's path."""
    folder.mkdir(exist_ok=True)
    code, template = folder / f"{name}.code", folder / f"{name}.vars"
    for file in (code, template):
        file.touch()
    content = {
        "interface-types": ["uefi"],
        "mapping": {
            "device": "flash",
            "executable": {"filename": str(code), "format": "raw"},
            "nvram-template": {"filename": str(template), "format": "raw"},
        },
        "targets": [{"architecture": "x86_64", "machines": [machine]}],
        "features": list(features),
    }
    (folder / f"{name}.json").write_text(json.dumps(content | (changes or {})))
    return str(code)


def choose(*folders: Path, machine: str = "pc-q35-7.2", **wishes: Any) -> str:
    return choose_firmware(arch="x86_64", machine=machine, folders=[str(f) for f in folders], **wishes).loader


def test_first_that_fits_is_chosen(tmp_path: Path) -> None:
    secure = descriptor(tmp_path, "40", "secure-boot", "enrolled-keys", "requires-smm")
    empty = descriptor(tmp_path, "50", "secure-boot", "requires-smm")
    plain = descriptor(tmp_path, "60")
    assert choose(tmp_path) == secure
    assert choose(tmp_path, secure_boot=True, enrolled_keys=False) == empty
    assert choose(tmp_path, secure_boot=False) == plain
    assert choose(tmp_path, smm=False) == plain
    assert choose(tmp_path, loaders=[empty]) == empty


def test_a_template_in_qcow2_is_for_a_libvirt_that_can_use_it(tmp_path: Path) -> None:
    code = str(tmp_path / "40.code")
    template = {"filename": str(tmp_path / "40.vars"), "format": "qcow2"}
    mapping = {"device": "flash", "executable": {"filename": code, "format": "raw"}, "nvram-template": template}
    descriptor(tmp_path, "40", changes={"mapping": mapping})
    plain = descriptor(tmp_path, "60")
    assert choose(tmp_path) == plain
    assert choose(tmp_path, formats=["raw", "qcow2"]) == code


def test_an_upgrade_goes_to_no_old_build(tmp_path: Path) -> None:
    old, new = descriptor(tmp_path, "40"), descriptor(tmp_path, "60")
    with Path(old).open("wb") as file:
        file.truncate((2 << 20) - (128 << 10))
    assert choose(tmp_path) == old
    assert choose(tmp_path, is_upgrade=True) == new


def test_descriptor_of_the_administrator_hides_that_of_the_package(tmp_path: Path) -> None:
    package, admin = tmp_path / "usr", tmp_path / "etc"
    descriptor(package, "40")
    descriptor(package, "50")
    mine = descriptor(admin, "50")
    (admin / "40.json").touch()
    assert choose(package, admin) == mine


def test_what_does_not_fit_is_left_out(tmp_path: Path) -> None:
    descriptor(tmp_path, "10", changes={"interface-types": ["bios"]})
    descriptor(tmp_path, "20", changes={"mapping": {"device": "memory", "filename": "/x"}})
    descriptor(tmp_path, "30", machine="virt-*")
    gone = descriptor(tmp_path, "40")
    Path(gone).unlink()
    with raising(files.NO_FIRMWARE_WITH_SECURE_BOOT, machine="pc-q35-7.2"):
        choose(tmp_path, secure_boot=True)
    with raising(files.NO_FIRMWARE_WITHOUT_SECURE_BOOT):
        choose(tmp_path, secure_boot=False)
    with raising(files.NO_FIRMWARE):
        choose(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"interface-types": ["uefi"]}'])
def test_damaged_descriptor_is_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "10.json").write_text(text)
    with raising(files.DAMAGED_DESCRIPTOR, path=tmp_path / "10.json"):
        read_firmwares([str(tmp_path)])


def test_no_folder_is_no_firmware(tmp_path: Path) -> None:
    assert read_firmwares([str(tmp_path / "nope")]) == []
