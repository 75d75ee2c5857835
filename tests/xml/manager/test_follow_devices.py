"""A device that a manager added: what it may bring along into a domain that has devices of its own."""

from __future__ import annotations

from tests.generated import DATA, add, drop, generated, volume

from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import Element, parse, serialize
from holdfast.domainxml.manager.follow_devices import follow_devices

NORMALISED = (DATA / "instance-normalised.xml").read_text()
BOOT = "<boot order='{}'/>"


def followed(domain: Element, wanted: str, is_own: bool = False) -> Element:
    """The last disk of ``domain`` after it followed."""
    follow_devices(domain, parse(wanted), lambda device: is_own)
    return domain.findall("devices/disk")[-1]


def without_boot_kinds() -> Element:
    domain = parse(NORMALISED)
    drop("os/boot")(domain)
    return domain


def test_a_place_in_the_boot_order_comes_along_where_it_is_free() -> None:
    domain = without_boot_kinds()
    add(BOOT.format(1), "devices/disk")(domain)
    boot = followed(domain, generated(add(volume(1, "vdc", more=BOOT.format(2))))).find("boot")
    assert boot is not None
    assert boot.get("order") == "2"


def test_a_place_in_the_boot_order_that_is_taken_stays_with_who_has_it() -> None:
    domain = without_boot_kinds()
    add(BOOT.format(1), "devices/disk")(domain)
    assert followed(domain, generated(add(volume(1, "vdc", more=BOOT.format(1))))).find("boot") is None


def test_no_place_in_the_boot_order_comes_where_kinds_of_devices_are_booted() -> None:
    """libvirt takes only one of the two ways."""
    assert followed(parse(NORMALISED), generated(add(volume(1, "vdc", more=BOOT.format(1))))).find("boot") is None


def test_an_alias_that_another_device_has_is_not_given_twice() -> None:
    domain = parse(NORMALISED)
    add("<alias name='ua-00000000-0000-4000-8000-000000000001'/>", "devices/rng")(domain)
    alias = followed(domain, generated(add(volume(1, "vdc")))).find("alias")
    assert alias is not None
    assert alias.get("name") == "ua-vdc"


def handed_through(bus: str) -> str:
    return (
        "<domain type='kvm'><devices><interface type='hostdev' managed='yes'><mac address='fa:16:3e:00:00:09'/><source>"
        f"<address type='pci' domain='0x0000' bus='{bus}' slot='0x10' function='0x1'/></source>"
        "<alias name='ua-net0'/><address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>"
        "</interface></devices></domain>"
    )


def test_another_card_of_the_host_behind_an_interface_is_taken_over_and_told() -> None:
    domain = parse(handed_through("0x01"))
    changes = follow_devices(domain, parse(handed_through("0x81")), lambda device: True)
    told = compare(handed_through("0x01"), serialize(domain))
    assert [str(change) for change in told] == [
        "interface fa:16:3e:00:00:09: source address is 0000:81:10.1, was 0000:01:10.1"
    ]
    assert all(map(changes.explains, told))
