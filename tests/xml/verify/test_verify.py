"""The guest agent's answers beside the live document. The recorded ones are those of Debian 12's agent (7.2)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.domainxml.address import pci_address
from holdfast.domainxml.document import Element, parse
from holdfast.operations.verify.agent_answer import parse_disks, parse_interfaces, parse_system
from holdfast.operations.verify.checked_device import Agreement, CheckedDevice
from holdfast.operations.verify.disks import check_disks, unanswered_disks
from holdfast.operations.verify.interfaces import check_interfaces, unanswered_interfaces

RECORDED = Path(__file__).parents[2] / "data" / "guest-agent"
MACS = ("52:54:00:aa:00:01", "52:54:00:aa:00:02")
LO = {"name": "lo", "hardware-address": "00:00:00:00:00:00"}

both = pytest.mark.parametrize("machine", ["q35", "pc"])


def live(machine: str = "q35") -> Element:
    """The live document of the guest whose answers were recorded."""
    return parse((RECORDED / f"{machine}.xml").read_text())


def recorded(kind: str, machine: str = "q35") -> Any:
    """What its agent returned: "disks", "interfaces" or "system"."""
    return json.loads((RECORDED / f"{machine}-{kind}.json").read_text())["return"]


def answer(returned: Any) -> str:
    """The text of an answer."""
    return json.dumps({"return": returned})


def disks(document: Element, returned: list[dict[str, Any]]) -> dict[str, CheckedDevice]:
    """Target → what comes of each disk."""
    return {each.device.split()[1]: each for each in check_disks(document, parse_disks(answer(returned)))[0]}


def interfaces(document: Element, returned: list[dict[str, Any]]) -> list[CheckedDevice]:
    """What comes of each interface."""
    return check_interfaces(document, parse_interfaces(answer(returned)))


def named(returned: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """One disk of an answer, to be changed."""
    (found,) = (each for each in returned if each["name"] in (name, f"/dev/{name}"))
    return found


def interface(name: str, mac: str) -> dict[str, Any]:
    """One interface of an answer."""
    return {"name": name, "hardware-address": mac}


def cards(*macs: str) -> Element:
    """A document with these interfaces."""
    found = "".join(f"<interface type='user'><mac address='{mac}'/></interface>" for mac in macs)
    return parse(f"<domain><devices>{found}</devices></domain>")


@both
def test_an_untouched_guest_agrees_on_every_bus(machine: str) -> None:
    document = live(machine)
    found = disks(document, recorded("disks", machine))
    assert {name for name, each in found.items() if each.verdict is not Agreement.AGREES} == {"fda"} & set(found)
    assert len(found) > 12
    assert check_disks(document, parse_disks(answer(recorded("disks", machine))))[1] == []
    assert {each.verdict for each in interfaces(document, recorded("interfaces", machine))} == {Agreement.AGREES}


def test_libvirts_own_bus_numbers_would_be_false_alarms() -> None:
    document = live()
    told = {each.name: each.pci for each in parse_disks(answer(recorded("disks")))}
    for target in ("vda", "vdb", "vdc", "vdd"):
        (disk,) = document.xpath("devices/disk[target/@dev=$target]", target=target)
        assert pci_address(disk) != told[f"/dev/{target}"]
        assert f"pci {told[f'/dev/{target}']}" == disks(document, recorded("disks"))[target].live.address


@both
def test_what_cannot_be_compared_is_said(machine: str) -> None:
    found = disks(live(machine), recorded("disks", machine))
    assert found["sdi"].note == "its place could not be compared"  # USB: the agent tells no place
    assert found["sdc"].note == "its unit could not be compared"  # SCSI target 3: the agent tells 0
    assert not found["vda"].note and not found["vdc"].note


def test_another_serial_differs() -> None:
    told = recorded("disks")
    for name, serial in {"vda": "toor", "sda": "0QEMU_QEMU_HARDDISK_two", "sdg": "QEMU_QEMU_HARDDISK_usb2-0:0"}.items():
        named(told, name)["address"]["serial"] = serial
    found = disks(live(), told)
    assert (found["vda"].verdict, found["vda"].note) == (Agreement.DIFFERS, "its serial differs")
    assert found["sda"].verdict is Agreement.DIFFERS
    assert found["sdi"].verdict is Agreement.NOT_SEEN  # USB: nothing but the serial tells which one it is


def test_a_serial_is_told_as_far_as_the_bus_takes_it() -> None:
    document, told = live(), recorded("disks")
    serial = document.find("devices/disk/serial")
    assert serial is not None
    serial.text = "a-serial-of-more-than-twenty"
    named(told, "vda")["address"]["serial"] = "a-serial-of-more-tha"
    assert disks(document, told)["vda"].verdict is Agreement.AGREES
    for other in ("a-serial", "QEMU_a-serial-of-more-tha"):  # virtio puts nothing before it
        named(told, "vda")["address"]["serial"] = other
        assert disks(document, told)["vda"].verdict is Agreement.DIFFERS


def test_a_disk_at_another_place_differs() -> None:
    told = recorded("disks")
    named(told, "vda")["address"]["pci-controller"]["bus"] = 200
    named(told, "sda")["address"]["unit"] = 9
    found = disks(live(), told)
    assert (found["vda"].verdict, found["vda"].note) == (Agreement.DIFFERS, "its place differs")
    assert str(found["vda"].guest) == "/dev/vda, pci 0000:c8:00.0, serial root"
    assert found["sda"].verdict is Agreement.DIFFERS


def test_swapped_disks_differ_both() -> None:
    told = recorded("disks")
    one, other = named(told, "vda")["address"], named(told, "vdb")["address"]
    one["pci-controller"], other["pci-controller"] = other["pci-controller"], one["pci-controller"]
    found = disks(live(), told)
    assert {found["vda"].verdict, found["vdb"].verdict} == {Agreement.DIFFERS}
    assert found["vdc"].verdict is Agreement.AGREES


def test_a_disk_that_the_guest_does_not_list_is_not_seen_but_a_cd_may_be_there() -> None:
    told = [each for each in recorded("disks") if each["name"] not in ("/dev/vda", "/dev/sdf", "/dev/sr0")]
    found = disks(live(), told)
    assert found["vda"].verdict is Agreement.NOT_SEEN and found["vda"].differs
    assert found["sde"].verdict is Agreement.NOT_SEEN
    assert found["sdf"].verdict is Agreement.UNKNOWN and not found["sdf"].differs


def test_a_disk_of_which_the_agent_says_too_little_may_be_the_missing_one() -> None:
    told = recorded("disks")
    named(told, "vda")["address"] |= {
        "serial": "",
        "pci-controller": dict.fromkeys(("domain", "bus", "slot", "function"), -1),
    }
    found = disks(live(), told)["vda"]
    assert (found.verdict, found.note) == (Agreement.UNKNOWN, "the agent says too little about /dev/vda")


def test_partitions_and_what_sits_on_no_hardware_are_no_disks() -> None:
    told = recorded("disks")
    partitions = [each["name"] for each in told if each["partition"]]
    told += [{"name": f"/dev/{name}", "partition": False, "dependencies": ["/dev/vdb"]} for name in ("dm-0", "loop0")]
    names = [each.name for each in parse_disks(answer(told))]
    assert partitions == ["/dev/vdb1"]
    assert not {"/dev/vdb1", "/dev/dm-0", "/dev/loop0"} & set(names)


def test_a_disk_of_another_kind_is_told_and_is_no_difference() -> None:
    document, told = live(), recorded("disks")
    devices = document.find("devices")
    assert devices is not None
    devices.remove(devices[1])
    found, also = check_disks(document, parse_disks(answer(told)))
    assert not any(each.differs for each in found)
    assert [str(each) for each in also] == ["/dev/vda, pci 0000:08:00.0, serial root"]


def test_units_that_windows_counts_otherwise_are_not_compared() -> None:
    """Made by hand: its agent gives disks other names, and tells the port of a SATA controller as a bus."""
    told = recorded("disks")
    named(told, "sdf")["address"] |= {"bus": 4, "unit": 0, "serial": "ata1"}
    assert disks(live(), told)["sde"].verdict is Agreement.DIFFERS
    named(told, "sdf")["name"] = "\\\\.\\PhysicalDrive1"
    found = disks(live(), told)["sde"]
    assert (found.verdict, found.note) == (Agreement.AGREES, "its unit could not be compared")
    del named(told, r"\\.\PhysicalDrive1")["address"]["serial"]
    found = disks(live(), told)["sde"]
    assert (found.verdict, found.note) == (Agreement.AGREES, "its unit and its serial could not be compared")


@pytest.mark.parametrize("where", ["another architecture", "another PCI domain"])
def test_where_nobody_knows_the_guests_numbers_the_serial_alone_decides(where: str) -> None:
    document = live()
    if where == "another architecture":
        document.xpath("os/type")[0].set("arch", "ppc64")
    for address in document.xpath("devices/disk/address[@type='pci']") if where == "another PCI domain" else ():
        address.set("domain", "0x0001")
    told = recorded("disks")
    named(told, "vda")["address"]["pci-controller"]["domain"] = 1
    found = disks(document, told)
    assert (found["vda"].verdict, found["vda"].note) == (Agreement.AGREES, "its place could not be compared")
    assert found["vdc"].verdict is Agreement.UNKNOWN  # no serial
    assert disks(document, [])["vdc"].note == "live says nothing about it that an agent could confirm"


def test_disks_without_serials_on_one_controller_are_told_apart_by_their_unit() -> None:
    """The agent tells target 0 for all: whoever stands on target 3 must not take the place of another."""
    places = "".join(
        f"<disk type='file' device='disk'><target dev='sd{name}' bus='scsi'/>"
        f"<address type='drive' controller='0' bus='0' target='{target}' unit='0'/></disk>"
        for name, target in (("a", 3), ("b", 0))
    )
    document = parse(
        "<domain><os><type arch='x86_64'>hvm</type></os><devices><controller type='scsi' index='0'>"
        f"<address type='pci' domain='0' bus='0' slot='5' function='0'/></controller>{places}</devices></domain>"
    )
    address = {"bus-type": "scsi", "bus": 0, "target": 0, "unit": 0}
    address["pci-controller"] = {"domain": 0, "bus": 0, "slot": 5, "function": 0}
    told = [{"name": "/dev/sda", "partition": False, "address": address}]
    found = disks(document, told)
    assert (found["sda"].verdict, found["sdb"].verdict) == (Agreement.NOT_SEEN, Agreement.AGREES)


def test_an_interface_is_known_by_its_mac_alone() -> None:
    (one, other) = interfaces(cards(*MACS), [LO, interface("eth0", MACS[1].upper()), interface("eth1", MACS[0])])
    assert (one.verdict, one.guest and one.guest.name) == (Agreement.AGREES, "eth1")
    assert (other.verdict, other.guest and other.guest.name) == (Agreement.AGREES, "eth0")


def test_an_interface_whose_mac_the_guest_changed_is_not_seen() -> None:
    one, other = interfaces(cards(*MACS), [LO, interface("eth0", "52:54:00:99:99:99"), interface("eth1", MACS[1])])
    assert (one.verdict, other.verdict) == (Agreement.NOT_SEEN, Agreement.AGREES)
    assert one.note.endswith("; it has eth0 52:54:00:99:99:99, which live does not have")


def test_a_bridge_over_an_interface_hides_no_other() -> None:
    told = [interface("br0", MACS[0]), interface("eth0", MACS[0]), {"name": "tun0"}]
    told += [{**LO, "name": name} for name in ("lo", "tunl0", "sit0")]
    one, other = interfaces(cards(*MACS), told)
    assert one.guest is not None and one.guest.name == "br0, eth0"
    assert (one.verdict, other.verdict) == (Agreement.AGREES, Agreement.NOT_SEEN)


@pytest.mark.parametrize("mac", [MACS[0], "02:00:00:00:00:01"])
def test_in_a_bond_an_interface_may_show_the_mac_of_another(mac: str) -> None:
    told = [interface(name, mac) for name in ("bond0", "eth0", "eth1")]
    found = interfaces(cards(*MACS), told)
    assert {each.verdict for each in found} == (
        {Agreement.AGREES, Agreement.UNKNOWN} if mac in MACS else {Agreement.UNKNOWN}
    )


def test_two_interfaces_with_one_mac_must_both_be_there() -> None:
    document, pair = cards(MACS[0], MACS[0]), [interface("eth0", MACS[0]), interface("eth1", MACS[0])]
    assert {each.verdict for each in interfaces(document, pair)} == {Agreement.AGREES}
    assert {each.verdict for each in interfaces(document, pair[:1])} == {Agreement.DIFFERS}


def test_what_was_not_answered_is_unknown() -> None:
    found = [*unanswered_disks(live(), "no"), *unanswered_interfaces(live(), "no")]
    assert len(found) == 15
    assert {(each.verdict, each.guest, each.note, each.differs) for each in found} == {
        (Agreement.UNKNOWN, None, "no", False)
    }


def test_the_system_is_told_as_far_as_the_agent_does() -> None:
    system = parse_system(answer(recorded("system")))
    assert (system.name, system.id, system.version) == ("Holdfast's probe guest", "probe", None)
    assert parse_system(answer({})).name is None
