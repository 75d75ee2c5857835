"""Whatever a file may hold: refused or compared, in bounded time and memory, with a sentence that names the line."""

from __future__ import annotations

import re
import resource
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.corpus import CORPUS
from tests.raising import raising

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import MAX_BYTES, canonical, parse, same, serialize
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.errors import InvalidDocument
from holdfast.errors.documents import NO_CHARACTER, OTHER_ELEMENT

TEXTS = [sample.text for sample in CORPUS.values()]
texts = st.sampled_from(TEXTS)
quick = settings(max_examples=200)
GOOD = TEXTS[0]


def outcome(text: str | bytes) -> list[Change] | InvalidDocument:
    """The changes from a good document, or the refusal. Anything else that is raised fails the test."""
    try:
        root = parse(text, "domain")
    except InvalidDocument as error:
        assert re.search(r"line \d+|larger than", str(error)), error
        assert "\n" not in str(error)
        return error
    unknown_parts(root)
    return compare(GOOD, serialize(root))


@quick
@given(text=texts, where=st.floats(0, 1, exclude_max=True))
def test_a_truncated_document_is_refused_with_its_line(text: str, where: float) -> None:
    text = text.rstrip()
    cut = text[: int(len(text) * where)]
    error = outcome(cut)
    assert isinstance(error, InvalidDocument)
    assert error.line is not None and error.line <= cut.count("\n") + 1


@quick
@given(text=texts, where=st.floats(0, 1, exclude_max=True), put=st.binary(min_size=1, max_size=4))
def test_a_document_with_a_few_other_bytes_is_refused_or_compared(text: str, where: float, put: bytes) -> None:
    data = text.encode()
    place = int(len(data) * where)
    outcome(data[:place] + put + data[place + len(put) :])


@quick
@given(data=st.binary(max_size=300))
def test_binary_is_refused(data: bytes) -> None:
    assert isinstance(outcome(data), InvalidDocument)


@quick
@given(text=st.text(max_size=200).map(lambda inside: f"<domain>{inside}</domain>"))
def test_any_text_inside_is_refused_or_compared(text: str) -> None:
    outcome(text)


def test_text_that_no_file_can_hold_is_refused() -> None:
    with raising(NO_CHARACTER, line=2):
        compare("<domain>\n\ud800</domain>", GOOD)


@pytest.mark.parametrize("root", ["network", "domainsnapshot", "x:domain xmlns:x='urn:x'", "domain xmlns='urn:x'"])
def test_another_root_is_refused_with_its_line(root: str) -> None:
    with raising(OTHER_ELEMENT, line=3, expected="domain"):
        compare(f"<!--\n-->\n<{root}/>", GOOD)


Part = tuple[str, dict[str, str], int]
names = st.sampled_from([*DEVICES, "wonder", "address", "alias", "target", "source", "driver", "model", "boot"])
attributes = st.lists(
    st.sampled_from(
        [
            (name, value)
            for name in ("type", "name", "model", "dev", "bus", "slot", "unit", "port", "index", "order", "new")
            for value in ("pci", "usb", "ua-1", "vda", "0x01", "1", "-1", "", " ", "aé1", "virtio", "none", "KiB")
        ]
    ),
    max_size=4,
).map(dict)
parts: st.SearchStrategy[Part] = st.tuples(names, attributes, st.integers(0, 3))
"""An element, and how far it is up from inside the one before it: 0 is inside, 1 beside."""


def built(parts: list[Part], head: list[Part]) -> str:
    """A domain of arbitrary devices and other parts."""
    root = etree.Element("domain")
    _build(root, head)
    _build(etree.SubElement(root, "devices"), parts)
    return etree.tostring(root, encoding="unicode")


def _build(parent: etree._Element, parts: list[Part]) -> None:
    branch = [parent]
    for name, given_attributes, up in parts:
        del branch[max(1, len(branch) - up) :]
        branch.append(etree.SubElement(branch[-1], name, given_attributes))


domains = st.builds(built, st.lists(parts, max_size=24), st.lists(parts, max_size=8))


@given(one=domains | texts, other=domains | texts)
def test_what_is_visible_one_way_is_visible_the_other_way(one: str, other: str) -> None:
    there, back = compare(one, other), compare(other, one)
    assert len(visible(there)) == len(visible(back))
    assert compare(one, other) == there
    assert all(str(change) for change in there)


@given(text=domains | texts)
def test_no_document_differs_from_itself_in_another_notation(text: str) -> None:
    assert compare(text, serialize(parse(text)) + "\n<!-- the same -->") == []


@given(data=st.data(), text=texts)
def test_what_neither_step_shows_both_steps_do_not_show(data: st.DataObject, text: str) -> None:
    """Invisible edits add up to an invisible edit, and a visible one stays visible whatever is invisible besides."""
    documents = [text]
    for _ in range(3):
        root = parse(documents[-1])
        nodes = [node for node in root.iter(etree.Element) if node.attrib]
        node = data.draw(st.sampled_from(nodes))
        name = data.draw(st.sampled_from(sorted(map(str, node.attrib))))
        node.set(name, data.draw(st.sampled_from(["edited", "0", "77", "yes"])))
        documents.append(serialize(root))
    steps = [bool(visible(compare(*pair))) for pair in pairwise(documents)]
    if sum(steps) == 0:
        assert visible(compare(documents[0], documents[-1])) == []


