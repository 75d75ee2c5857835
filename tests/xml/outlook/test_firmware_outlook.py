"""The firmware file and its variables."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from tests.xml.outlook.told import Q35, UNKNOWN, Libvirt, domain, found, host, loader

from holdfast.domainxml.document import Element, canonical, parse, serialize
from holdfast.domainxml.elements.firmware import set_firmware
from holdfast.domainxml.host.capabilities import CAPABILITIES_UNKNOWN, Capabilities
from holdfast.errors.files import NO_FIRMWARE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host import outlook
from holdfast.operations.host.outlook import KnownGuest


def chooses(monkeypatch: pytest.MonkeyPatch, chosen: str | None) -> None:
    """Let libvirt's choice of a firmware be this one; None: there is none that fits."""

    def name_firmware(connection: Connection, document: Element, capabilities: Capabilities) -> None:
        assert capabilities.machine == "pc-q35-7.2" and isinstance(connection, Libvirt)
        if chosen is None:
            raise NO_FIRMWARE(machine=capabilities.machine)
        set_firmware(document, loader=chosen, template="/t", smm=False)

    monkeypatch.setattr(outlook, "name_firmware", name_firmware)


def asking() -> Element:
    """A document that leaves its firmware to libvirt."""
    return parse(serialize(domain()).replace("<os>", "<os firmware='efi'>"))


def test_of_firmware_elsewhere_is_told_whether_libvirt_lists_it() -> None:
    listed = "/usr/share/OVMF/OVMF_CODE_4M.fd"
    assert found(Libvirt(), domain(os=loader(listed))) == [
        ("unknown", f"{listed} exists; its content cannot be read from here")
    ]
    assert found(Libvirt(), domain(os=loader("/own.fd"))) == [
        ("unknown", "/own.fd is not among the firmware that libvirt lists, and cannot be looked for from here")
    ]
    chosen = ("unknown", "libvirt chooses the UEFI files at each start (firmware='efi'): not readable from here")
    assert found(Libvirt(), asking()) == [chosen]


def test_a_firmware_file_is_the_same_build_or_another_or_not_there(tmp_path: Path) -> None:
    code, local = tmp_path / "code.fd", Libvirt(is_local=True)
    document = domain(os=loader(code))
    listed = ", ".join(f"/usr/share/OVMF/OVMF_CODE_4M{each}.fd" for each in (".ms", ".secboot", ""))
    assert found(local, document) == [("blocks", f"there is no firmware file {code} (the host has {listed})")]
    unlisted = Libvirt(
        is_local=True, told=Q35.replace("<value>/usr/share/OVMF", "<other>").replace(".fd</value>", "</other>")
    )
    assert found(unlisted, document) == [("blocks", f"there is no firmware file {code}")]
    code.write_text("one")
    digest = hashlib.sha256(b"one").hexdigest()
    assert found(local, document) == [("unknown", f"which build of {code} the guest started with before is not known")]
    assert found(local, document, KnownGuest(firmware=digest)) == []
    assert found(local, document, KnownGuest(firmware="other")) == [
        ("changes", f"{code} is another build than at the last start")
    ]
    assert found(local, domain(os=loader(tmp_path))) == [("unknown", f"cannot read {tmp_path}: Is a directory")]
    parts = {each.part for each in host(local).hardware(document, UNKNOWN)}
    assert parts == {"firmware"}


def test_a_firmware_that_libvirt_chooses_is_compared_with_the_one_it_chose(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, local = tmp_path / "code.fd", Libvirt(is_local=True)
    code.write_text("one")
    chooses(monkeypatch, str(code))
    document = asking()
    before = canonical(document)
    unknown = ("unknown", f"which build of {code} the guest started with before is not known")
    assert found(local, document) == found(local, document, KnownGuest(loader=str(code))) == [unknown]
    assert found(local, document, KnownGuest(loader="/old.fd")) == [
        ("changes", f"the firmware becomes {code}, was /old.fd")
    ]
    assert canonical(document) == before
    chooses(monkeypatch, None)
    assert found(local, document) == [("blocks", NO_FIRMWARE(machine="pc-q35-7.2").message)]


def test_variables_that_libvirt_has_no_template_for_must_be_there(tmp_path: Path) -> None:
    code = tmp_path / "code.fd"
    code.write_text("one")
    known = KnownGuest(firmware=hashlib.sha256(b"one").hexdigest())
    variables = f"<nvram>{tmp_path}/vars.fd</nvram>"
    document = domain(os=loader(code, variables))
    here = Libvirt(is_local=True)
    lack = f"there is no NVRAM {tmp_path}/vars.fd, and libvirt knows no template for {code} to make it from"
    assert found(here, document, known) == [("blocks", lack)]
    listed = Q35.replace("/usr/share/OVMF/OVMF_CODE_4M.fd", str(code))
    for libvirt, nvram in (
        (Libvirt(is_local=True, is_usual=False), variables),
        (Libvirt(is_local=True, told=listed), variables),
        (here, variables.replace("<nvram>", "<nvram template='/t'>")),
        (here, ""),
    ):
        assert found(libvirt, domain(os=loader(code, nvram)), known) == []
    readonly = Libvirt(is_local=True, readonly=True)
    assert found(readonly, document, known) == [("unknown", CAPABILITIES_UNKNOWN)]
    unlisted = "/own.fd is not among the firmware that libvirt lists, and cannot be looked for from here"
    assert found(Libvirt(), domain(os=loader("/own.fd", variables)), known) == [("unknown", unlisted)]
    (tmp_path / "vars.fd").touch()
    assert found(here, document, known) == []
