"""What the guest view says of small differences. Each example is a file whose name is the sentence it shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from tests.raising import raising
from tests.xml.compare.schema_checks import one_path, wrong_verdicts
from tests.xml.compare.schema_paths import SCHEMAS, SchemaPaths

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare, compare_documents
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.elements.declarations import DEVICES
from holdfast.errors import Condition, HoldfastError, documents

DATA = Path(__file__).parents[1] / "data"
EXAMPLES = sorted((DATA / "changes").glob("*.xml"))
DOMAINS = sorted((DATA / "domains").glob("*.xml"))


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_example(file: Path) -> None:
    example = etree.parse(file).getroot()
    before, after = (_domain(example, side) for side in ("before", "after"))
    changes = compare(before, after)
    assert [str(change) for change in visible(changes)] == [node.text for node in example.iterfind("guest")]
    cosmetic = [str(change) for change in changes if not change.is_visible]
    assert cosmetic == [node.text for node in example.iterfind("cosmetic")]


@pytest.mark.parametrize("file", EXAMPLES, ids=[file.stem for file in EXAMPLES])
def test_the_other_way_round_the_verdict_is_the_same(file: Path) -> None:
    example = etree.parse(file).getroot()
    before, after = (_domain(example, side) for side in ("before", "after"))
    there, back = compare(before, after), compare(after, before)
    assert len(visible(there)) == len(visible(back))
    assert len(there) == len(back)


def _domain(example: etree._Element, side: str) -> str:
    inside = "".join(etree.tostring(node, encoding="unicode") for node in example.iterfind(f"{side}/*"))
    return f"<domain type='qemu'>{inside}</domain>"


def test_hyperv_features_that_live_was_given_are_no_change_to_a_config_that_leaves_them_to_the_host() -> None:
    config = (
        "<domain type='kvm'><features><hyperv mode='host-model'><vpindex state='off'/></hyperv></features></domain>"
    )
    chosen = "<hyperv mode='custom'><vpindex state='off'/><relaxed state='on'/></hyperv>"
    live = f"<domain type='kvm' id='1'><features>{chosen}</features></domain>"
    for before, after in ((config, live), (live, config)):
        assert visible(compare(before, after)) == []
        assert len(compare(before, after)) == 1
    assert visible(compare(config, live.replace("'off'", "'on'"))) != []
    assert visible(compare(config, live.replace(" id='1'", ""))) != []


@pytest.mark.parametrize("file", DOMAINS, ids=[file.stem for file in DOMAINS])
def test_a_document_does_not_differ_from_itself(file: Path) -> None:
    text = file.read_text()
    assert compare(text, text) == []
    assert compare(text, text.replace("<devices>", "<!-- the same --><devices>\n")) == []


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason="libvirt's schemas are not installed (Debian: libvirt0)")
def test_every_path_of_the_schema_flips_the_verdict_as_its_side_says() -> None:
    """One value at each of libvirt's paths becomes another: the guest sees it, or not, as declared."""
    assert wrong_verdicts(SchemaPaths().paths) == []


def test_documents_that_are_compared_stay_as_they_are() -> None:
    texts = [
        f"<domain id='1'><devices><rng model='{model}'><alias name='rng0'/><backend/></rng></devices></domain>"
        for model in ("virtio", "virtio-transitional")
    ]
    documents = [parse(text) for text in texts]
    before = [serialize(document) for document in documents]
    assert len(compare_documents(*documents)) == 1
    assert [serialize(document) for document in documents] == before


def test_json_has_the_sentence_beside_the_fields() -> None:
    change = Change(ChangeKind.MOVED, "disk vdb", "devices/disk/address", "pci 0000:05:00.0", "pci 0000:04:00.0")
    assert json.loads(json.dumps(change.to_json())) == {
        "kind": "moved",
        "what": "disk vdb",
        "where": "devices/disk/address",
        "before": "pci 0000:05:00.0",
        "after": "pci 0000:04:00.0",
        "unknown": False,
        "sentence": "disk vdb moved from pci 0000:05:00.0 to pci 0000:04:00.0",
    }


GOOD = "<domain type='qemu'><name>a</name></domain>"


@pytest.mark.parametrize(
    ("text", "conditions", "line"),
    [
        ("<domain>\n<name>a</name>", [documents.NOT_WELL_FORMED], 2),
        ("", [documents.NOT_WELL_FORMED], 1),
        ("\x00\x01\x7fELF", [documents.NOT_WELL_FORMED], 1),
        ("<network/>", [documents.OTHER_ELEMENT], 1),
        ("<!-- -->\n<!DOCTYPE domain><domain/>", [documents.DOCTYPE], 2),
        (
            "<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain><name>&x;</name></domain>",
            [documents.DOCTYPE],
            1,
        ),
        (
            "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'>"
            + "".join(f"<!ENTITY {b} '{f'&{a};' * 10}'>" for a, b in zip("abcdefgh", "bcdefghi", strict=True))
            + "]><domain><name>&i;</name></domain>",
            [documents.DOCTYPE, documents.NOT_WELL_FORMED],
            1,
        ),
        ("<domain>" + "<a>" * 100_000, [documents.NOT_WELL_FORMED], 1),
        ("<domain xmlns:x='y'><x:name z:q='1'/></domain>", [documents.NOT_WELL_FORMED], 1),
    ],
    ids=["truncated", "empty", "binary", "other-root", "doctype", "external-entity", "entity-bomb", "deep", "prefix"],
)
def test_bad_input_is_refused_with_its_line(text: str, conditions: list[Condition[HoldfastError]], line: int) -> None:
    for pair in ((text, GOOD), (GOOD, text)):
        with raising(*conditions, line=line):
            compare(*pair)


