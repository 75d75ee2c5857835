"""What an attach asks for: what can be told beforehand, and what is chosen at random."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import parse, serialize, value_at
from holdfast.domainxml.make.attach_request import complete_request, with_identifiers

DOMAIN = parse("<domain><devices><disk><target dev='vda' bus='virtio'/></disk></devices></domain>")


def test_target_of_a_disk_is_the_first_that_is_free() -> None:
    assert value_at(complete_request(parse("<disk/>"), [DOMAIN]), "target@dev") == "vdb"
    assert value_at(complete_request(parse("<disk><target bus='sata'/></disk>"), [DOMAIN]), "target@dev") == "sda"


@pytest.mark.parametrize("device", ["<disk/>", "<interface type='user'/>", "<rng model='virtio'/>"])
def test_what_is_completed_twice_is_the_same(device: str) -> None:
    assert serialize(complete_request(parse(device), [DOMAIN])) == serialize(complete_request(parse(device), [DOMAIN]))


@pytest.mark.parametrize(
    ("device", "path"),
    [
        ("<disk/>", "serial"),
        ("<disk/>", "alias@name"),
        ("<interface type='user'/>", "mac@address"),
        ("<rng model='virtio'/>", "alias@name"),
    ],
)
def test_what_identifies_a_device_is_never_the_same(device: str, path: str) -> None:
    values = {value_at(with_identifiers(parse(device)), path) for _ in range(2)}
    assert len(values) == 2 and None not in values


@pytest.mark.parametrize(
    "device",
    [
        "<disk><serial>ONE</serial><alias name='ua-one'/></disk>",
        "<interface type='user'><mac address='52:54:00:00:00:01'/><alias name='ua-net'/></interface>",
        "<disk device='cdrom'><alias name='ua-cd'/></disk>",
    ],
)
def test_what_a_device_says_already_stays(device: str) -> None:
    assert serialize(with_identifiers(parse(device))) == serialize(parse(device))


def test_alias_of_libvirts_own_goes() -> None:
    device = complete_request(parse("<rng model='virtio'><alias name='rng0'/></rng>"), [DOMAIN])
    assert device.find("alias") is None
