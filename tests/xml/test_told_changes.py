"""What an operation that breaks off tells of a document: all that has changed in it but what a guest does by itself."""

from __future__ import annotations

import pytest

from holdfast.domainxml.document import parse
from holdfast.operations.truthful_errors import change_of_document

RUNNING, SHUT_OFF = "<domain type='qemu' id='1'>{}</domain>", "<domain type='qemu'>{}</domain>"
DISK = "<devices><disk><source file='/a'{}/><backingStore><source file='/b'/></backingStore></disk></devices>"
BALLOON = ("<currentMemory>1024</currentMemory>", "<currentMemory>2048</currentMemory>")
NODE = (DISK.format(" index='1'"), DISK.format(" index='2'"))
TRAY = (
    "<devices><disk><target dev='sda'/></disk></devices>",
    "<devices><disk><target dev='sda' tray='open'/></disk></devices>",
)
CHANNEL = (
    "<devices><channel><target name='a' state='connected'/></channel></devices>",
    "<devices><channel><target name='a'/></channel></devices>",
)
METADATA = "", "<metadata/>"


def told(document: str, before: str, after: str) -> list[str]:
    """What is told of a document, which stays as it is."""
    return list(change_of_document("live", parse(document.format(before)), parse(document.format(after))))


@pytest.mark.parametrize("change", [BALLOON, NODE, TRAY, CHANNEL, METADATA])
def test_what_a_guest_does_is_not_told_of_live(change: tuple[str, str]) -> None:
    assert told(RUNNING, *change) == told(RUNNING, *reversed(change)) == []


@pytest.mark.parametrize(
    "change", [BALLOON, NODE, ("", "<metadata><a xmlns='urn:a'/></metadata>"), ("", "<title>a</title>")]
)
def test_what_somebody_has_written_is_told(change: tuple[str, str]) -> None:
    assert told(SHUT_OFF, *change) == ["its live document has changed"]


def test_what_the_guest_sees_of_it_is_told_too() -> None:
    (sentence,) = told(RUNNING, "<vcpu>1</vcpu><memory>1024</memory>", "<vcpu>2</vcpu><memory>2048</memory>")
    assert sentence == "its live document has changed (vcpu is 2, was 1, memory is 2 MiB, was 1 MiB)"
