"""How ``--disk``, ``--interface`` and sizes are read."""

from __future__ import annotations

import click
import pytest
from tests.raising import raising

from holdfast.cli.devices.options import parse_disk, parse_interface, parse_place
from holdfast.cli.size import parse_size
from holdfast.errors import Condition, HoldfastError, disk_spec, elements
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path=/x.qcow2,format=qcow2", DiskSpec(path="/x.qcow2", format="qcow2")),
        ("/x.raw,format=raw,readonly", DiskSpec(path="/x.raw", format="raw", readonly=True)),
        ("size=20GiB,path=/n", DiskSpec(size=20 << 30, path="/n")),
        ("path=/a,,b,format=raw", DiskSpec(path="/a,b", format="raw")),
        ("volume=default/a.img,format=raw", DiskSpec(pool="default", volume="a.img", format="raw")),
        ("size=1GiB,pool=p", DiskSpec(size=1 << 30, pool="p")),
        (
            "overlay-of=/base,source-format=raw,trust-format,bus=scsi",
            DiskSpec(overlay_of="/base", source_format="raw", trust_format=True, bus="scsi"),
        ),
        ("source=nbd+unix:///a?socket=/b", DiskSpec(source="nbd+unix:///a?socket=/b")),
        ("path=/a=b,format=raw", DiskSpec(path="/a=b", format="raw")),
        ("size=1GiB,role=swap,id=7", DiskSpec(size=1 << 30, role="swap", id="7")),
        ("size=1GiB,delete-with-domain", DiskSpec(size=1 << 30, delete_with_domain=True)),
        ("size=1GiB,delete-with-domain=no", DiskSpec(size=1 << 30, delete_with_domain=False)),
    ],
)
def test_disk_is_read(text: str, expected: DiskSpec) -> None:
    assert parse_disk(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not an option of a disk"),
        ("path=/x,format=raw,colour=red", "'colour' is not an option of a disk"),
        ("path=/x,path=/y,format=raw", "'path' is given twice"),
        ("path=,format=raw", "path needs a value"),
        ("path=/x,format=raw,readonly=yes", "readonly takes no value"),
        ("size=20", "is not a size"),
        ("size=0GiB", "is not a possible size"),
        ("size=1GiB,delete-with-domain=maybe", "is yes or no, not 'maybe'"),
    ],
)
def test_disk_that_cannot_be_read_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(click.BadParameter) as caught:
        parse_disk(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("path=/x", disk_spec.FORMAT_NOT_STATED),
        ("path=x,format=raw", disk_spec.NOT_ABSOLUTE),
        ("copy-from=/x", disk_spec.SOURCE_FORMAT_NOT_STATED),
        ("copy-from=/x,overlay-of=/y,source-format=raw", disk_spec.COPY_AND_OVERLAY),
        ("overlay-of=x,source-format=raw", disk_spec.NOT_ABSOLUTE),
        ("overlay-of=/x,source-format=raw,format=raw", disk_spec.OVERLAY_NOT_QCOW2),
        ("path=/x,pool=p,volume=v,format=raw", disk_spec.TWO_PLACES),
        ("path=/x,source=rbd:p/i,format=raw", disk_spec.TWO_PLACES),
        ("size=1GiB,source=rbd:p/i", disk_spec.NEW_ON_NETWORK),
        ("volume=v,format=raw", disk_spec.VOLUME_WITHOUT_POOL),
        ("pool=p,format=raw", disk_spec.POOL_WITHOUT_VOLUME),
        ("path=/x,format=raw,source-format=raw", disk_spec.SOURCE_FORMAT_WITHOUT_SOURCE),
        ("bus=virtio", disk_spec.DISK_NEEDS_IMAGE),
        ("size=1GiB,role=data", elements.UNKNOWN_WORD),
        ("size=1GiB,delete-with-domain,readonly", disk_spec.NOT_ONE_DOMAINS),
        ("size=1GiB,delete-with-domain,device=cdrom", disk_spec.NOT_ONE_DOMAINS),
    ],
)
def test_disk_that_makes_no_sense_is_refused(text: str, condition: Condition[HoldfastError]) -> None:
    with raising(condition):
        parse_disk(text)


@pytest.mark.parametrize(
    ("text", "condition"),
    [("format=raw", disk_spec.NO_PLACE), ("/x,pool=p", disk_spec.NO_PLACE), ("path=x", disk_spec.NOT_ABSOLUTE)],
)
def test_place_that_makes_no_sense_is_refused(text: str, condition: Condition[HoldfastError]) -> None:
    with raising(condition):
        parse_place(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("network=default", InterfaceSpec(kind="network", source="default")),
        ("bridge=br0,model=e1000e", InterfaceSpec(kind="bridge", source="br0", model="e1000e")),
        ("user,mac=52:54:00:00:00:01", InterfaceSpec(kind="user", mac="52:54:00:00:00:01")),
    ],
)
def test_interface_is_read(text: str, expected: InterfaceSpec) -> None:
    assert parse_interface(text) == expected


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is not an option of an interface"),
        ("model=virtio", "does not say what the interface is on"),
        ("network", "network needs a value"),
        ("network=a,bridge=b", "on network or on bridge, not on both"),
        ("user,bridge=br9", "on user or on bridge, not on both"),
        ("user=1", "user takes no value"),
        ("user,user", "is given twice"),
    ],
)
def test_interface_that_makes_no_sense_is_one_sentence(text: str, sentence: str) -> None:
    with pytest.raises(click.BadParameter, match=sentence):
        parse_interface(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [("2GiB", 2 << 30), ("512 MiB", 512 << 20), ("1.5g", 3 << 29), ("64K", 65536), ("1TiB", 1 << 40), ("7b", 7)],
)
def test_size_is_read(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "2", "GiB", "-1GiB", "2GB", "2GiBs", "1e3MiB", "0KiB", "9999999TiB", "0.1b"])
def test_bad_size_is_a_usage_error(text: str) -> None:
    with pytest.raises(click.BadParameter):
        parse_size(text)
