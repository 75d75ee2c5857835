"""What a manager's documents differ in, applied to a domain's own document: all of that, and nothing else."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.generated import ASKED, DATA, INSTANCE, add, drop, generated, put
from tests.raising import raising

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse, same, value_at
from holdfast.domainxml.manager.apply_difference import apply_difference
from holdfast.errors.changes import OTHER_KIND_OF_MACHINE

NORMALISED = (DATA / "instance-normalised.xml").read_text()
"""What libvirt 9.0 made of the instance's document when it was defined."""

asked = st.lists(st.sampled_from(sorted(ASKED)), unique=True, max_size=8)


def document(*names: str) -> Element:
    wanted = [edit for name in names for edit in ASKED[name]]
    return parse(generated(put("os/type@machine", "pc-q35-7.2"), *wanted))


def conflicts(names: Sequence[str]) -> bool:
    """True for wishes that speak of one thing; the later would win."""
    groups = [
        {"more vCPUs", "fewer vCPUs", "two NUMA cells", "no topology"},
        {"another CPU", "the host's CPU"},
        {"another rng", "no rng"},
    ]
    return any(len(group & set(names)) > 1 for group in groups)


def changes(before: Element, after: Element) -> list[str]:
    return [str(change) for change in visible(compare_documents(before, after))]


@pytest.mark.parametrize("name", ASKED)
def test_what_is_asked_for_is_applied_to_what_libvirt_made_of_the_old_document(name: str) -> None:
    """Each change that the guest sees is one of those by which the two generated documents differ."""
    domain, old, new = parse(NORMALISED), document(), document(name)
    before = copy.deepcopy(domain)
    difference = apply_difference(domain, old, new)
    seen = visible(compare_documents(before, domain))
    assert seen
    assert [str(change) for change in seen if not difference.explains(change)] == []
    lost = places(before).items() - places(domain).items()
    assert [device.split()[0] for device, _ in lost] == ([GONE[name]] if name in GONE else [])


def places(domain: Element) -> dict[str, str]:
    """Where each device is, by the image, MAC or kind that it keeps."""
    found = {}
    for device in domain.iterfind("devices/*"):
        name = next(filter(None, (value_at(device, path) for path in ("source@file", "serial", "mac@address"))), "")
        place = describe_address(device)
        if place is not None and device.tag != "controller":
            found[f"{device.tag!s} {name}".strip()] = place
    return found


GONE = {"no rng": "rng", "no balloon": "memballoon", "no agent": "channel", "no volume": "disk", "another bus": "disk"}


@given(asked.filter(lambda names: not conflicts(names)))
def test_no_difference_is_no_change(names: list[str]) -> None:
    domain = parse(NORMALISED)
    before = copy.deepcopy(domain)
    apply_difference(domain, document(*names), document(*names))
    assert same(domain, before)


@given(asked.filter(lambda names: not conflicts(names)))
def test_applied_to_the_old_document_it_gives_the_new_one(names: list[str]) -> None:
    domain, old, new = document(), document(), document(*names)
    apply_difference(domain, old, new)
    assert changes(domain, new) == []


@given(asked.filter(lambda names: not conflicts(names)))
def test_the_way_back_leads_back(names: list[str]) -> None:
    domain, old, new = document(), document(), document(*names)
    apply_difference(domain, old, new)
    apply_difference(domain, new, old)
    assert changes(domain, old) == []


@given(asked, asked)
def test_what_both_have_in_common_is_never_touched(common: list[str], names: list[str]) -> None:
    """Whatever the manager would build today beside what was asked for, the domain is only changed in that."""
    if conflicts([*common, *names]) or set(common) & set(names):
        return
    domain = parse(NORMALISED)
    before = copy.deepcopy(domain)
    difference = apply_difference(domain, document(*common), document(*common, *names))
    seen = visible(compare_documents(before, domain))
    assert [str(change) for change in seen if not difference.explains(change)] == []


def test_a_sealed_cpu_stays_when_only_its_topology_differs() -> None:
    domain = parse(NORMALISED)
    for cpu in domain.iterfind("cpu"):
        cpu.set("check", "partial")
        cpu.append(parse("<feature policy='disable' name='pcid'/>"))
    old, new = document(), document("more vCPUs")
    for each in (old, new):
        put("cpu@mode", "host-model")(each)
        drop("cpu/model")(each)
    apply_difference(domain, old, new)
    assert value_at(domain, "cpu/model") == "Nehalem"
    assert value_at(domain, "cpu/feature@name") == "pcid"
    assert value_at(domain, "cpu/topology@sockets") == "4"
    assert value_at(domain, "vcpu") == "4"


