"""What live and config say differently though no guest sees it, and what libvirt merely fills in."""

from __future__ import annotations

import pytest

from holdfast.domainxml.compare.apart import apart
from holdfast.domainxml.document import parse

DISK = "<disk type='file' device='{device}'>{inside}<target dev='{target}' bus='sata'/></disk>"


def domain(inside: str = "", above: str = "") -> str:
    return f"<domain type='kvm'><name>a</name>{above}<devices>{inside}</devices></domain>"


def disk(inside: str, target: str = "sda", device: str = "cdrom") -> str:
    return DISK.format(inside=inside, target=target, device=device)


def card(kind: str, inside: str) -> str:
    return f"<interface type='{kind}'><mac address='52:54:00:00:00:01'/>{inside}<model type='virtio'/></interface>"


MEMORY = "<memory unit='MiB'>64</memory><currentMemory unit='MiB'>{}</currentMemory>"
LIMITED = "<source file='/a'/><iotune><read_iops_sec>500</read_iops_sec></iotune>"


@pytest.mark.parametrize(
    ("live", "config", "sentence"),
    [
        (domain(above="<title>t</title>"), domain(), "title is no longer given (was t)"),
        (domain(), domain(above="<description>t</description>"), "description is set to t (was not given)"),
        (
            domain(above="<cputune><shares>512</shares></cputune>"),
            domain(above="<cputune><shares>1024</shares></cputune>"),
            "cputune: shares is 1024, was 512",
        ),
        (domain(above=MEMORY.format(32)), domain(above=MEMORY.format(64)), "currentMemory is 64 MiB, was 32 MiB"),
        (domain(disk("<source file='/a'/>")), domain(disk("")), "disk sda: source is no longer given (was /a)"),
        (
            domain(disk("<source file='/a'/>")),
            domain(disk("<source file='/b'/>")),
            "disk sda: source is /b, was /a",
        ),
        (
            domain(disk(LIMITED)),
            domain(disk("<source file='/a'/>")),
            "disk sda: iotune read_iops_sec is no longer given (was 500)",
        ),
        (
            domain(card("bridge", "<source bridge='br1'/>")),
            domain(card("network", "<source network='default'/>")),
            "interface 52:54:00:00:00:01: source is network default, was bridge br1",
        ),
    ],
)
def test_what_differs_is_told(live: str, config: str, sentence: str) -> None:
    assert [change.words for change in apart(parse(live), parse(config))] == [sentence]
    assert not any(change.is_visible for change in apart(parse(live), parse(config)))


@pytest.mark.parametrize(
    ("live", "config"),
    [
        (
            domain(disk("<source file='/a' index='1'/><backingStore/>" + LIMITED[18:])),
            domain(disk(LIMITED)),
        ),
        (
            domain(disk(LIMITED.replace("</iotune>", "<group_name>drive-a</group_name></iotune>"))),
            domain(disk(LIMITED)),
        ),
        (
            domain(card("bridge", "<source network='default' portid='x' bridge='virbr0'/><target dev='vnet0'/>")),
            domain(card("network", "<source network='default'/>")),
        ),
        (
            domain(card("hostdev", "<source><address type='pci' bus='0x05'/></source>")),
            domain(card("network", "<source network='default'/>")),
        ),
        (domain(disk("<source file='/a'/>")), domain()),
        (domain(above=MEMORY.format(64)), domain(above=MEMORY.format(32))),
    ],
)
def test_what_libvirt_fills_in_at_a_start_is_nothing(live: str, config: str) -> None:
    assert apart(parse(live), parse(config)) == []
