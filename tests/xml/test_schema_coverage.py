"""Every path of libvirt's schema belongs to exactly one side, and nothing is declared that libvirt does not know."""

from __future__ import annotations

import re

import pytest
from tests.xml.schema_paths import SCHEMAS, SchemaPaths

from holdfast.domainxml.elements import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.sides import Node, Side, Sides

NEWER = {
    "os/loader@format",  # libvirt 9.1
    "os/nvram@format",
    "os/nvram@templateFormat",  # libvirt 10.10
    "cpu/topology@clusters",  # libvirt 10.1
}
"""Declared, though the oldest schema we test with does not have it."""


@pytest.fixture(scope="module")
def schema() -> set[str]:
    """The paths of the installed libvirt; what <metadata> holds is the business of whoever wrote it."""
    if not SCHEMAS.is_dir():
        pytest.skip("libvirt's schemas are not installed (Debian: libvirt0)")
    return {path for path in SchemaPaths().paths if not path.startswith("metadata/")}


def declaration(path: str) -> tuple[Sides | None, str]:
    """Who declares this path, and what is left of it there."""
    table: dict[str, Sides]
    where, table = (path.removeprefix("devices/"), DEVICES) if path.startswith("devices/") else (path, SECTIONS)
    tag = re.split("[/@]", where)[0]
    if table is SECTIONS and tag not in SECTIONS:
        return DOMAIN, path
    return table.get(tag), where[len(tag) :].lstrip("/")


def test_every_path_of_the_schema_has_a_side(schema: set[str]) -> None:
    undeclared = []
    for path in schema:
        sides, rest = declaration(path)
        # A device's own text or presence is not a path of it: Sides.unseen says whether its kind is hardware.
        if sides is None or (rest and sides.side_of(rest) is None):
            undeclared.append(path)
    assert len(schema) > 1900
    assert sorted(undeclared) == []


def test_a_path_nobody_declared_has_no_side() -> None:
    sides, rest = declaration("devices/disk/driver@colour")
    assert sides is not None
    assert sides.side_of(rest) is None


def test_nothing_is_declared_that_libvirt_does_not_have(schema: set[str]) -> None:
    known = {re.sub(r"@.*", "", path) for path in schema} | schema
    known |= {path[: end.start()] for path in schema for end in re.finditer("/", path)}
    tables = {"": DOMAIN, **SECTIONS, **{f"devices/{tag}": sides for tag, sides in DEVICES.items()}}
    declared = {path for where, sides in tables.items() for path in _paths(where, sides.tree)}
    assert sorted(declared - known - NEWER - _common_to_all_devices(declared)) == []


def test_subtrees_are_declared_below_one_device_only() -> None:
    for sides in (DOMAIN, *SECTIONS.values()):
        assert not any(node.subtree for node in _nodes(sides.tree)), sides.tag
    for sides in DEVICES.values():
        assert sides.tree.subtree is None, sides.tag


def test_a_path_cannot_be_declared_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        _ = Sides("rng", guest="@model", host="@model").tree


def _nodes(node: Node) -> list[Node]:
    return [node, *(below for child in node.children.values() for below in _nodes(child))]


def _paths(where: str, node: Node) -> list[str]:
    own = [where] if node.text is not None or node.subtree is not None else []
    own += [f"{where}@{name}" for name in node.attributes]
    for name, child in node.children.items():
        own += _paths(f"{where}/{name}".lstrip("/"), child)
    return own


def _common_to_all_devices(declared: set[str]) -> set[str]:
    """Sides adds address, alias and acpi index to every device; the schema leaves some out that have none."""
    common = r"devices/[^/@]+/(address|alias|acpi)\b.*"
    return {path for path in declared if re.fullmatch(common, path)}


def test_side_of_follows_the_declaration() -> None:
    sides = DEVICES["disk"]
    assert sides.side_of("target@bus") is Side.GUEST
    assert sides.side_of("target@dev") is Side.PLACE
    assert sides.side_of("source/host@name") is Side.HOST
    assert sides.side_of("alias@name") is Side.MANAGEMENT
