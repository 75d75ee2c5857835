"""What a document leaves to the host is named, whichever part says so: each such word of libvirt's schema is known."""

from __future__ import annotations

import re

import pytest
from tests.xml.compare.schema_checks import declaration, one_path
from tests.xml.compare.schema_paths import SCHEMAS, SchemaPaths

from holdfast.domainxml.document import parse
from holdfast.domainxml.make.open_parts import Remedy, open_parts
from holdfast.domainxml.sides import Side

AS_THE_HOST_HAS_IT = re.compile(r"host|passthrough|auto|default|maximum|minimum|optional|localtime|native|best|any")
"""How a word looks that may leave something to the host."""

NOT_LEFT_OPEN = {
    "clock/timer@mode": "how a timer is virtualised; no QEMU has that",
    "clock@basis": "the time is the host's in any case; its zone is not hardware",
    "clock@offset": "the time is the host's in any case; its zone is not hardware",
    "devices/controller/model@name": "spapr-pci-host-bridge is the name of a device",
    "devices/controller@model": "of VirtualBox and VMware",
    "devices/disk/driver@cache": "QEMU's own default, the same on each host",
    "devices/disk/encryption@format": "of an image that libvirt is to make",
    "devices/disk/source/encryption@format": "of an image that libvirt is to make",
    "devices/disk/geometry@trans": "QEMU chooses by the size of the image",
    "devices/disk@type": "vhostuser is a protocol",
    "devices/filesystem@accessmode": "whose users own the files; the device is the same",
    "devices/filesystem@multidevs": "QEMU's own default, the same on each host",
    "devices/interface@type vhostuser": "vhostuser is a protocol",
    "devices/smartcard@mode passthrough": "what is at the other end of a channel",
    "features/capabilities@policy": "of containers",
}
"""Path, or path and word, of such words → why they leave nothing to the host."""


def words() -> list[tuple[str, str]]:
    """Each such word of the schema with its path, of what the guest sees."""
    found = []
    for path, values in SchemaPaths().values.items():
        sides, rest = declaration(path)
        is_seen = sides is not None and sides.side_of(rest) is Side.GUEST and "/address@" not in path
        found += [(path, word) for word in values if is_seen and AS_THE_HOST_HAS_IT.search(word)]
    return sorted(found)


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="libvirt's schemas are not installed (Debian: libvirt0)")
def test_every_word_of_the_schema_that_leaves_something_to_the_host_is_named() -> None:
    found = words()
    assert len(found) > 25
    silent = [
        (path, word)
        for path, word in found
        if not {path, f"{path} {word}"} & NOT_LEFT_OPEN.keys() and not named(one_path(path, word))
    ]
    assert silent == []
    assert {path.partition(" ")[0] for path in NOT_LEFT_OPEN} <= {path for path, _ in found}


def named(document: str) -> list[str]:
    """What of a document is said to be left open, besides names and serials."""
    kinds = ("alias", "serial", "ports")
    return [part.sentence for part in open_parts(parse(document)) if part.kind not in kinds]


@pytest.mark.parametrize(
    ("inside", "said"),
    [
        ("<features><hyperv mode='host-model'/></features>", "Hyper-V"),
        ("<features><hyperv mode='passthrough'/></features>", "Hyper-V"),
        ("<os><smbios mode='host'/></os>", "SMBIOS"),
        ("<cpu match='minimum'><model>EPYC</model></cpu>", "beyond its model"),
        ("<launchSecurity type='sev'><policy>1</policy></launchSecurity>", "encryption bit"),
        ("<devices><interface type='hostdev'/></devices>", "cards of the host"),
        ("<devices><interface type='vdpa'/></devices>", "devices of the host"),
        ("<devices><disk device='lun'/></devices>", "LUNs"),
        (
            "<devices><tpm><backend type='emulator'><profile removeDisabled='fips-host'/></backend></tpm></devices>",
            "FIPS",
        ),
    ],
)
def test_part_that_is_as_the_host_has_it_is_named_once(inside: str, said: str) -> None:
    found = named(f"<domain>{inside}</domain>")
    assert len(found) == 1 and said in found[0]


def test_part_that_no_sealing_closes_says_so() -> None:
    (part,) = open_parts(parse("<domain><features><gic version='host'/></features></domain>"))
    assert (part.kind, part.remedy) == ("host", Remedy.NONE)


def test_encryption_whose_bit_is_named_is_not_open() -> None:
    assert named("<domain><launchSecurity type='sev'><cbitpos>47</cbitpos></launchSecurity></domain>") == []
