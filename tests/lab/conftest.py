"""Fixtures of the tier lab: one lab for the run, and the scenario once under each driver."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from nova_lab.compare import measure
from nova_lab.lab import Lab
from nova_lab.scenario import Result

Results = dict[str, Result]
"""Name of a step → what came of it."""


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab; one that ran before stays. HOLDFAST_NOVA_LAB names its folder where it is not the usual one."""
    folder = os.environ.get("HOLDFAST_NOVA_LAB")
    lab = Lab(Path(folder) if folder else None)
    ran = lab.cloud.pid is not None
    lab.up()
    yield lab
    lab.close()
    if not ran:
        lab.down()


@pytest.fixture(scope="session")
def under_stock(lab: Lab) -> Results:
    """The scenario under Nova's own driver."""
    return {result.step: result for result in measure(lab, "stock")}


@pytest.fixture(scope="session")
def under_holdfast(lab: Lab) -> Results:
    """The scenario under ours."""
    return {result.step: result for result in measure(lab, "holdfast")}
