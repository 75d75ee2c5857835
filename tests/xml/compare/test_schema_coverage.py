"""Every path of libvirt's schema belongs to exactly one side, and nothing is declared that libvirt does not know."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.xml.compare.schema_checks import declaration, superfluous, undeclared
from tests.xml.compare.schema_paths import SCHEMAS, SchemaPaths

from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.sides import Node, Side, Sides

NEWER = set((Path(__file__).parents[1] / "data" / "newer-schema-paths").read_text().split())
"""Declared, though the oldest schema we test with (9.0) does not have it; that 11.3 has it is for the tier hosts."""


@pytest.fixture(scope="module")
def schema() -> set[str]:
    """The paths of the installed libvirt."""
    if not SCHEMAS.is_dir():
        pytest.skip("libvirt's schemas are not installed (Debian: libvirt0)")
    return SchemaPaths().paths


def test_every_path_of_the_schema_has_a_side(schema: set[str]) -> None:
    assert len(schema) > 1900
    assert undeclared(schema) == []


def test_a_path_nobody_declared_has_no_side() -> None:
    sides, rest = declaration("devices/disk/driver@colour")
    assert sides is not None
    assert sides.side_of(rest) is None


def test_nothing_is_declared_that_libvirt_does_not_have(schema: set[str]) -> None:
    assert superfluous(schema | NEWER) == []


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


def test_side_of_follows_the_declaration() -> None:
    sides = DEVICES["disk"]
    assert sides.side_of("target@bus") is Side.GUEST
    assert sides.side_of("target@dev") is Side.PLACE
    assert sides.side_of("source/host@name") is Side.HOST
    assert sides.side_of("alias@name") is Side.MANAGEMENT


def test_a_unit_is_a_scale_of_sizes_and_a_number_in_addresses() -> None:
    assert DOMAIN.side_of("memory@unit") is Side.HOST
    assert DEVICES["disk"].side_of("address@unit") is Side.PLACE
    assert DEVICES["hostdev"].side_of("source/address@unit") is Side.GUEST
    assert DEVICES["hostdev"].side_of("source/address@uuid") is Side.GUEST
