"""How many controllers an address asks for that a document does not have."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.places.controllers import (
    count_missing_controllers,
    missing_controllers,
    scsi_controller_of,
    with_indexes,
)

NUMBERED = parse(
    "<domain><devices><controller type='pci' index='0'/><controller type='pci' index='1'/>"
    "<controller type='pci' index='3'/><controller type='scsi' index='0'/></devices></domain>"
)
DOMAIN = parse(
    "<domain><devices><controller type='pci' index='0'/><controller type='pci' index='1'/><controller type='pci'"
    " index='3'/><controller type='scsi' index='0'/><controller type='scsi'/><controller type='scsi'/></devices>"
    "</domain>"
)


@pytest.mark.parametrize(
    ("device", "lacking"),
    [
        ("<rng/>", ("", 0)),
        ("<rng><address type='pci'/></rng>", ("", 0)),
        ("<rng><address type='pci' bus='0x01' slot='0'/></rng>", ("pci", 0)),
        ("<rng><address type='pci' bus='0x02' slot='0'/></rng>", ("pci", 1)),
        ("<rng><address type='pci' bus='0x40' slot='0'/></rng>", ("pci", 62)),
        ("<disk><target bus='scsi'/><address type='drive' controller='7'/></disk>", ("scsi", 7)),
        ("<disk><target bus='sata'/><address type='drive' controller='1'/></disk>", ("sata", 2)),
        ("<disk><target bus='sata'/><address type='drive' controller='9999999999'/></disk>", ("sata", 10_000_000_000)),
        ("<channel><address type='virtio-serial' controller='much'/></channel>", ("virtio-serial", 0)),
    ],
)
def test_controllers_up_to_the_one_that_an_address_names_are_lacking(device: str, lacking: tuple[str, int]) -> None:
    assert count_missing_controllers(parse(device), NUMBERED) == lacking


def test_controllers_without_an_index_get_the_first_that_is_free() -> None:
    found = [controller.get("index") for controller in with_indexes(DOMAIN).iterfind("devices/controller")]
    assert found == ["0", "1", "3", "0", "1", "2"]
    assert [each.get("index") for each in DOMAIN.iterfind("devices/controller")][-1] is None


@pytest.mark.parametrize(("target", "number"), [("sda", 0), ("sdh", 1), ("sdz", 3), ("sdaa", 3), ("sdac", 4), ("x", 0)])
def test_a_target_names_the_scsi_controller_that_libvirt_derives_from_it(target: str, number: int) -> None:
    assert scsi_controller_of(target) == number


@pytest.mark.parametrize(
    ("there", "disk", "missing"),
    [
        ([], "sdh", [("0", "virtio-scsi"), ("1", "virtio-scsi")]),
        ([("0", "lsilogic")], "sdh", [("1", "lsilogic")]),
        ([("1", "virtio-scsi")], "sdh", [("0", "virtio-scsi")]),
        ([("0", "virtio-scsi")], "sdg", []),
    ],
)
def test_the_scsi_controllers_that_are_missing_are_of_the_model_that_is_there(
    there: list[tuple[str, str]], disk: str, missing: list[tuple[str, str]]
) -> None:
    controllers = "".join(f"<controller type='scsi' index='{index}' model='{model}'/>" for index, model in there)
    domain = parse(f"<domain><devices>{controllers}</devices></domain>")
    device = parse(f"<disk><target dev='{disk}' bus='scsi'/></disk>")
    assert [(each.get("index"), each.get("model")) for each in missing_controllers(device, [domain])] == missing
