"""Whatever a document says of the host side is taken from it, and never anything that the guest sees."""

from __future__ import annotations

import copy
import random
from functools import cache

import pytest
from tests.generated import DATA, add, put
from tests.libvirt.compare.mutations import Mutation, chosen, mutations, values_of

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element, parse, same, serialize, value_at
from holdfast.domainxml.manager.take_host_side import take_host_side
from holdfast.domainxml.namespace import URI

TEXTS = {path.stem: path.read_text() for path in DATA.glob("*.xml")}
NAMES = ["instance", "realtime"]
SAMPLE = 300
"""Mutations of both without HOLDFAST_WHOLE_CORPUS, every path among them."""


def normalised(name: str) -> Element:
    """What libvirt 9.0 made of one of them when it was defined."""
    return parse(TEXTS[f"{name}-normalised"])


@cache
def mutated() -> list[Mutation]:
    """What may become of the two documents."""
    values, choose = values_of(TEXTS.values()), random.Random(1)
    every = [mutation for name in NAMES for mutation in mutations(TEXTS[name], values, choose, 2)]
    assert len(every) > 1000
    return chosen(every, SAMPLE)


@pytest.mark.parametrize("name", NAMES)
def test_no_change_of_the_other_document_reaches_the_guest_and_taken_twice_it_is_taken_once(name: str) -> None:
    """Each attribute and text is set to others and taken out, each element taken out and doubled: one at a time."""
    domain = normalised(name)
    take_host_side(domain, parse(TEXTS[name]))
    assert visible(compare_documents(normalised(name), domain)) == []
    settled = serialize(domain)
    judged = {settled}
    for mutation in [each for each in mutated() if each.original == TEXTS[name]]:
        taken, template = copy.deepcopy(domain), parse(mutation.document)
        take_host_side(taken, template)
        once = serialize(taken)
        if once not in judged:
            assert visible(compare_documents(domain, taken)) == [], mutation
            judged.add(once)
        if once != settled:
            take_host_side(taken, template)
            assert serialize(taken) == once, mutation


@pytest.mark.parametrize("name", NAMES)
def test_of_the_document_that_it_was_made_of_nothing_is_taken(name: str) -> None:
    domain = normalised(name)
    take_host_side(domain, parse(TEXTS[name]))
    before = normalised(name)
    assert list(host_changes(before, domain)) == (["cputune"] if name == "realtime" else [])
    for document in (domain, before):
        document.remove(document.find("cputune"))  # type: ignore[arg-type]  # has <vcpusched> for each vCPU
    assert same(domain, before)


def test_a_cable_of_another_kind_is_taken_with_all_that_belongs_to_it() -> None:
    domain, template = normalised("realtime"), parse(TEXTS["realtime"])
    for tag in ("source", "virtualport"):
        interface = template.find("devices/interface")
        assert interface is not None
        interface.remove(interface.find(tag))  # type: ignore[arg-type]
    put("devices/interface@type", "ethernet")(template)
    take_host_side(domain, template)
    interface = domain.find("devices/interface")
    assert interface is not None
    assert interface.get("type") == "ethernet"
    assert [interface.find(tag) for tag in ("source", "virtualport")] == [None, None]
    assert value_at(interface, "driver@queues") == "4"


def test_another_kind_of_interface_is_left_alone() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    put("devices/interface@type", "vdpa")(template)
    put("devices/interface/source@bridge", "br9")(template)
    before = copy.deepcopy(domain)
    take_host_side(domain, template)
    assert same(domain, before)


@pytest.mark.parametrize("kinds", [["spice"], ["vnc", "spice"], []])
def test_graphics_come_and_go(kinds: list[str]) -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    for document in (domain, template):
        document.find("devices").remove(document.find("devices/graphics"))  # type: ignore[union-attr,arg-type]
    add("<graphics type='vnc' listen='10.0.0.9'/>")(domain)
    for kind in kinds:
        add(f"<graphics type='{kind}' autoport='yes' listen='10.0.0.1'/>")(template)
    take_host_side(domain, template)
    assert [each.get("type") for each in domain.iterfind("devices/graphics")] == kinds
    assert {each.get("listen") for each in domain.iterfind("devices/graphics")} <= {"10.0.0.1"}


def test_no_graphics_are_added_where_libvirt_would_add_a_video_device() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    for tag in ("graphics", "video"):
        domain.find("devices").remove(domain.find(f"devices/{tag}"))  # type: ignore[union-attr,arg-type]
    take_host_side(domain, template)
    assert domain.find("devices/graphics") is None


