"""An earlier document gets what the domain has today besides its hardware, and nothing of it is made older."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import Element, parse, same
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.fact import AddedController, Adopted, DiskRecord, RunAgain, SeenState
from holdfast.domainxml.metadata import add_facts, facts
from holdfast.domainxml.past.rolled_back import misfit_of_firmware, pair_disks, take_what_is_todays

OS = "<os><type machine='pc-q35-7.1'>hvm</type>{}</os>"
LOADER = "<loader readonly='yes' type='pflash'>/x/CODE.fd</loader>"
SECURE = LOADER.replace("readonly", "secure='yes' readonly")
NVRAM = "<nvram template='/x/VARS.fd'>/n/{}_VARS.fd</nvram>"


def domain(devices: str = "", *, name: str = "a", os: str = "", more: str = "") -> Element:
    return parse(
        f"<domain type='qemu'><name>{name}</name><uuid>u</uuid>{more}<memory>1</memory>{OS.format(os)}"
        f"<devices>{devices}</devices></domain>"
    )


def disk(image: str, target: str = "vda", more: str = "", device: str = "disk", format: str = "qcow2") -> str:
    source = f"<source file='{image}'/>" if image else ""
    return (
        f"<disk type='file' device='{device}'><driver name='qemu' type='{format}' cache='none'/>{source}"
        f"<target dev='{target}' bus='virtio'/>{more}</disk>"
    )


def images(document: Element) -> dict[str, str | None]:
    return {
        each.get("dev", ""): source_of(found)
        for found in document.iterfind("devices/disk")
        for each in found.iterfind("target")
    }


def alias(name: str) -> str:
    return f"<alias name='ua-{name}'/>"


@pytest.mark.parametrize(
    ("then", "today", "pairs"),
    [
        (disk("/a"), disk("/a"), 1),
        (disk("/a"), disk("/overlay"), 1),
        (disk("/a"), disk("/a", more="<serial>1</serial>" + alias("x")), 1),
        (disk("/a", more=alias("x")), disk("/b", target="vdc", more=alias("x")), 1),
        (disk("/a", more=alias("x")), disk("/b", more=alias("y")), 0),
        (disk("/a"), disk("/b", more="<serial>1</serial>"), 0),
        (disk("/a"), disk("/a", device="cdrom"), 0),
        (disk("/a"), disk("/a", target="vdb"), 0),
    ],
)
def test_disks_are_one_by_alias_image_or_target(then: str, today: str, pairs: int) -> None:
    assert len(list(pair_disks(domain(then), domain(today)))) == pairs


def test_images_of_today_stay_in_the_hardware_of_then() -> None:
    then = domain(disk("/a") + disk("/b", "vdb") + disk("/cd", "vdc", device="cdrom"))
    today = domain(disk("/overlay", format="raw") + disk("", "vdc", device="cdrom"))
    take_what_is_todays(then, today)
    assert images(then) == {"vda": "/overlay", "vdb": "/b", "vdc": None}
    driver = then.find("devices/disk/driver")
    assert driver is not None
    assert (driver.get("type"), driver.get("cache")) == ("raw", "none")


def test_encryption_and_a_network_source_stay_with_the_image() -> None:
    network = """<disk type='network' device='disk'><driver name='qemu' type='raw'/><auth username='u'/>
      <source protocol='rbd' name='p/i'><host name='h'/></source><target dev='vda' bus='virtio'/></disk>"""
    then, today = domain(disk("/a")), domain(network)
    take_what_is_todays(then, today)
    (found,) = then.iterfind("devices/disk")
    assert (found.get("type"), source_of(found), found.find("auth") is not None) == ("network", "rbd:p/i", True)
    back = domain(disk("/a"))
    take_what_is_todays(then, back)
    assert images(then) == {"vda": "/a"}
    assert then.find("devices/disk/auth") is None


def test_a_document_of_today_stays_as_it_is() -> None:
    words = "<title>t</title><description>d</description><metadata><x:a xmlns:x='urn:x'/></metadata>"
    today = domain(disk("/a"), more=words, os=LOADER + NVRAM.format("a"))
    add_facts(today, Adopted("s", "o", ""), AddedController("scsi 0", ""), DiskRecord("vda", role="root"))
    then = domain(disk("/a"), more=words, os=LOADER + NVRAM.format("a"))
    add_facts(then, Adopted("s", "o", ""), AddedController("scsi 0", ""), DiskRecord("vda", role="root"))
    take_what_is_todays(then, today)
    assert same(then, today)


def test_what_people_and_tools_have_written_is_todays() -> None:
    then = domain(name="old", more="<title>old</title><metadata><x:a xmlns:x='urn:x'>1</x:a></metadata>")
    today = domain(name="new", more="<metadata><y:b xmlns:y='urn:y'/></metadata>")
    take_what_is_todays(then, today)
    assert (then.findtext("name"), then.find("title")) == ("new", None)
    assert [str(each.tag) for each in then.iterfind("metadata/*")] == ["{urn:y}b"]


def test_records_are_those_of_today_and_of_the_disks_that_come_back() -> None:
    then = domain(disk("/a", more=alias("x")) + disk("/b", "vdb") + disk("", "vdd", device="cdrom"))
    today = domain(disk("/moved", more=alias("x")) + disk("", "vdc", device="cdrom"))
    add_facts(then, RunAgain("old"), SeenState("nvram", "/n", "old"), DiskRecord("vda", "ua-x", role="swap"))
    add_facts(then, DiskRecord("vdb", role="volume", id="7"), AddedController("scsi 0", ""))
    add_facts(today, SeenState("nvram", "/n", "new"), DiskRecord("vda", "ua-x", role="root"))
    add_facts(today, DiskRecord("vdc", role="cdrom"), AddedController("scsi 1", ""))
    take_what_is_todays(then, today)
    assert facts(then, DiskRecord) == [
        DiskRecord("vda", "ua-x", role="root"),
        DiskRecord("vdb", role="volume", id="7"),
    ]
    assert facts(then, SeenState) == [SeenState("nvram", "/n", "new")]
    assert facts(then, RunAgain) == []
    assert facts(then, AddedController) == [AddedController("scsi 0", "")]


def test_a_domain_that_was_released_gets_no_records_back() -> None:
    then, today = domain(disk("/a") + disk("/b", "vdb")), domain(disk("/a"))
    add_facts(then, DiskRecord("vdb", role="volume"))
    take_what_is_todays(then, today)
    assert facts(then, DiskRecord) == []


def test_a_record_follows_its_disk_to_the_name_of_then() -> None:
    then, today = domain(disk("/a", "vdb")), domain(disk("/a", "vdb", "<serial>1</serial>" + alias("x")))
    add_facts(today, DiskRecord("vdb", "ua-x", role="root"))
    take_what_is_todays(then, today)
    assert facts(then, DiskRecord) == [DiskRecord("vdb", role="root")]


def test_nvram_and_tpm_state_stay_where_they_are() -> None:
    tpm = "<tpm model='tpm-crb'><backend type='emulator' version='2.0'>{}</backend></tpm>"
    then = domain(tpm.format("<source type='dir' path='/old'/>"), os=LOADER + NVRAM.format("old"))
    today = domain(tpm.format("<source type='dir' path='/new'/>"), os=LOADER + NVRAM.format("new"))
    take_what_is_todays(then, today)
    assert nvram_of(then) == "/n/new_VARS.fd"
    assert [each.get("path") for each in then.iterfind("devices/tpm/backend/source")] == ["/new"]


@pytest.mark.parametrize(
    ("then", "today", "said"),
    [
        ("", "", None),
        (LOADER + NVRAM, LOADER + NVRAM, None),
        (LOADER + NVRAM, "", None),
        ("", LOADER + NVRAM, "keeps no variables"),
        (LOADER.replace("type", "stateless='yes' type"), LOADER + NVRAM, "keeps no variables"),
        (LOADER, LOADER + NVRAM, None),
        (LOADER + NVRAM, SECURE + NVRAM, "one without Secure Boot, and"),
        (SECURE + NVRAM, LOADER + NVRAM, "one with Secure Boot, and"),
        (LOADER + NVRAM, LOADER + NVRAM.replace("template", "format='qcow2' template"), "as raw, and"),
        (LOADER + NVRAM.replace("template", "format='qcow2' template"), LOADER + NVRAM, "as qcow2, and"),
        ("<varstore path='/v.json'/>", LOADER + NVRAM, None),
        (LOADER + "<varstore path='/v.json'/>", LOADER + NVRAM, "does not keep its variables as"),
    ],
)
def test_firmware_of_then_fits_the_nvram_of_today_or_not(then: str, today: str, said: str | None) -> None:
    found = misfit_of_firmware(domain(os=then.format("a")), domain(os=today.format("a")))
    assert (found is None) == (said is None)
    assert said is None or said in (found or "")
