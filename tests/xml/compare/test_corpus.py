"""What holds for every domain of the corpus: it equals itself, order says nothing, and an edit touches one thing."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree
from tests.corpus import CORPUS, newer
from tests.corpus.builder import Sample
from tests.xml.compare.schema_paths import SCHEMAS

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare, compare_documents
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import canonical, parse, serialize
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.domainxml.sides import Node

EVERY = CORPUS | newer.SAMPLES

every_domain = pytest.mark.parametrize("sample", EVERY.values(), ids=list(EVERY))


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


@every_domain
def test_a_document_does_not_differ_from_itself(sample: Sample) -> None:
    text = sample.text
    assert compare(text, text) == []
    assert compare(text, text.replace("<devices>", "<!-- the same --><devices>\n", 1)) == []
    assert unknown_parts(parse(text)) == []


@every_domain
def test_devices_in_another_order_are_no_change(sample: Sample) -> None:
    """But for devices with neither name nor place, which the next start puts where their order says."""
    root = parse(sample.text)
    devices = root.find("devices")
    if devices is None or not _named(devices):
        pytest.skip("the order of its devices is all that tells them apart")
    devices[:] = devices[::-1]
    assert compare(sample.text, serialize(root)) == []


def _named(devices: etree._Element) -> bool:
    kinds = [device.tag for device in devices if device.find("target[@dev]") is None and device.find("mac") is None]
    return len(set(kinds)) == len(kinds)


@every_domain
def test_an_edit_touches_one_thing_only(sample: Sample) -> None:
    """Each attribute and text set to something else in turn: with it put back, the document is as it was."""
    root = parse(sample.text, "domain")
    before = canonical(root)
    for number, name, value in _parts(root):
        after = copy.deepcopy(parse(serialize(root)))
        _set(list(after.iter())[number], name, "edited")
        again = parse(serialize(after))
        assert canonical(again) == canonical(after) != before
        _set(list(again.iter())[number], name, value)
        assert canonical(again) == before


@every_domain
def test_what_is_not_edited_stays_byte_by_byte(sample: Sample) -> None:
    """Comments, namespaces, quotes in text and indentation too: the text around the edited device is kept."""
    text = serialize(parse(sample.text))
    root = parse(text)
    etree.SubElement(root, "title").text = "edited"
    assert serialize(root).replace("<title>edited</title>", "") == text


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


@every_domain
def test_verdicts_are_the_same_in_both_directions_and_at_each_time(sample: Sample) -> None:
    for other in _neighbours(sample):
        there, back = compare(sample.text, other), compare(other, sample.text)
        assert len(visible(there)) == len(visible(back))
        assert compare(sample.text, other) == there


def _neighbours(sample: Sample) -> list[str]:
    names = list(EVERY)
    place = names.index(sample.name)
    return [EVERY[names[(place + step) % len(names)]].text for step in (1, 7)]


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


@every_domain
def test_what_a_newer_libvirt_brings_counts_as_seen_and_is_listed(sample: Sample) -> None:
    """An attribute and an element that no file declares, put into every element of the domain in turn."""
    root = parse(sample.text)
    for number, node in enumerate(root.iter(etree.Element)):
        path = _plain_path(node)
        if _is_whole_subtree(path):
            continue
        for kind in ("attribute", "element"):
            changed = parse(sample.text)
            target = list(changed.iter(etree.Element))[number]
            if kind == "attribute":
                target.set("newer", "1")
            else:
                etree.SubElement(target, "newer").text = "1"
            found = visible(compare_documents(root, changed))
            assert found and all(change.unknown for change in found), (path, kind, found)
            assert any("newer" in each for each in unknown_parts(changed)), (path, kind)


def test_text_where_none_belongs_is_listed() -> None:
    text = "<domain>one<devices><rng model='virtio'>two<driver iommu='on'>three</driver></rng></devices></domain>"
    assert unknown_parts(parse(text)) == ["devices/rng", "devices/rng/driver", "domain"]


def test_what_no_guest_sees_is_never_unknown() -> None:
    devices = "<emulator>/usr/bin/qemu-system-x86_64</emulator><graphics newer='1'/>"
    text = f"<domain><metadata newer='1'/><devices>{devices}</devices></domain>"
    assert unknown_parts(parse(text)) == []
    assert compare("<domain/>", text) == []


def _plain_path(node: etree._Element) -> str:
    return "/".join([str(each.tag) for each in (node, *node.iterancestors())][-2::-1])


def _is_whole_subtree(path: str) -> bool:
    """True for what is declared with all below it, for free text, and for what is no hardware whatever it says."""
    if re.match(r"metadata|devices/[^/]+/address|devices$", path):
        return True
    parts = path.split("/")
    if parts[0] != "devices":
        return False
    sides = DEVICES[parts[1]]
    return sides.unseen is not None or _below_a_rule(sides.tree, parts[2:])


def _below_a_rule(node: Node, steps: list[str]) -> bool:
    for step in steps:
        if node.subtree is not None or step not in node.children:
            return node.subtree is not None
        node = node.children[step]
    return node.subtree is not None
