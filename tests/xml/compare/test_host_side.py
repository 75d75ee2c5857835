"""What differs of the host side, in sentences: which part of which element, and what a disk or interface is on now."""

from __future__ import annotations

import pytest
from tests.corpus import CORPUS

from holdfast.domainxml.compare.changed_sources import changed_sources
from holdfast.domainxml.compare.document_pattern import fill_pattern, pattern_of
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.document import Element, parse

DISK = "<disk type='file'><driver name='qemu' {}/><source {}/><target dev='vda' bus='virtio'/><serial>S</serial></disk>"
DISK_A, DISK_B = DISK.format("io='native'", "file='/a'"), DISK.format("io='native'", "file='/b'")
CARD = "<interface type='{}'><mac address='52:54:00:00:00:01'/>{}</interface>"
CARD_A, CARD_B = (CARD.format("bridge", f"<source bridge='{name}'/>") for name in ("br0", "br1"))
LOG = "<serial type='file'><source path='{}'/><target port='0'/></serial>"
OS = "<os><type>hvm</type><nvram>{}</nvram></os>"
THREADS = "<iothreadids><iothread id='1'/><iothread id='2' thread_pool_max='{}'/></iothreadids>"
VNC = "<graphics type='vnc' port='{}' passwd='hush'/>"


def domain(devices: str = "", more: str = "") -> Element:
    return parse(f"<domain>{more}<devices>{devices}</devices></domain>")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (domain(DISK_A), domain(DISK_B), ["disk vda: source (/b, was /a)"]),
        (domain(DISK_A), domain(DISK_A.replace("native", "threads")), ["disk vda: driver io"]),
        (
            domain(DISK_A),
            domain(DISK_B.replace("native", "threads")),
            ["disk vda: driver io, source (/b, was /a)"],
        ),
        (domain(CARD_A), domain(CARD_B), ["interface 52:54:00:00:00:01: source (bridge br1, was bridge br0)"]),
        (domain(DISK_A), domain(), []),
        (domain(), domain(DISK_A), []),
        (domain("<wonder/>"), domain("<wonder a='1'/>"), []),
        (domain(VNC.format(1)), domain(VNC.format(2)), ["graphics"]),
        (domain(more="<metadata><a/></metadata>"), domain(more="<metadata><b/></metadata>"), ["metadata"]),
        (domain(), domain(more="<metadata><b/></metadata>"), ["metadata"]),
        (domain(), domain(more="<cputune><shares>2</shares></cputune>"), ["cputune"]),
        (domain(more=THREADS.format(2)), domain(more=THREADS.format(3)), ["iothreadids"]),
        (domain(more=OS.format("/a")), domain(more=OS.format("/b")), ["os: nvram"]),
        (domain(more="<os/>"), domain(more=OS.format("/b")), ["os: nvram"]),
        (
            domain(more=OS.format("/a")),
            domain(more=OS.format("/a").replace("<nvram>", "<nvram template='/t'>")),
            ["os: nvram"],
        ),
        (domain(more="<memory unit='KiB'>1024</memory>"), domain(more="<memory unit='MiB'>1</memory>"), []),
    ],
)
def test_each_part_of_the_host_side_that_differs_is_named(before: Element, after: Element, told: list[str]) -> None:
    assert list(host_changes(before, after)) == told
    assert list(host_changes(after, after)) == []


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (DISK_A, DISK_B, ["disk vda is on /b, it was on /a"]),
        (DISK_A, DISK_A.replace("<source file='/a'/>", ""), ["disk vda is on nothing, it was on /a"]),
        (DISK_A.replace("<source file='/a'/>", ""), DISK_A, ["disk vda is on /a, it was on nothing"]),
        (DISK_A + CARD_A, DISK_A + CARD_B, ["interface 52:54:00:00:00:01 is on bridge br1, it was on bridge br0"]),
        (
            CARD.format("direct", "<source dev='eth0' mode='bridge'/>"),
            CARD.format("user", ""),
            ["interface 52:54:00:00:00:01 is on user, it was on direct eth0"],
        ),
        (DISK_A + CARD_A, CARD_A, []),
        (DISK_A + CARD_A, CARD_B, ["interface 52:54:00:00:00:01 is on bridge br1, it was on bridge br0"]),
        (CARD_A, DISK_A + CARD_A, []),
        (LOG.format("/a"), LOG.format("/b"), []),
        ("<rng model='virtio'/>", "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>", []),
    ],
)
def test_another_image_or_network_is_a_sentence(before: str, after: str, told: list[str]) -> None:
    assert list(changed_sources(domain(before), domain(after))) == told
    assert list(changed_sources(domain(after), domain(after))) == []


OWN = """<domain>
  <name>a &amp; b</name>
  <uuid>00000000-0000-4000-8000-000000000001</uuid>
  <metadata><x/>
</metadata>
  <memory unit='KiB'>1024</memory>
  <devices><disk><source file='/a&apos;s.img'/><serial>ONE</serial></disk></devices>
</domain>"""


def test_values_of_a_domains_own_are_placeholders_in_its_pattern() -> None:
    pattern, values = pattern_of(OWN)
    assert [value.strip() for value in values] == [
        "a &amp; b",
        "00000000-0000-4000-8000-000000000001",
        "<x/>",
        "1024",
        "/a&apos;s.img",
        "ONE",
    ]
    assert not any(value in pattern for value in values)
    assert pattern_of(OWN.replace("ONE", "TWO").replace(">1024<", ">2048<"))[0] == pattern
    assert pattern_of(OWN.replace("<disk>", "<disk device='cdrom'>"))[0] != pattern


def test_a_sentence_about_the_pattern_gets_the_values_as_a_parser_would_read_them() -> None:
    pattern, values = pattern_of(OWN)
    marks = [mark for mark in pattern if not mark.isascii()]
    assert len(marks) == len(values)
    assert fill_pattern(f"{marks[0]}: disk on {marks[4]}", values) == "a & b: disk on /a's.img"
    assert fill_pattern(marks[5], values) == "ONE"
    assert fill_pattern(f"{marks[5]}.", values) == "ONE."
    assert fill_pattern("nothing of its own", values) == "nothing of its own"
    assert fill_pattern("é", values) == "é"
    assert fill_pattern(chr(ord(marks[5]) + 1), values) == chr(ord(marks[5]) + 1), "none of this document's"
    assert fill_pattern(marks[0], []) == marks[0]


def test_a_document_that_has_such_characters_itself_or_too_many_values_is_its_own_pattern() -> None:
    for mark in ("\ue000", "\uf8ff"):
        own = OWN.replace("ONE", mark)
        assert pattern_of(own) == (own, [])
    assert pattern_of(OWN.replace("ONE", "é"))[1][-1] == "é"
    many = "<source file='/a'/>"
    assert len(pattern_of(many * 6400)[1]) == 6400
    assert pattern_of(many * 6401) == (many * 6401, [])


def test_a_pattern_with_its_values_is_the_document() -> None:
    for name, sample in CORPUS.items():
        pattern, values = pattern_of(sample.text)
        marks = iter(values)
        filled = "".join(each if not 0xE000 <= ord(each) <= 0xF8FF else next(marks) for each in pattern)
        assert filled == sample.text, name
