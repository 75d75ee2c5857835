"""A sample of the matrix, and the proof that the matrix finds what is wrong. The whole is ``scripts/faults``."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from holdfast.cli.common import ChangingCommand
from holdfast.cli.main import holdfast
from tests.faults.matrix import ROOT, Worker, worker
from tests.faults.plants import PLANTS
from tests.faults.scenarios import EXEMPT, SCENARIOS
from tests.faults.steps import Fault, Kind, Point, Step, points
from tests.faults.world import without_true_volumes

BETWEEN_HOSTS = {"migrate"}
"""Commands with two libvirts: ``scripts/faults migration``."""
ATTACH = "disk attach a path=new.qcow2,size=1MiB"


@pytest.fixture(scope="module")
def one() -> Iterator[Worker]:
    """A worker of this test process."""
    with worker() as found:
        yield found


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


def test_every_command_that_changes_something_is_in_the_matrix() -> None:
    changing = {
        name
        for name, command in commands(holdfast)
        if isinstance(command, ChangingCommand) or any("--dry-run" in each.opts for each in command.params)
    }
    told = {name for name in changing if any(f"{scenario} ".startswith(f"{name} ") for scenario in SCENARIOS)}
    assert told == changing - BETWEEN_HOSTS


def test_the_page_names_what_is_exempt_and_why() -> None:
    page = (ROOT / "docs/faults.md").read_text()
    for scenario, why in EXEMPT.items():
        assert scenario in SCENARIOS
        assert f"| `{scenario}` | {why} |" in page


def test_a_record_of_another_volume_than_the_disk_has_is_a_difference() -> None:
    disk = "<devices><disk><source file='/x/a.qcow2'/><backingStore><source file='/x/b.qcow2'/></backingStore></disk>"
    document = f"<domain>{{}}{disk}</devices></domain>"
    record = '<disk role="root" volume="default/{0}.qcow2" path="/x/{0}.qcow2"/>'
    documents = [document.format(each) for each in ('<disk role="root"/>', record.format("a"), record.format("b"))]
    unknown, true, false = map(without_true_volumes, documents)
    assert unknown == true != false


def sample(steps: list[Step], fault: Fault) -> list[Point]:
    """One point in the middle, and for SIGKILL each that is before a call of libvirt."""
    found = points(steps, fault)
    if fault is Fault.KILL:
        return [each for each in found if not each.during and steps[each.step - 1].kind in (Kind.CALL, Kind.PROCESS)]
    return found[len(found) // 2 :][:1]


@pytest.mark.parametrize("scenario", [ATTACH, "rename a b", "snapshot create a s", "adopt a"])
def test_nothing_is_lost_and_nothing_false_is_said(one: Worker, scenario: str) -> None:
    steps = one.steps(scenario)
    chosen = [point for fault in Fault for point in sample(steps, fault)]
    assert {point.fault for point in chosen} >= set(Fault) - {Fault.FULL, Fault.READ_ONLY}
    wrong = {str(point): verdict.why for point in chosen if (verdict := one.judge(scenario, point)).outcome == "wrong"}
    assert not wrong


@pytest.mark.parametrize(
    ("plant", "scenario", "fault"),
    [
        ("record after the deed", ATTACH, Fault.KILL),
        ("leftover", ATTACH, Fault.KILL),
        ("false exit code", "set a --title t paused", Fault.DAEMON),
    ],
)
def test_a_planted_defect_is_found(one: Worker, plant: str, scenario: str, fault: Fault) -> None:
    assert plant in PLANTS
    found = points(one.steps(scenario), fault)
    assert any(one.judge(scenario, point, plant).outcome == "wrong" for point in found)
