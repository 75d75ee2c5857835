"""What is known of a guest, from the document that it runs with and the record of its last start."""

from __future__ import annotations

from tests.xml.outlook.told import custom, domain, loader

from holdfast.domainxml.document import Element
from holdfast.domainxml.fact import Started
from holdfast.domainxml.metadata import add_facts
from holdfast.domainxml.versions import NOT_KNOWN, Versions
from holdfast.operations.host.outlook import known_guest


def with_record(document: Element, record: Started | None) -> Element:
    if record is not None:
        add_facts(document, record)
    return document


def known(running: Element | None, config: Element) -> tuple[str | None, str | None, str | None, Versions]:
    guest = known_guest(running, config)
    model = None if guest.cpu is None else guest.cpu.findtext("model")
    return model, guest.firmware, guest.loader, guest.versions


RECORD = Started("<cpu><model>Recorded</model></cpu>", "digest", "7.2.0", "9.0.0")
RECORDED = Versions((7, 2, 0), (9, 0, 0))


def test_of_a_guest_that_is_off_its_last_start_tells() -> None:
    assert known(None, domain(custom())) == (None, None, None, NOT_KNOWN)
    assert known(None, with_record(domain(custom()), RECORD)) == ("Recorded", "digest", None, RECORDED)
    for empty in (Started("", ""), Started("<cpu/>", ""), Started("<cpu mode='maximum'/>", "")):
        assert known(None, with_record(domain(custom()), empty)) == (None, None, None, NOT_KNOWN)


def test_of_a_guest_that_runs_its_document_tells_and_the_record_of_that_start() -> None:
    running = domain(custom("Live"), os=loader("/l.fd"))
    assert known(running, domain()) == ("Live", None, "/l.fd", NOT_KNOWN)
    assert known(running, with_record(domain(), RECORD)) == ("Live", "digest", "/l.fd", RECORDED)
    for cpu in ("", "<cpu mode='host-passthrough'/>"):
        assert known(domain(cpu), with_record(domain(), RECORD)) == (None, "digest", None, RECORDED)
    assert known(domain(os="<loader> </loader>"), domain())[2] is None


def test_a_record_that_was_copied_into_the_running_document_is_of_a_start_before() -> None:
    running = with_record(domain(custom("Live"), os=loader("/l.fd")), RECORD)
    assert known(running, with_record(domain(), RECORD)) == ("Live", None, "/l.fd", NOT_KNOWN)
