"""Numbers in documents: what is one, and what is said of what is none."""

from __future__ import annotations

import pytest
from tests.raising import raising

from holdfast.domainxml.document import parse
from holdfast.domainxml.number import as_c_number, as_number, number_at
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.errors.documents import NOT_A_NUMBER

DOMAIN = """<domain><devices>
<controller type='pci' index='1'/>
<controller type='pci' index='{index}'/>
</devices></domain>"""

NONE = ("", " ", "x", "²", "٣", "1_000", "1.5", "1e3", "0x", "0xzz", "-", "--1", "9" * 21, "1\n2")


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("010", 10), (" 7\n", 7), ("-1", -1), ("9" * 20, 10**20 - 1)])
def test_decimal_number_is_read(text: str, number: int) -> None:
    assert as_number(text) == number


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("0x1f", 31), ("0X1F", 31), ("017", 15), ("00", 0), ("31", 31)])
def test_part_of_an_address_is_read_as_c_reads_it(text: str, number: int) -> None:
    assert as_c_number(text) == number


@pytest.mark.parametrize("text", NONE)
def test_other_text_is_no_number(text: str) -> None:
    assert as_number(text) is None
    assert as_c_number(text) is None


@pytest.mark.parametrize("text", [*NONE, "0x1"])
def test_sentence_names_the_place(text: str) -> None:
    domain = parse(DOMAIN.format(index=text.replace("\n", "&#10;")))
    place = "devices/controller[2]@index"
    with raising(NOT_A_NUMBER, place=place, line=3) as caught:
        number_at(domain.findall("devices/controller")[1], "@index")
    assert str(caught.value).startswith(f"{place} is '")
    assert "\n" not in str(caught.value)


def test_what_is_not_given_is_the_default() -> None:
    controller = parse("<controller/>")
    assert (number_at(controller, "@index"), number_at(controller, "target@busNr", 7)) == (0, 7)


def test_element_by_itself_is_named_too() -> None:
    with raising(NOT_A_NUMBER, place="disk/boot@order"):
        number_at(parse("<disk><boot order='first'/></disk>"), "boot@order")
    with raising(NOT_A_NUMBER, place="cputune/shares"):
        number_at(parse("<domain><cputune><shares>x</shares></cputune></domain>").findall("cputune/*")[0], "")


@pytest.mark.parametrize("time", ["soon", "9" * 20, "", "²"])
def test_snapshot_made_at_no_time_is_said(time: str) -> None:
    with raising(NOT_A_NUMBER, place="domainsnapshot/creationTime"):
        read_snapshot(f"<domainsnapshot><creationTime>{time}</creationTime></domainsnapshot>")
