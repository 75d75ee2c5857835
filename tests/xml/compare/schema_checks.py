"""What the declarations in domainxml make of the paths of one schema, the installed libvirt's or another's."""

from __future__ import annotations

import re
from collections.abc import Iterable

from lxml import etree

from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.sides import Node, Side, Sides


def undeclared(paths: Iterable[str]) -> list[str]:
    """The paths that belong to no side."""
    found = []
    for path in paths:
        sides, rest = declaration(path)
        # A device's own text or presence is not a path of it: Sides.unseen says whether its kind is hardware.
        if sides is None or (rest and sides.side_of(rest) is None):
            found.append(path)
    return sorted(found)


def superfluous(paths: set[str]) -> list[str]:
    """The declared paths that the schema does not have."""
    known = {re.sub(r"@.*", "", path) for path in paths} | paths
    known |= {path[: end.start()] for path in paths for end in re.finditer("/", path)}
    tables = {"": DOMAIN, **SECTIONS, **{f"devices/{tag}": sides for tag, sides in DEVICES.items()}}
    declared = {path for where, sides in tables.items() for path in _paths(where, sides.tree)}
    # Sides adds address, alias and acpi index to every device; the schema leaves some out that have none.
    common = {path for path in declared if re.fullmatch(r"devices/[^/@]+/(address|alias|acpi)\b.*", path)}
    return sorted(declared - known - common)


def wrong_verdicts(paths: Iterable[str]) -> list[tuple[str, Side | None, list[str]]]:
    """One value at each path becomes another: where the comparison does not say what the path's side should make it."""
    wrong = []
    for path in sorted(paths):
        sides, rest = declaration(path)
        if sides is None or sides.unseen == "*" or not rest or _is_half_an_address(path):
            continue
        side = sides.side_of(rest)
        # libvirt's generated aliases, live only, are no names; memory is told in MiB.
        values = {"alias@name": ("ua-1", "ua-2"), "memory": ("1024", "2048")}.get(rest, ("1", "2"))
        changes = compare(*(one_path(path, value) for value in values))
        kinds = {change.is_visible for change in changes}
        expected = {Side.GUEST: {True}, Side.PLACE: {True}, Side.HOST: set(), Side.MANAGEMENT: {False}}
        if side is None or kinds != expected[side]:
            wrong.append((path, side, [str(change) for change in changes]))
    return wrong


def declaration(path: str) -> tuple[Sides | None, str]:
    """Who declares this path, and what is left of it there."""
    table: dict[str, Sides]
    where, table = (path.removeprefix("devices/"), DEVICES) if path.startswith("devices/") else (path, SECTIONS)
    tag = re.split("[/@]", where)[0]
    if table is SECTIONS and tag not in SECTIONS:
        return DOMAIN, path
    return table.get(tag), where[len(tag) :].lstrip("/")


def one_path(path: str, value: str) -> str:
    """A document that gives ``value`` at one path of the schema; a device has a place too, to be found again by."""
    where, _, attribute = path.partition("@")
    root = etree.Element("domain")
    node = root
    if path.startswith("devices/"):
        device = etree.SubElement(etree.SubElement(root, "devices"), re.split("[/@]", path)[1])
        etree.SubElement(device, "address", {"type": "pci", "bus": "0x05", "slot": "0x00"})
    for step in filter(None, where.split("/")):
        prefix, _, name = step.rpartition(":")
        space = f"{{http://libvirt.org/schemas/domain/{prefix}/1.0}}" if prefix else ""
        found = node.find(f"{space}{name}")
        node = etree.SubElement(node, f"{space}{name}") if found is None else found
    if attribute:
        node.set(attribute, value)
    else:
        node.text = value
    return etree.tostring(root, encoding="unicode")


def _is_half_an_address(path: str) -> bool:
    """An address without a type says nothing; places have examples of their own."""
    return "/address@" in path and path.count("/") == 2


def _paths(where: str, node: Node) -> list[str]:
    own = [where] if node.text is not None or node.subtree is not None else []
    own += [f"{where}@{name}" for name in node.attributes]
    for name, child in node.children.items():
        own += _paths(f"{where}/{name}".lstrip("/"), child)
    return own
