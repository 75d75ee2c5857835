"""No false alarms on a newer libvirt: what it fills into documents of this one, and into its own at a start."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import parse
from holdfast.errors import libvirt as errors
from holdfast.errors.hosts import NO_MACHINE_TYPE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from tests.corpus import CORPUS
from tests.corpus import newer as newer_corpus
from tests.corpus.builder import Sample
from tests.raising import raising

REFUSED = {
    "machine-pc-i440fx-2.0": "the host has no machine type pc-i440fx-2.0",
    "machine-microvm": "ps2 is not supported by this QEMU binary",
    "firmware-bios-chosen": "Unable to find 'bios' firmware",
}
"""Domains that libvirt 9.0 defines and 11.3 does not, and the reason it gives. There is no other true change."""

DEFINED = [sample for sample in CORPUS.values() if sample.can_define]
STARTED = [
    sample for sample in (*DEFINED, *newer_corpus.SAMPLES.values()) if sample.can_start and sample.name not in REFUSED
]


@pytest.mark.parametrize("sample", DEFINED, ids=[sample.name for sample in DEFINED])
def test_config_is_the_same_defined_on_a_newer_libvirt(
    older: Connection, newer: Connection, folder: Path, sample: Sample
) -> None:
    before = older.define(sample.document(folder)).xml(Definition.CONFIG)
    if reason := REFUSED.get(sample.name):
        with raising(errors.REFUSED, NO_MACHINE_TYPE) as refused:
            newer.define(before)
        assert reason in refused.value.message
        return
    after = newer.define(before).xml(Definition.CONFIG)
    _assert_same(before, after)


@pytest.mark.parametrize("sample", STARTED, ids=[sample.name for sample in STARTED])
def test_live_is_the_same_as_config_on_a_newer_libvirt(
    older: Connection, newer: Connection, folder: Path, sample: Sample
) -> None:
    """And the same as the config document of an older one, from which the domain came."""
    document = sample.document(folder)
    if sample.name in CORPUS:
        document = older.define(document).xml(Definition.CONFIG)
    domain = newer.define(document)
    domain.start(paused=True)
    live = domain.xml(Definition.LIVE)
    _assert_same(domain.xml(Definition.CONFIG), live)
    if sample.name in CORPUS:
        _assert_same(document, live)
    assert unknown_parts(parse(live)) == []


def _assert_same(before: str, after: str) -> None:
    assert [str(change) for change in visible(compare(before, after))] == []
    assert [str(change) for change in visible(compare(after, before))] == []
