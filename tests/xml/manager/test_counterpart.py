"""Which device of a generated document is which of the domain's own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from holdfast.domainxml.compare.counterpart import counterparts
from holdfast.domainxml.document import Element, parse, value_at

ADDRESS = "<address type='pci' domain='0x0000' bus='0x0{}' slot='0x00' function='0x0'/>"


def disk(target: str, source: str = "", serial: str = "", more: str = "", kind: str = "") -> str:
    image = f"<source {source}/>" if source else ""
    said = f"<serial>{serial}</serial>" if serial else ""
    return f"<disk{f' type={kind!r}' if kind else ''}>{image}<target dev='{target}' bus='virtio'/>{said}{more}</disk>"


def module(path: str, more: str = "") -> str:
    return f"<memory model='nvdimm'><source><path>{path}</path></source>{more}</memory>"


def name(device: Element | None) -> str | None:
    if device is None:
        return None
    return value_at(device, "target@dev") or value_at(device, "source/path") or device.get("type")


def matched(mine: Sequence[str], theirs: Sequence[str]) -> set[tuple[str | None, str | None]]:
    one, other = (parse(f"<domain><devices>{''.join(devices)}</devices></domain>") for devices in (mine, theirs))
    return {(name(pair.before), name(pair.after)) for pair in counterparts(one, other)}


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        pytest.param(
            [disk("vda", "dev='/dev/sdb'", "ONE"), disk("vdb", "dev='/dev/sdc'", "TWO")],
            [disk("vda", "dev='/dev/sdb'", "TWO"), disk("vdb", "dev='/dev/sdc'", "ONE")],
            {("vda", "vdb"), ("vdb", "vda")},
            id="by the serial, whatever the host calls its block devices",
        ),
        pytest.param(
            [disk("vda", "dev='/dev/sdb'", "ONE")],
            [disk("vda", "dev='/dev/sdb'", "TWO")],
            {("vda", None), (None, "vda")},
            id="another serial is another disk, at the same block device",
        ),
        pytest.param(
            [disk("vda", "dev='/dev/sdb'", more="<alias name='ua-a'/>")],
            [disk("vdb", "dev='/dev/sdc'", more="<alias name='ua-a'/>")],
            {("vda", "vdb")},
            id="by the alias, whatever the host calls its block devices",
        ),
        pytest.param(
            [disk("vda", "file='/a'", "ONE", kind="file")],
            [disk("vda", "file='/a'", "TWO", kind="file")],
            {("vda", "vda")},
            id="the same file is the same disk, whatever its serial",
        ),
        pytest.param(
            [disk("vda", "protocol='rbd' name='pool/a'", "ONE", kind="network")],
            [disk("vda", "protocol='rbd' name='pool/a'", "TWO", kind="network")],
            {("vda", "vda")},
            id="so is the same image on the network",
        ),
        pytest.param(
            [disk("vda", "dev='/dev/sdb'", "ONE", kind="block")],
            [disk("vda", "dev='/dev/sdb'", "TWO", kind="block")],
            {("vda", None), (None, "vda")},
            id="the same block device is not",
        ),
        pytest.param(
            [disk("vda", "file='/old/disk'", "OURS"), disk("vdb", "file='/own'")],
            [disk("vdb", "file='/new/disk'"), disk("vda", "file='/new/disk.eph0'")],
            {("vda", None), ("vdb", None), (None, "vdb"), (None, "vda")},
            id="the name alone is nothing",
        ),
        pytest.param(
            [disk("vda", "file='/old/disk'", "OURS")],
            [disk("vda", "file='/new/disk'")],
            {("vda", "vda")},
            id="an image that was moved to another folder",
        ),
        pytest.param(
            [disk("sda"), disk("vdb", "file='/cd'")],
            [disk("sda", "file='/cd.iso'")],
            {("sda", "sda"), ("vdb", None)},
            id="a medium that was ejected",
        ),
        pytest.param(
            [module("/dev/dax0.1", "<alias name='ua-memory0'/>"), module("/dev/dax0.0", "<alias name='ua-memory1'/>")],
            [module("/dev/dax0.0"), module("/dev/dax0.1")],
            {("/dev/dax0.1", "/dev/dax0.1"), ("/dev/dax0.0", "/dev/dax0.0")},
            id="persistent memory by what is behind it",
        ),
        pytest.param(
            ["<input type='mouse' bus='ps2'/>", "<input type='keyboard' bus='ps2'/>"],
            ["<input type='tablet' bus='usb'/>"],
            {("mouse", None), ("keyboard", None), (None, "tablet")},
            id="a tablet is no mouse",
        ),
    ],
)
def test_devices_are_matched(
    mine: Sequence[str], theirs: Sequence[str], expected: set[tuple[str | None, str | None]]
) -> None:
    assert matched(mine, theirs) == expected