def test_the_format_of_an_image_comes_with_the_image() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    add("<backingStore type='file'><format type='raw'/><source file='/base'/></backingStore>", "devices/disk")(domain)
    put("devices/disk/source@file", "/srv/7f2c6f9a/disk")(template)
    put("devices/disk/driver@type", "raw")(template)
    take_host_side(domain, template)
    assert value_at(domain, "devices/disk/source@file") == "/srv/7f2c6f9a/disk"
    assert value_at(domain, "devices/disk/driver@type") == "raw"
    assert domain.find("devices/disk/backingStore") is None


def test_the_firmware_and_the_sealed_cpu_are_taken_from_nowhere() -> None:
    domain, template = normalised("realtime"), parse(TEXTS["realtime"])
    put("os/nvram", "/srv/other_VARS.fd")(template)
    put("cpu@check", "none")(template)
    before = [copy.deepcopy(domain.find(tag)) for tag in ("os", "cpu")]
    take_host_side(domain, template)
    assert all(same(old, domain.find(tag)) for old, tag in zip(before, ("os", "cpu"), strict=True))  # type: ignore[arg-type]


def test_the_moment_of_generation_alone_is_no_news() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    path = "metadata/{http://openstack.org/xmlns/libvirt/nova/1.1}instance/"
    moment, name = f"{path}{{*}}creationTime", f"{path}{{*}}name"
    template.find(moment).text = "2026-11-21 00:00:00"  # type: ignore[union-attr]
    take_host_side(domain, template)
    assert domain.findtext(moment) == "2026-11-20 08:00:00"
    template.find(name).text = "renamed"  # type: ignore[union-attr]
    take_host_side(domain, template)
    assert (domain.findtext(name), domain.findtext(moment)) == ("renamed", "2026-11-21 00:00:00")


def test_metadata_is_taken_by_its_namespace_and_never_ours() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    ours = f"<h:domain xmlns:h='{URI}'><h:wanted since='%s'/></h:domain>"
    add(ours % "now", "metadata")(domain)
    add(ours % "then", "metadata")(template)
    add("<o:note xmlns:o='urn:other'/>", "metadata")(domain)
    put("metadata/{http://openstack.org/xmlns/libvirt/nova/1.1}instance@since", "now")(template)
    take_host_side(domain, template)
    said = [str(each.attrib or each[0].attrib) for each in domain.iterfind("metadata/*") if len(each)]
    assert said == ["{'since': 'now'}", "{'since': 'now'}"]
    assert domain.find("metadata/{urn:other}note") is not None


def test_what_is_told_of_the_host_side_has_no_secrets() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    put("devices/disk[2]/auth/secret@uuid", "6e0be1dd-52ef-46eb-b5d6-65e2be9cb1be")(template)
    put("devices/graphics@passwd", "hush")(template)
    before = copy.deepcopy(domain)
    take_host_side(domain, template)
    assert list(host_changes(before, domain)) == ["disk vdb: auth", "graphics"]


def test_disk_that_was_moved_to_another_volume_is_the_same_disk_under_its_old_serial() -> None:
    domain, template = normalised("instance"), parse(TEXTS["instance"])
    disk = next(each for each in domain.iterfind("devices/disk[@type='network']"))
    serial = disk.find("serial")
    assert serial is not None
    serial.text = "00000000-1111-4222-8333-444444444444"
    for alias in disk.findall("alias"):
        alias.set("name", f"ua-{serial.text}")
    (pair,) = (pair for pair in counterparts(domain, template) if pair.before is disk)
    assert pair.after is not None
    disk.set("type", "block")
    assert all(pair.after is None for pair in counterparts(domain, template) if pair.before is disk)


@pytest.mark.parametrize(
    ("mine", "theirs", "taken"),
    [
        ("<source file='/a'><encryption format='luks'/></source>", "<source file='/a'/>", False),
        (
            "<source file='/a'/>",
            "<source file='/a'><slices><slice type='storage' offset='9'/></slices></source>",
            False,
        ),
        ("<source file='/a'><encryption format='luks'/></source>", "<source file='/b/a'/>", True),
    ],
)
def test_how_the_same_image_is_read_stays(mine: str, theirs: str, taken: bool) -> None:
    def document(source: str) -> Element:
        disk = f"<disk type='file'>{source}<target dev='vda' bus='virtio'/></disk>"
        return parse(f"<domain type='kvm'><devices>{disk}</devices></domain>")

    domain = document(mine)
    take_host_side(domain, document(theirs))
    assert visible(compare_documents(document(mine), domain)) == []
    source = domain.find("devices/disk/source")
    assert source is not None and same(source, parse(theirs if taken else mine))
