"""No false alarms on newer libvirts: what they fill into documents of this one, and into their own at a start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.machine_type import read_machine_types
from holdfast.domainxml.platform import Platform
from holdfast.errors import libvirt as errors
from holdfast.errors.hosts import NO_MACHINE_TYPE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from tests.corpus import CORPUS
from tests.corpus import newer as newer_corpus
from tests.corpus.builder import Sample
from tests.raising import raising

REFUSED = {"machine-microvm": "ps2 is not supported by this QEMU binary"}
"""Domains that libvirt 9.0 defines with what later ones do not take, and the reason they give; besides those without a
machine type."""

CHANGED = {"disk-usb-cdrom": ["disk sda: model is set to usb-bot (was not given)"]}
"""What libvirt from 11.5 on truly changes where it is defined anew. There is no other change."""

DEFINED = [sample for sample in CORPUS.values() if sample.can_define]
STARTED = [
    sample for sample in (*DEFINED, *newer_corpus.SAMPLES.values()) if sample.can_start and sample.name not in REFUSED
]


def refusal(connection: Connection, document: str, name: str) -> str | None:
    """Why the libvirt of ``connection`` takes no such document, that of the sample ``name``; None where it takes it."""
    asked = Platform.of(parse(document))
    machines = read_machine_types(parse(connection.capabilities(), "capabilities"), asked.arch, asked.virt_type)
    if not machines:
        return f"Cannot check QEMU binary {asked.emulator}"  # that host has no QEMU for this architecture
    return REFUSED.get(name) if asked.machine in machines else f"the host has no machine type {asked.machine}"


@pytest.fixture(params=["newer", "newest"])
def later(request: pytest.FixtureRequest) -> Connection:
    """A host with a later libvirt: Debian 13's, and then sid's."""
    connection: Connection = request.getfixturevalue(request.param)
    return connection


@pytest.mark.parametrize("sample", DEFINED, ids=[sample.name for sample in DEFINED])
def test_config_is_the_same_defined_on_a_newer_libvirt(
    older: Connection, later: Connection, folder: Path, sample: Sample
) -> None:
    before = older.define(sample.document(folder)).xml(Definition.CONFIG)
    if (reason := refusal(later, before, sample.name)) and not _knows_better(older, sample):
        with raising(errors.REFUSED, NO_MACHINE_TYPE) as refused:
            later.define(before)
        assert reason in refused.value.message
        return
    after = later.define(before).xml(Definition.CONFIG)
    _assert_same(before, after, CHANGED.get(sample.name, []) if later.libvirt_version() >= (11, 5, 0) else [])


def _knows_better(older: Connection, sample: Sample) -> bool:
    """True where the older libvirt, which made the document, is one of the later ones already."""
    return sample.name in REFUSED and older.libvirt_version() >= (11, 3)


@pytest.mark.parametrize("sample", STARTED, ids=[sample.name for sample in STARTED])
def test_live_is_the_same_as_config_on_a_newer_libvirt(
    older: Connection, newer: Connection, folder: Path, sample: Sample
) -> None:
    """And the same as the config document of an older one, from which the domain came."""
    _assert_starts_as_it_was(older, newer, folder, sample)


@pytest.mark.parametrize("sample", (some := STARTED[::8]), ids=[sample.name for sample in some])
def test_live_is_the_same_as_config_on_the_newest_libvirt(
    older: Connection, newest: Connection, folder: Path, sample: Sample
) -> None:
    """Some of them, as each start takes half a second."""
    _assert_starts_as_it_was(older, newest, folder, sample)


def _assert_starts_as_it_was(older: Connection, later: Connection, folder: Path, sample: Sample) -> None:
    document = sample.document(folder)
    if sample.name in CORPUS:
        document = older.define(document).xml(Definition.CONFIG)
    if refusal(later, document, sample.name):
        return
    domain = later.define(document)
    domain.start(paused=True)
    live = domain.xml(Definition.LIVE)
    _assert_same(domain.xml(Definition.CONFIG), live)
    if sample.name in CORPUS:
        _assert_same(document, live, CHANGED.get(sample.name, []) if later.libvirt_version() >= (11, 5, 0) else [])
    assert unknown_parts(parse(live)) == []


def _assert_same(before: str, after: str, but: Sequence[str] = ()) -> None:
    assert [str(change) for change in visible(compare(before, after))] == list(but)
    assert len(visible(compare(after, before))) == len(but)
