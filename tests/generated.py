"""Documents as a manager generates them: tests/data/nova/instance.xml, and what it would say after a change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from holdfast.domainxml.document import Element, parse, serialize

INSTANCE = (Path(__file__).parent / "data" / "nova" / "instance.xml").read_text()
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


def volume(number: int, target: str, bus: str = "virtio", more: str = "") -> str:
    """A volume of Ceph's, as the manager attaches it: its id is the disk's serial."""
    uuid = f"00000000-0000-4000-8000-{number:012d}"
    return (
        f"<disk type='network' device='disk'><driver name='qemu' type='raw' cache='none'/><alias name='ua-{uuid}'/>"
        f"<source protocol='rbd' name='volumes/volume-{uuid}'><host name='10.0.0.11' port='6789'/></source>"
        f"<target dev='{target}' bus='{bus}'/><serial>{uuid}</serial>{more}</disk>"
    )


def interface(number: int, kind: str = "bridge", model: str = "virtio") -> str:
    """An interface on a bridge, or on a tap device that the manager makes."""
    source = "<source bridge='qbr0002'/>" if kind == "bridge" else ""
    return (
        f"<interface type='{kind}'><mac address='fa:16:3e:00:00:{number:02x}'/><model type='{model}'/>{source}"
        f"<mtu size='1450'/><target dev='tap{number:04d}'/></interface>"
    )