def test_a_domain_without_a_cpu_of_its_own_gets_none_with_a_topology() -> None:
    domain = parse(NORMALISED)
    drop("cpu")(domain)
    apply_difference(domain, document(), document("more vCPUs"))
    assert domain.find("cpu") is None
    assert value_at(domain, "vcpu") == "4"


def test_memory_beside_modules_is_what_the_flavor_says() -> None:
    domain = parse(NORMALISED)
    module = "<memory model='dimm'><target><size unit='KiB'>1048576</size><node>0</node></target></memory>"
    add(module)(domain)
    put("memory", str(3 * 1024**2))(domain)
    apply_difference(domain, document(), document("more memory"))
    assert value_at(domain, "memory") == value_at(domain, "currentMemory") == str(5 * 1024**2)


def test_vcpus_that_somebody_took_away_come_with_the_new_number() -> None:
    domain = parse(NORMALISED)
    put("vcpu@current", "1")(domain)
    before = copy.deepcopy(domain)
    difference = apply_difference(domain, document(), document("more vCPUs"))
    assert (value_at(domain, "vcpu"), value_at(domain, "vcpu@current")) == ("4", None)
    seen = {change.where: change for change in visible(compare_documents(before, domain))}
    assert {"vcpu", "vcpu@current"} <= seen.keys()
    assert all(map(difference.explains, seen.values()))
    assert not apply_difference(domain, document(), document("more memory")).explains(seen["vcpu@current"])


@pytest.mark.parametrize("machine", ["pc", "pc-i440fx-7.2", "microvm"])
def test_another_kind_of_machine_is_told_by_its_type(machine: str) -> None:
    domain, new = parse(NORMALISED), document()
    put("os/type@machine", machine)(new)
    with raising(OTHER_KIND_OF_MACHINE, machine=machine):
        apply_difference(domain, document(), new)


def test_a_machine_type_without_a_version_says_no_more_than_the_domain_does() -> None:
    domain, new = parse(NORMALISED), document()
    put("os/type@machine", "q35")(new)
    apply_difference(domain, document(), new)
    assert value_at(domain, "os/type@machine") == "pc-q35-7.2"


def test_a_controller_that_something_sits_on_is_not_taken_away() -> None:
    domain, old = parse(NORMALISED), document()
    for each in (domain, old):
        add("<controller type='scsi' index='0' model='virtio-scsi'/>")(each)
    address = "<address type='drive' controller='0' bus='0' target='0' unit='0'/>"
    add(f"<disk type='file'><source file='/own'/><target dev='sdz' bus='scsi'/>{address}</disk>")(domain)
    apply_difference(domain, old, document())
    assert domain.find("devices/controller[@type='scsi']") is not None


def test_what_the_domain_has_lost_is_not_brought_back_by_a_difference() -> None:
    domain = parse(NORMALISED)
    drop("devices/rng")(domain)
    apply_difference(domain, document(), document("another rng"))
    assert domain.find("devices/rng") is None


def test_both_documents_stay_as_they_are() -> None:
    old, new = document(), document("UEFI", "another bus", "two NUMA cells")
    before = copy.deepcopy(old), copy.deepcopy(new)
    apply_difference(parse(NORMALISED), old, new)
    assert same(old, before[0])
    assert same(new, before[1])
    assert same(parse(INSTANCE), parse(INSTANCE))


def test_device_of_the_host_that_another_one_takes_the_place_of_does_not_hand_on_its_alias() -> None:
    """It would be taken for the same device, which has moved."""
    domain = parse(NORMALISED)
    old, new = document(), document()
    for each, slot in ((domain, "0x00"), (old, "0x00"), (new, "0x01")):
        source = f"<source><address domain='0x0000' bus='0x81' slot='{slot}' function='0x2'/></source>"
        alias = "<alias name='ua-hostdev0'/>" if each is domain else ""
        parent = each.find("devices")
        assert parent is not None
        parent.append(parse(f"<hostdev mode='subsystem' type='pci' managed='yes'>{source}{alias}</hostdev>"))
    before = copy.deepcopy(domain)
    difference = apply_difference(domain, old, new)
    (found,) = domain.iterfind("devices/hostdev")
    assert value_at(found, "source/address@slot") == "0x01"
    assert value_at(found, "alias@name") != "ua-hostdev0"
    assert all(difference.explains(change) for change in visible(compare_documents(before, domain)))
