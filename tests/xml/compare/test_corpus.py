"""What holds for every domain of the corpus: it equals itself, order says nothing, and an edit touches one thing."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree
from tests.corpus import CORPUS, newer
from tests.xml.compare.schema_paths import SCHEMAS

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare, compare_documents
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import parse, remove_children, serialize
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.domainxml.sides import Node

EVERY = CORPUS | newer.SAMPLES
TEXTS = {name: sample.text for name, sample in EVERY.items()}
SOME = dict([*TEXTS.items()][:: 1 if os.environ.get("HOLDFAST_WHOLE_CORPUS") else 2])
"""Where each takes long: every other one, without HOLDFAST_WHOLE_CORPUS."""


def test_the_corpus_has_all_kinds_of_devices_many_machines_and_architectures() -> None:
    roots = [parse(sample.text, "domain") for sample in EVERY.values()]
    machines = {(node.get("arch"), node.get("machine")) for root in roots for node in root.iterfind("os/type")}
    kinds = {str(node.tag) for root in roots for node in root.iterfind("devices/*")}
    assert len(CORPUS) >= 150
    assert len(machines) >= 40 and len({arch for arch, _ in machines}) >= 15
    assert set(DEVICES) - kinds == {"emulator"}


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="libvirt's schemas are not installed (Debian: libvirt0)")
def test_libvirts_schema_accepts_every_domain() -> None:
    schema = etree.RelaxNG(etree.parse(SCHEMAS / "domain.rng"))
    refused = [sample.name for sample in CORPUS.values() if not schema.validate(etree.fromstring(sample.document()))]
    assert refused == []


def test_a_document_does_not_differ_from_itself() -> None:
    for name, text in TEXTS.items():
        assert compare(text, text) == [], name
        assert compare(text, text.replace("<devices>", "<!-- the same --><devices>\n", 1)) == [], name
        assert unknown_parts(parse(text)) == [], name


def test_devices_in_another_order_are_no_change() -> None:
    """But for devices with neither name nor place, which the next start puts where their order says."""
    count = 0
    for name, text in TEXTS.items():
        root = parse(text)
        devices = root.find("devices")
        if devices is not None and _named(devices):
            devices[:] = devices[::-1]
            assert compare(text, serialize(root)) == [], name
            count += 1
    assert count > 300


def _named(devices: etree._Element) -> bool:
    kinds = [device.tag for device in devices if device.find("target[@dev]") is None and device.find("mac") is None]
    return len(set(kinds)) == len(kinds)


def test_an_edit_touches_one_thing_only() -> None:
    """Each attribute and text set to something else in turn: with it put back, the document is as it was."""
    for domain, text in TEXTS.items():
        root = parse(text, "domain")
        before = serialize(root)
        for number, name, value in list(_parts(root)):
            _set(list(root.iter())[number], name, "edited")
            edited = serialize(root)
            again = parse(edited)
            _set(list(root.iter())[number], name, value)
            assert serialize(again) == edited != before, domain
            _set(list(again.iter())[number], name, value)
            assert serialize(again) == serialize(root) == before, domain


def test_what_is_not_edited_stays_byte_by_byte() -> None:
    """Comments, namespaces, quotes in text and indentation too: the text around the edited device is kept."""
    for name, original in TEXTS.items():
        text = serialize(parse(original))
        root = parse(text)
        etree.SubElement(root, "title").text = "edited"
        assert serialize(root).replace("<title>edited</title>", "") == text, name


def _parts(root: etree._Element) -> Iterator[tuple[int, str | None, str]]:
    for number, node in enumerate(root.iter()):
        if isinstance(node.tag, str):
            for name, value in node.attrib.items():
                yield number, str(name), str(value)
            if (node.text or "").strip():
                yield number, None, node.text or ""


def _set(node: etree._Element, name: str | None, value: str) -> None:
    if name is None:
        node.text = value
    else:
        node.set(name, value)


@pytest.mark.parametrize("step", [1, 7])
def test_verdicts_are_the_same_in_both_directions_and_at_each_time(step: int) -> None:
    others = [*TEXTS.values()][step:] + [*TEXTS.values()][:step]
    for (name, text), other in zip(TEXTS.items(), others, strict=True):
        if name not in SOME:
            continue
        there, back = compare(text, other), compare(other, text)
        assert len(visible(there)) == len(visible(back)), name
        assert compare(text, other) == there, name


UPGRADES = sorted((Path(__file__).parents[1] / "data" / "upgrades").glob("*.xml"))


@pytest.mark.parametrize("file", UPGRADES, ids=[file.stem for file in UPGRADES])
def test_what_newer_libvirt_fills_in_is_no_alarm(file: Path) -> None:
    """Pairs as 9.0 and 11.3 print the same config document (docs/guest-view.md, "Another libvirt")."""
    example = etree.parse(file).getroot()
    before, after = (
        etree.tostring(node, encoding="unicode")
        for side in ("before", "after")
        for node in example.iterfind(f"{side}/*")
    )
    assert before != after
    assert [str(change) for change in visible(compare(before, after))] == []
    assert [str(change) for change in visible(compare(after, before))] == []
    notes = [node.text for node in example.iterfind("cosmetic")]
    assert [str(change) for change in compare(before, after)] == notes


def test_what_a_newer_libvirt_brings_counts_as_seen_and_is_listed() -> None:
    """An attribute and an element that no file declares, both put into every element of each domain in turn."""
    for name, text in SOME.items():
        root, changed = parse(text), parse(text)
        for target in list(changed.iter(etree.Element)):
            path = _plain_path(target)
            if _is_whole_subtree(path):
                continue
            target.set("newer", "1")
            etree.SubElement(target, "newer").text = "1"
            found = visible(compare_documents(root, changed))
            assert all(change.unknown for change in found), (name, path, found)
            for told in ([change.where for change in found], unknown_parts(changed)):
                new = {each.endswith("@newer") for each in told if each.endswith("newer")}
                assert new == {True, False}, (name, path, told)
            del target.attrib["newer"]
            remove_children(target, "newer")


def test_text_where_none_belongs_is_listed() -> None:
    text = "<domain>one<devices><rng model='virtio'>two<driver iommu='on'>three</driver></rng></devices></domain>"
    assert unknown_parts(parse(text)) == ["devices/rng", "devices/rng/driver", "domain"]


def test_unknown_part_of_what_no_guest_sees_is_listed_too() -> None:
    """A newer libvirt may put into graphics, or around all devices, what the guest sees."""
    devices = "<emulator>/usr/bin/qemu-system-x86_64</emulator><graphics newer='1'/>"
    text = f"<domain><metadata newer='1'/><devices newer='1'>one{devices}two</devices></domain>"
    assert unknown_parts(parse(text)) == ["devices", "devices/graphics@newer", "devices@newer"]
    places = {change.where for change in compare("<domain/>", text) if change.unknown}
    assert places == {"devices", "devices/graphics@newer", "devices@newer"}
    assert compare(text, text.replace("<metadata newer='1'/>", "")) == []


def _plain_path(node: etree._Element) -> str:
    return "/".join([str(each.tag) for each in (node, *node.iterancestors())][-2::-1])


def _is_whole_subtree(path: str) -> bool:
    """True for what is declared with all below it, for free text, and for kinds of devices."""
    if re.match(r"metadata|devices/[^/]+/address|devices$", path):
        return True
    parts = path.split("/")
    return parts[0] == "devices" and _below_a_rule(DEVICES[parts[1]].tree, parts[2:])


def _below_a_rule(node: Node, steps: list[str]) -> bool:
    for step in steps:
        if node.subtree is not None or step not in node.children:
            return node.subtree is not None
        node = node.children[step]
    return node.subtree is not None
