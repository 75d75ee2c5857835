"""A domain whose disk is moved, and what there is to see of it before and after."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from holdfast.domainxml.document import Element, canonical, parse
from holdfast.domainxml.elements.disk import source_of, stated_format, without_image
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.domainxml.records.disk_record import target_of
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.disks.keep_record import record_disk
from holdfast.operations.session import OpenDomain
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml
from tests.libvirt.images import create_image

MIB = 1024 * 1024
SIZE = 4 * MIB
EXTRA = "<serial>ONE</serial><alias name='ua-one'/>"


def moving_domain(connection: Connection, folder: Path, start: bool) -> Domain:
    """A domain with the disk vda, on 4 MiB half of which are written, and a second disk vdb."""
    disks = disk_xml(folder, "one", "vda", EXTRA) + disk_xml(folder, "two", "vdb")
    (folder / "one.img").write_bytes(content())
    domain = connection.define(domain_xml(extra=disks))
    if start:
        domain.start(paused=True)
    return domain


def content() -> bytes:
    return bytes(range(256)) * (SIZE // 512) + bytes(SIZE // 2)


def definitions(domain: Domain) -> list[Definition]:
    return [LIVE, CONFIG] if domain.is_active() else [CONFIG]


def disk(domain: Domain, definition: Definition, target: str = "vda") -> Element:
    found = parse(domain.xml(definition)).find(f"devices/disk/target[@dev='{target}']/..")
    assert found is not None
    return found


def images_of_vda(domain: Domain) -> set[tuple[str | None, str]]:
    """Image and format of vda, in every document."""
    return {
        (source_of(found), stated_format(found))
        for which in definitions(domain)
        if (found := disk(domain, which)) is not None
    }


def without_image_of_vda(domain: Domain) -> list[set[bytes]]:
    """Each document as its parts, without the image of vda; what is recorded is :func:`records`."""
    return [
        {
            canonical(without_image(part) if target_of(part) == "vda" else part)
            for part in [*document.iterfind("devices/*"), *document]
            if part.tag not in ("devices", "metadata")
        }
        for document in (parse(domain.xml(which)) for which in definitions(domain))
    ]


def read_back(path: Path, format: str) -> bytes:
    raw = path.with_suffix(".check")
    subprocess.run(["qemu-img", "convert", "-U", "-f", format, "-O", "raw", path, raw], check=True)
    return raw.read_bytes()


def records(domain: Domain) -> set[DiskRecord]:
    return {record for which in definitions(domain) for record in facts(parse(domain.xml(which)), DiskRecord)}


def in_the_middle(act: Callable[[], object]) -> Progress:
    """A callback that does something once, while the copy is under way."""
    acts = iter([act])

    def told(_done: int, _total: int) -> None:
        for each in acts:
            each()

    return told


def begin(domain: OpenDomain, new: Path) -> None:
    """What a move that was killed in the middle leaves: the record, and a job that goes on."""
    create_image(str(new), "raw", SIZE)
    found = disk(domain, CONFIG)
    record = DiskRecord("vda", "ua-one", place=str(new), format="raw", size=str(SIZE))
    record_disk(domain, record, [CONFIG])
    if domain.is_active():
        xml = f"<disk type='file'><driver name='qemu' type='raw'/><source file='{new}'/></disk>"
        block.start_block_copy(domain, "vda", xml)
    assert source_of(found) != str(new)
