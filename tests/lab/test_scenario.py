"""All that a user does with a server: under Holdfast nothing is lost; under Nova's own driver what is known to be."""

from __future__ import annotations

import pytest

from nova_lab.scenario import STEPS
from tests.lab.conftest import Results

each_step = pytest.mark.parametrize("step", [step.name for step in STEPS])


@pytest.mark.parametrize("step", ["hard reboot", "start", "live snapshot", "revert the resize", "rebuild"])
def test_stock_driver_leaves_the_domain_undefined_for_a_while(under_stock: Results, step: str) -> None:
    assert under_stock[step].error is None
    assert under_stock[step].undefined


@pytest.mark.parametrize("step", ["hard reboot", "start", "resize on the same host", "rebuild"])
def test_guest_reports_that_the_stock_driver_moves_its_hardware(under_stock: Results, step: str) -> None:
    assert any(change.startswith("disk volume") for change in under_stock[step].guest), under_stock[step]


def test_guest_and_documents_say_that_the_stock_rescue_takes_the_volumes_away(under_stock: Results) -> None:
    assert any(change.endswith("→ nothing") for change in under_stock["rescue"].guest)
    assert any("is removed" in change for change in under_stock["rescue"].documents)


@pytest.mark.parametrize("step", ["detach volume 3, in vain", "attach volume 8 meanwhile"])
def test_stock_driver_leaves_live_and_config_apart_where_a_guest_answers_no_detach(
    under_stock: Results, step: str
) -> None:
    assert under_stock[step].error is None
    assert under_stock[step].disagreement


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