@pytest.mark.parametrize("value", ["zz", "", "0x", "-1", "9" * 5000, "٣"])
def test_nonsense_in_an_address_is_compared_as_text(value: str) -> None:
    def document(bus: str) -> str:
        return f"<domain><devices><rng><address type='pci' bus='{bus}' slot='{value}'/></rng></devices></domain>"

    assert compare(document(value), document(value) + "\n") == []
    assert visible(compare(document(value), document("0x05"))) != []


@pytest.mark.parametrize("value", ["9" * 5000, "0x" + "f" * 5000, "0x", "٣"])
def test_nonsense_for_a_number_is_compared_as_text(value: str) -> None:
    def document(ports: str) -> str:
        return f"<domain><devices><controller type='usb' index='0' ports='{ports}'/></devices></domain>"

    assert visible(compare(document(value), document("16"))) != []


@pytest.mark.parametrize(
    ("decimal", "hexadecimal", "is_same"),
    [
        ("0", "0x0", True),
        ("18446744073709551615", "0xffffffffffffffff", True),
        ("100000000000000000000", "0x56bc75e2d63100000", False),
    ],
)
def test_number_of_up_to_twenty_digits_is_compared_as_a_number(decimal: str, hexadecimal: str, is_same: bool) -> None:
    one, other = (one_path("devices/controller/target@port", value) for value in (decimal, hexadecimal))
    assert (compare(one, other) == []) is is_same


@pytest.mark.parametrize(
    "path", ["devices/rng@model", "devices/disk/driver@queues", "os/type@machine", "cpu@mode", "vcpu", "genid"]
)
def test_change_says_where_it_is_as_a_path(path: str) -> None:
    assert {change.where for change in compare(one_path(path, "1"), one_path(path, "2"))} == {path}


def test_change_of_the_domains_own_type_names_the_domain() -> None:
    (change,) = compare("<domain type='qemu'/>", "<domain type='kvm'/>")
    assert (change.what, change.where) == ("domain", "@type")


@pytest.mark.parametrize(
    "path", ["title", "devices/disk/serial", "devices/graphics@newer", "devices/channel/target@name"]
)
def test_value_without_end_is_shortened_where_it_is_shown(path: str) -> None:
    for change in compare(one_path(path, "a" * 5_000_000), one_path(path, "b" * 5_000_000)):
        assert len(str(change)) < 2_000 and " characters)" in str(change)
        assert len(json.dumps(change.to_json())) < 6_000


def test_value_of_a_path_or_of_many_features_is_shown_whole() -> None:
    (change,) = compare(one_path("title", "a" * 300), one_path("title", "b" * 300))
    assert "b" * 300 in str(change)


RNG = "<rng model='virtio'><address type='pci' bus='{}' slot='0'/></rng>"
DISK = "<disk><target dev='vda'/><serial>{}</serial></disk>"


@pytest.mark.parametrize(
    ("before", "after", "kind", "where"),
    [
        ("", RNG.format(1), ChangeKind.ADDED, "devices/rng"),
        (RNG.format(1), "", ChangeKind.REMOVED, "devices/rng"),
        (RNG.format(1), RNG.format(2), ChangeKind.MOVED, "devices/rng/address"),
        (DISK.format("ONE"), DISK.format("TWO"), ChangeKind.REPLACED, "devices/disk"),
        ("", "<wonder/>", ChangeKind.ADDED, "devices/wonder"),
        ("<wonder/>", "", ChangeKind.REMOVED, "devices/wonder"),
    ],
)
def test_change_of_a_whole_device_says_where_it_is_too(before: str, after: str, kind: ChangeKind, where: str) -> None:
    (change,) = compare(*(f"<domain><devices>{devices}</devices></domain>" for devices in (before, after)))
    assert (change.kind, change.where, change.unknown) == (kind, where, "wonder" in where)


_HOST_SIDE = [
    path
    for tag, sides in DEVICES.items()
    if sides.unseen != "*"
    for path in (f"devices/{tag}/{token.split('=')[0]}" for token in sides.host.split())
    if "**" not in path and "," not in path
]


@given(path=st.sampled_from(_HOST_SIDE), value=st.text("abc/.:1", min_size=1, max_size=8))
def test_what_is_declared_host_side_can_say_anything(path: str, value: str) -> None:
    path = path.replace("/@", "@")
    assert compare(one_path(path, value), one_path(path, "another")) == []
