"""The schema of a newer libvirt holds nothing that no file of ours declares."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from tests.corpus import CORPUS, newer
from tests.xml.compare.schema_checks import superfluous, undeclared, wrong_verdicts
from tests.xml.compare.schema_paths import SchemaPaths
from tests.xml.compare.test_schema_coverage import NEWER


@pytest.fixture(scope="module", params=["system", "sid"])
def schemas(request: pytest.FixtureRequest) -> Path:
    """The folder of schemas of Debian 13, and of sid."""
    system: Path = request.getfixturevalue(request.param)
    return system / "usr/share/libvirt/schemas"


@pytest.fixture(scope="module")
def paths(schemas: Path) -> set[str]:
    return SchemaPaths(schemas).paths


def test_every_path_has_a_side(paths: set[str]) -> None:
    assert len(paths) > 2400
    assert undeclared(paths) == []


def test_every_path_flips_the_verdict_as_its_side_says(paths: set[str]) -> None:
    assert wrong_verdicts(paths) == []


def test_what_is_declared_ahead_of_the_oldest_schema_is_in_the_newest(sid: Path) -> None:
    newest = SchemaPaths(sid / "usr/share/libvirt/schemas").paths
    assert superfluous(SchemaPaths().paths | newest) == []
    assert [path for path in NEWER if not any(each.startswith(path) for each in newest)] == []


def test_it_accepts_every_domain(schemas: Path) -> None:
    schema = etree.RelaxNG(etree.parse(schemas / "domain.rng"))
    every = (CORPUS | newer.SAMPLES).values()
    assert [sample.name for sample in every if not schema.validate(etree.fromstring(sample.document()))] == []
