"""What virt-install prints is read, the last document of several."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.raising import raising

from holdfast.domainxml.make.virt_install import last_domain
from holdfast.errors import Condition, InvalidDocument
from holdfast.errors import documents as errors

PRINTED = sorted((Path(__file__).parents[2] / "data" / "virt-install").glob("*.xml"))


@pytest.mark.parametrize("path", PRINTED, ids=lambda path: path.stem)
def test_last_document_is_the_one_that_stays(path: Path) -> None:
    domain = last_domain(path.read_text())
    assert domain.findtext("name") == "a"
    assert domain.findtext("on_reboot") != "destroy", "this is the document of the installation"


def test_two_documents_with_declarations_are_read() -> None:
    one = "<?xml version='1.0'?>\n<domain><name>a</name></domain>\n"
    two = "<?xml version='1.0' encoding='UTF-8'?>\n<domain><name>b</name></domain>\n<!-- end -->\n"
    assert last_domain(one + two).findtext("name") == "b"
    assert last_domain(two).findtext("name") == "b"
    assert last_domain(f"\n{two}").findtext("name") == "b"


def test_encoding_that_a_declaration_names_was_that_of_a_file() -> None:
    text = "<?xml version='1.0' encoding='ISO-8859-1'?><domain><name>é</name></domain>"
    assert last_domain(text).findtext("name") == "é"
    assert last_domain(text + text).findtext("name") == "é"


@pytest.mark.parametrize(
    ("text", "condition", "line"),
    [
        ("", errors.NOT_WELL_FORMED, 1),
        ("hello", errors.NOT_WELL_FORMED, 1),
        ("<domain>", errors.NOT_WELL_FORMED, 1),
        ("<network/>", errors.OTHER_ELEMENT, 1),
        ("<domain/>\n<network/>", errors.OTHER_ELEMENT, 2),
        ("<domain/>\n<domain>", errors.NOT_WELL_FORMED, 2),
        ("<!DOCTYPE domain [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>", errors.DOCTYPE, 1),
    ],
)
def test_what_is_no_document_is_one_sentence(text: str, condition: Condition[InvalidDocument], line: int) -> None:
    with raising(condition, line=line):
        last_domain(text)