@given(data=st.data(), text=domains | texts)
def test_an_edit_leaves_the_canonical_form_of_the_rest(data: st.DataObject, text: str) -> None:
    root = parse(text)
    nodes = list(root.iter(etree.Element))
    number = data.draw(st.integers(0, len(nodes) - 1))
    nodes[number].set("edited", data.draw(st.text("<&'\"é\t\n ", max_size=5)))
    again = parse(serialize(root))
    assert canonical(again) == canonical(root)
    del list(again.iter(etree.Element))[number].attrib["edited"]
    assert canonical(again) == canonical(parse(text))


RELATIVE = "<domain><metadata><vmtemplate xmlns='unraid' name='Debian' icon='debian.png'/></metadata></domain>"


def test_namespace_with_a_relative_URI_is_compared() -> None:
    """libxml2 calls it deprecated, and C14N 1.0 refuses it; every domain of Unraid has one."""
    one = parse(RELATIVE)
    assert same(one, parse(RELATIVE.replace("name='Debian' icon='debian.png'", 'icon="debian.png" name="Debian"')))
    assert not same(one, parse(RELATIVE.replace("Debian", "Ubuntu")))
    assert not same(one, parse(RELATIVE.replace("'unraid'", "'other'")))


@pytest.mark.parametrize(
    ("one", "other", "are_same"),
    [
        ("<a x='1' y='2'/>", '<a y="2" x="1"></a>', True),
        ("<a> <!-- c --> <b/>\n</a>", "<a><b/></a>", True),
        ("<a>one<!-- c --> two</a>", "<a>one two</a>", True),
        ("<a><![CDATA[<]]></a>", "<a>&lt;</a>", True),
        ("<a> </a>", "<a/>", False),
        ("<a>one </a>", "<a>one</a>", False),
        ("<a><b/><c/></a>", "<a><c/><b/></a>", False),
        ("<a x='&#10;'/>", "<a x=' '/>", False),
        ("<a><?pi x?></a>", "<a/>", False),
        ("<a xmlns='u'/>", "<a/>", False),
    ],
)
def test_two_elements_are_the_same_when_they_say_the_same(one: str, other: str, are_same: bool) -> None:
    assert same(parse(one), parse(other)) is are_same


MANY = 4_000
GIGANTIC = {
    "disks": "many('<disk><target dev=\"d%d\"/></disk>')",
    "devices-without-a-name": "many('<rng/>')",
    "devices-of-one-place": 'many(\'<rng><address type="pci" bus="0x01" slot="0x00"/></rng>\')',
    "interfaces-of-one-MAC": "many('<interface><mac address=\"52:54:00:00:00:01\"/></interface>')",
    "aliases": "many('<sound><alias name=\"ua-%d\"/></sound>')",
    "devices-of-one-unknown-kind": "many('<wonder><target dev=\"d%d\"/></wonder>')",
    "kinds": "many('<kind%d/>')",
    "parts-of-one-device": "'<domain><devices><disk>' + many('<new/>', '', '') + '</disk></devices></domain>'",
    "attributes": "'<domain' + many(' wonderful-%d=\"1\"', '', '') + '></domain>'",
    "features": "'<domain><cpu>' + many('<feature name=\"f%d\"/>', '', '') + '</cpu></domain>'",
    "a-long-text": "'<domain><title>' + 'x' * 9000000 + '</title></domain>'",
    "a-long-number": "'<domain><memory>' + '9' * 9000000 + '</memory></domain>'",
    "a-deep-tree": "'<domain>' + '<a>' * 100000",
    "more-than-is-read": f"'<domain>' + ' ' * {MAX_BYTES} + '</domain>'",
    "an-entity-bomb": """'<!DOCTYPE domain [<!ENTITY a "' + 'a' * 10000 + '">' + ''.join(
        f'<!ENTITY {b} "{f"&{a};" * 100}">' for a, b in zip('abcd', 'bcde')) + ']><domain><name>&e;</name></domain>'""",
}
"""Name → an expression that makes a document, in a process of its own with limits to its memory and its work."""

MEMORY = 160 * 1024**2
"""Bytes. The long text takes half of it, those devices a quarter."""

WORK = 3
"""Seconds of processor time, which a busy machine doesn't use up faster. Work that grows as the number takes one."""

_PROGRAM = """
import sys
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import parse
from holdfast.errors import InvalidDocument
def many(each, before="<domain><devices>", after="</devices></domain>"):
    return before + "".join(each % n if "%d" in each else each for n in range({many})) + after
text = {expression}
try:
    unknown_parts(parse(text, "domain"))
    changed = text.replace("/>", " new='1'/>")
    print(len(compare(text, text[:-1] + " >")), len(compare("<domain/>", text)), len(compare(text, changed)))
except InvalidDocument as error:
    print("refused:", error)
"""


@pytest.mark.parametrize("name", GIGANTIC)
def test_a_gigantic_document_is_refused_or_compared_within_bounds(name: str) -> None:
    program = _PROGRAM.format(expression=GIGANTIC[name], many=MANY)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))
        resource.setrlimit(resource.RLIMIT_CPU, (WORK, resource.RLIM_INFINITY))

    child = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, preexec_fn=limit)
    assert (child.returncode, child.stderr[-500:]) == (0, "")
    refused = name in ("a-deep-tree", "attributes", "more-than-is-read", "an-entity-bomb")
    assert child.stdout.startswith("refused:" if refused else "0 "), child.stdout[:300]
