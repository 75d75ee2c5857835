"""An untouched domain: whatever libvirt names only in live, the guest view sees no difference to config."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from tests.corpus import CORPUS
from tests.corpus.builder import Sample, make_images

WHOLE = bool(os.environ.get("HOLDFAST_WHOLE_CORPUS"))
"""Start every domain of the corpus, half a second each; otherwise whole domains as people have them and every fifth."""

STARTED = [
    sample
    for number, sample in enumerate(CORPUS.values())
    if sample.can_start and sample.can_define and (WHOLE or sample.is_file or number % 5 == 0)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every image that the domains of the corpus name."""
    folder = tmp_path_factory.mktemp("images")
    make_images(folder)
    return folder


@pytest.mark.parametrize("sample", STARTED, ids=[sample.name for sample in STARTED])
def test_untouched_domain_has_no_difference_between_live_and_config(
    connection: Connection, folder: Path, sample: Sample
) -> None:
    domain = connection.define(sample.document(folder))
    domain.start(paused=True)
    live, config = domain.xml(Definition.LIVE), domain.xml(Definition.CONFIG)
    assert [str(change) for change in visible(compare(config, live))] == []
    assert [str(change) for change in visible(compare(live, config))] == []


def test_libvirt_takes_every_domain_whose_emulator_is_installed(connection: Connection, folder: Path) -> None:
    """And defines the document it prints as the same domain again: nothing is different the second time."""
    defined = 0
    for sample in CORPUS.values():
        if sample.can_define:
            domain = connection.define(sample.document(folder))
            config = domain.xml(Definition.CONFIG)
            connection.define(config)
            assert compare(config, domain.xml(Definition.CONFIG)) == []
            domain.undefine()
            defined += 1
    assert defined >= 150
