"""Documents as a manager generates them: tests/data/nova/instance.xml, and what it would say after a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from holdfast.domainxml.document import Element, parse, serialize

DATA = Path(__file__).parent / "data" / "nova"
INSTANCE = (DATA / "instance.xml").read_text()
NAME = "instance-00000007"
VOLUME = "5d6a5b5e-0f3f-4f59-9d42-0d9a2b2c7c01"
MAC = "fa:16:3e:00:00:01"

Edit = Callable[[Element], None]


def generated(*edits: Edit) -> str:
    """The instance's document, with these edits."""
    domain = parse(INSTANCE)
    for edit in edits:
        edit(domain)
    return serialize(domain)


def put(path: str, value: str) -> Edit:
    """Set an attribute ("devices/disk/target@dev", of the first such element) or a text."""
    where, _, attribute = path.rpartition("@") if not path.endswith("]") and "@" in path else (path, "", "")

    def edit(domain: Element) -> None:
        found = domain.find(where) if where else domain
        assert found is not None, where
        if attribute:
            found.set(attribute, value)
        else:
            found.text = value

    return edit


def drop(path: str) -> Edit:
    """Take an element out."""

    def edit(domain: Element) -> None:
        found = domain.find(path)
        parent = None if found is None else found.getparent()
        assert found is not None, path
        assert parent is not None, path
        parent.remove(found)

    return edit


def add(text: str, path: str = "devices", first: bool = False) -> Edit:
    """Add an element below ``path``: behind all others, or before them."""

    def edit(domain: Element) -> None:
        parent = domain.find(path) if path else domain
        assert parent is not None, path
        parent.insert(0 if first else len(parent), parse(text))

    return edit


def volume(number: int, target: str, bus: str = "virtio", more: str = "", path: str = "") -> str:
    """A volume as the manager attaches it, Ceph's or at ``path``: its id is the disk's serial."""
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    ceph = f"<source protocol='rbd' name='volumes/volume-{uuid}'><host name='10.0.0.11' port='6789'/></source>"
    kind, source = ("block", f"<source dev='{path}'/>") if path else ("network", ceph)
    return (
        f"<disk type='{kind}' device='disk'><driver name='qemu' type='raw' cache='none'/><alias name='ua-{uuid}'/>"
        f"{source}<target dev='{target}' bus='{bus}'/><serial>{uuid}</serial>{more}</disk>"
    )


def interface(number: int, kind: str = "bridge", model: str = "virtio") -> str:
    """An interface on a bridge, or on a tap device that the manager makes."""
    source = "<source bridge='qbr0002'/>" if kind == "bridge" else ""
    return (
        f"<interface type='{kind}'><mac address='fa:16:3e:00:00:{number:02x}'/><model type='{model}'/>{source}"
        f"<mtu size='1450'/><target dev='tap{number:04d}'/></interface>"
    )


NUMA = "<numa><cell id='0' cpus='0-1' memory='1048576'/><cell id='1' cpus='2-3' memory='1048576'/></numa>"

ASKED: dict[str, Sequence[Edit]] = {
    "more memory": [put("memory", "4194304")],
    "more vCPUs": [put("vcpu", "4"), put("cpu/topology@sockets", "4")],
    "fewer vCPUs": [put("vcpu", "1"), put("cpu/topology@sockets", "1")],
    "two NUMA cells": [
        put("vcpu", "4"),
        put("cpu/topology@sockets", "1"),
        put("cpu/topology@cores", "4"),
        add(NUMA, "cpu"),
    ],
    "no topology": [drop("cpu/topology")],
    "a CPU feature": [add("<feature policy='require' name='vmx'/>", "cpu")],
    "another CPU": [put("cpu/model", "Westmere")],
    "the host's CPU": [put("cpu@mode", "host-passthrough"), drop("cpu/model")],
    "another machine type": [put("os/type@machine", "pc-q35-6.2")],
    "UEFI": [put("os@firmware", "efi")],
    "a boot menu": [add("<bootmenu enable='yes'/>", "os")],
    "another boot device": [put("os/boot@dev", "network")],
    "hidden KVM": [add("<kvm><hidden state='on'/></kvm>", "features")],
    "no vmcoreinfo": [drop("features/vmcoreinfo")],
    "local time": [put("clock@offset", "localtime"), add("<timer name='hypervclock' present='yes'/>", "clock")],
    "another timer policy": [put("clock/timer[2]@tickpolicy", "delay")],
    "another vendor": [put("sysinfo/system/entry[@name='manufacturer']", "RDO")],
    "a chassis": [add("<chassis><entry name='asset'>1</entry></chassis>", "sysinfo")],
    "no rng": [drop("devices/rng")],
    "another rng": [put("devices/rng@model", "virtio-non-transitional")],
    "another video": [put("devices/video/model@type", "qxl"), put("devices/video/model@vram", "65536")],
    "a watchdog": [add("<watchdog model='i6300esb' action='reset'/>")],
    "a TPM": [add("<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>")],
    "no balloon": [put("devices/memballoon@model", "none"), drop("devices/memballoon/stats")],
    "a tablet": [add("<input type='tablet' bus='usb'/>")],
    "no USB": [put("devices/controller[@type='usb']@model", "none")],
    "sound": [add("<sound model='ich9'/>")],
    "an IOMMU": [
        add("<iommu model='intel'><driver intremap='on'/></iommu>"),
        add("<ioapic driver='qemu'/>", "features"),
    ],
    "no agent": [drop("devices/channel")],
    "a spice channel": [
        put("devices/graphics@type", "spice"),
        add("<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>"),
    ],
    "more queues": [add("<driver name='vhost' queues='2'/>", "devices/interface")],
    "another interface model": [put("devices/interface/model@type", "e1000")],
    "another bus": [put("devices/disk/target@bus", "sata"), put("devices/disk/target@dev", "sdb")],
    "another volume": [add(volume(9, "vdc"))],
    "no volume": [drop("devices/disk[2]")],
    "another interface": [add(interface(9))],
}
"""What a flavor or the properties of an image can ask for."""
