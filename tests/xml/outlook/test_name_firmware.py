"""The files that ``firmware='efi'`` means on a host, in a document: all that it demands is asked of the host's."""

from __future__ import annotations

from typing import cast

import pytest
from tests.raising import raising
from tests.xml.outlook.told import Q35, Libvirt, domain

from holdfast.domainxml.document import Element, canonical, parse, serialize
from holdfast.domainxml.elements.firmware import set_firmware
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.errors.hosts import FIRMWARE_ELSEWHERE
from holdfast.hostfiles.firmware.descriptors import Firmware
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host import name_firmware as module
from holdfast.operations.host.name_firmware import firmware_formats, name_firmware

CAPABILITIES = read_capabilities(Q35)
FOUND = Firmware("/code", "/vars", {}, frozenset({"requires-smm"}), "qcow2", "qcow2")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """What was asked of this host's firmware, which is always FOUND."""
    asked: list[dict[str, object]] = []

    def choose(**demands: object) -> Firmware:
        asked.append(demands)
        return FOUND

    monkeypatch.setattr(module, "choose_firmware", choose)
    return asked


def document(inner: str = "", features: str = "") -> Element:
    """A document that asks for UEFI."""
    text = serialize(domain()).replace("<os>", "<os firmware='efi'>").replace("</os>", f"{inner}</os>{features}")
    return parse(text)


def name(document: Element, libvirt: Libvirt) -> None:
    name_firmware(cast(Connection, libvirt), document, CAPABILITIES)


def test_all_that_a_document_demands_is_asked_for(asked: list[dict[str, object]]) -> None:
    loaders = CAPABILITIES.loaders
    general = {"arch": "x86_64", "machine": "pc-q35-7.2", "loaders": loaders, "formats": ("raw",)}
    nothing = {"secure_boot": None, "enrolled_keys": None, "smm": None}
    name(document(), Libvirt(is_local=True))
    secure = "<feature enabled='yes' name='secure-boot'/><feature enabled='no' name='enrolled-keys'/>"
    smm = "<features><smm state='off'/></features>"
    name(document(f"<firmware>{secure}</firmware>", smm), Libvirt(is_local=True, version=(10, 10, 0)))
    assert asked == [
        general | nothing,
        general | {"secure_boot": True, "enrolled_keys": False, "smm": False, "formats": ("raw", "qcow2")},
    ]


def test_what_was_found_is_named(asked: list[dict[str, object]]) -> None:
    named, expected = document(), document()
    name(named, Libvirt(is_local=True))
    files = {"loader": "/code", "template": "/vars", "format": "qcow2", "template_format": "qcow2"}
    set_firmware(expected, smm=True, **files)
    assert canonical(named) == canonical(expected)


def test_a_document_that_asks_for_none_is_left_alone_and_elsewhere_nobody_can_tell(
    asked: list[dict[str, object]],
) -> None:
    plain = domain()
    name(plain, Libvirt())
    assert canonical(plain) == canonical(domain())
    with raising(FIRMWARE_ELSEWHERE, uri="qemu+ssh://elsewhere/system"):
        name(document(), Libvirt(uri="qemu+ssh://elsewhere/system"))
    assert asked == []


@pytest.mark.parametrize(
    ("version", "formats"), [((10, 9, 9), ("raw",)), ((10, 10, 0), ("raw", "qcow2")), ((11, 0, 0), ("raw", "qcow2"))]
)
def test_qcow2_is_for_a_libvirt_that_can_put_it_into_a_snapshot(
    version: tuple[int, int, int], formats: tuple[str, ...]
) -> None:
    assert firmware_formats(cast(Connection, Libvirt(version=version))) == formats
