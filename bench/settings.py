"""Settings: memory, a disk's limit, an interface's link, an edit, each beside the bare calls that do the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSettings, DomainSettings, InterfaceSettings

LIVE = libvirt.VIR_DOMAIN_AFFECT_LIVE
CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG
OURS, BARE = "domain-00000", "domain-00001"


def settings_cases(ours: Connection, bare: libvirt.virConnect) -> Iterator[Case]:
    """On two running domains: each setting goes to another value and back."""
    domain = bare.lookupByName(BARE)
    sizes = [itertools.cycle((32 << 20, 48 << 20)) for _ in range(2)]
    limits = [itertools.cycle((500, 600)) for _ in range(2)]
    links = [itertools.cycle(("down", "up")) for _ in range(2)]
    titles = [itertools.cycle(("one", "two")) for _ in range(2)]

    def bare_memory() -> None:
        size = next(sizes[0]) // 1024
        domain.setMemoryFlags(size, LIVE)
        domain.setMemoryFlags(size, CONFIG)

    def memory() -> None:
        operations.set_domain(ours, OURS, DomainSettings(memory=next(sizes[1])))

    def bare_limit() -> None:
        limit = {"read_iops_sec": next(limits[0])}
        domain.setBlockIoTune("vda", limit, LIVE)
        domain.setBlockIoTune("vda", limit, CONFIG)

    def limit() -> None:
        operations.set_disk(ours, OURS, "vda", DiskSettings(read_iops_sec=next(limits[1])))

    def bare_link() -> None:
        state = next(links[0])
        for flag, dump in ((LIVE, 0), (CONFIG, libvirt.VIR_DOMAIN_XML_INACTIVE)):
            text = domain.XMLDesc(dump)
            interface = text[text.index("<interface ") : text.index("</interface>")]
            interface = interface.replace("<link state='up'/>", "").replace("<link state='down'/>", "")
            domain.updateDeviceFlags(f"{interface}<link state='{state}'/></interface>", flag)

    mac = operations.list_devices(ours, OURS, "interface")[0].label

    def link() -> None:
        operations.set_interface(ours, OURS, mac, InterfaceSettings(link=next(links[1])))

    def bare_edit() -> None:
        text = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        bare.defineXMLFlags(_titled(text, next(titles[0])), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)

    def edit() -> None:
        text = operations.document(ours, OURS, secure=True)
        operations.edit_domain(ours, OURS, text, _titled(text, next(titles[1])))

    yield Case("set memory", bare_memory, memory)
    yield Case("disk set", bare_limit, limit)
    yield Case("interface set", bare_link, link)
    yield Case("edit", bare_edit, edit)


def _titled(document: str, title: str) -> str:
    """The document with another title."""
    head, _, rest = document.partition("</uuid>")
    return f"{head}</uuid><title>{title}</title>{rest.partition('</title>')[2] or rest}"
