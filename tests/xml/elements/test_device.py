"""The same device in another document."""

from __future__ import annotations

from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, parse

PLACE = "<address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>"


def domain(*devices: str) -> Element:
    return parse(f"<domain><devices>{''.join(devices)}</devices></domain>")


def rng(alias: str, place: str = PLACE) -> str:
    return f"<rng model='virtio'><alias name='{alias}'/>{place}</rng>"


def disk(target: str, alias: str) -> str:
    return f"<disk type='file'><target dev='{target}'/><alias name='{alias}'/>{PLACE}</disk>"


def test_device_that_has_an_alias_of_ours_in_one_document_only_is_found_by_its_place() -> None:
    assert find_device(domain(rng("rng0")), parse(rng("ua-rng"))) is not None
    assert find_device(domain(rng("ua-rng")), parse(rng("rng0"))) is not None


def test_two_aliases_of_ours_are_two_devices_even_at_one_place() -> None:
    assert find_device(domain(rng("ua-one")), parse(rng("ua-two"))) is None


def test_another_disk_at_the_same_place_is_not_the_same_disk() -> None:
    assert find_device(domain(disk("vda", "virtio-disk0")), parse(disk("vdb", "ua-vdb"))) is None
    assert find_device(domain(disk("vda", "virtio-disk0")), parse(disk("vda", "ua-vda"))) is not None
