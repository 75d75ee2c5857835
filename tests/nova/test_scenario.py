"""All that a user does with a server: under Holdfast nothing is lost; under Nova's own driver what is known to be."""

from __future__ import annotations

import pytest

from nova_lab.scenario import STEPS
from tests.nova.conftest import Results

each_step = pytest.mark.parametrize("step", [step.name for step in STEPS])


@pytest.mark.parametrize(
    "step", ["hard reboot", "start", "live snapshot", "rescue", "rebuild", "resize on the same host"]
)
def test_stock_driver_leaves_the_domain_undefined_for_a_while(under_stock: Results, step: str) -> None:
    assert under_stock[step].error is None
    assert under_stock[step].undefined


def test_guest_reports_that_stock_hard_reboot_moves_its_hardware(under_stock: Results) -> None:
    moved = under_stock["hard reboot"].guest
    assert any(change.startswith("disk volume 3: ") for change in moved), moved
    assert any(change.startswith("interface 4: ") for change in moved), moved


def test_documents_say_that_stock_rescue_takes_the_hardware_away(under_stock: Results) -> None:
    assert under_stock["rescue"].documents


@each_step
def test_every_step_is_done_under_holdfast(under_holdfast: Results, step: str) -> None:
    assert under_holdfast[step].error is None
    assert under_holdfast[step].missing == ()


@each_step
def test_guest_reports_nothing_that_was_not_asked_for_under_holdfast(under_holdfast: Results, step: str) -> None:
    assert under_holdfast[step].guest == ()


@each_step
def test_documents_have_nothing_that_was_not_asked_for_under_holdfast(under_holdfast: Results, step: str) -> None:
    assert under_holdfast[step].documents == ()


@each_step
def test_live_and_config_agree_for_the_guest_under_holdfast(under_holdfast: Results, step: str) -> None:
    assert under_holdfast[step].disagreement == ()


@pytest.mark.parametrize("step", [step.name for step in STEPS if step.name != "delete"])
def test_domain_stays_defined_under_holdfast(under_holdfast: Results, step: str) -> None:
    assert not under_holdfast[step].undefined
