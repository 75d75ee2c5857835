"""``holdfast demo``: real guests say what they see of their hardware, under Holdfast and under regeneration."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope
from holdfast.cli.common import output_option
from holdfast.cli.streams import drawn_on
from holdfast.errors.programs import NO_LAB

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from holdfast_lab.comparison import Comparison
    from holdfast_lab.scenario import Scenario, ScenarioStep

_WIDTH = 100


@click.command()
@click.option(
    "--machine",
    type=click.Choice(["q35", "i440fx", "virt"]),
    default="q35",
    show_default=True,
    help="Machine type; virt is an ARM machine, emulated.",
)
@click.option(
    "--keep", is_flag=True, help="Leave the guests running, with a shell to try commands on them, until it ends."
)
@output_option
def demo(machine: str, keep: bool, output: str) -> None:
    """Let two guests live through attach, detach and reboots, and ask them what changed.

    One is managed by Holdfast, the other by a manager that writes a fresh document at each start. They run in a
    private libvirt, which touches nothing of this machine's. Needs root.

    Exit code 0 when nothing changed under Holdfast and something did under regeneration, else 3.
    """
    from rich.console import Console

    try:
        from holdfast_lab.scenario import STEPS, check_host, scenario
    except ModuleNotFoundError as error:
        if error.name != "holdfast_lab":
            raise
        raise NO_LAB() from None

    check_host(machine)

    stream = sys.stderr if output == "json" else sys.stdout
    console = Console(file=drawn_on(stream), highlight=False)
    if not console.is_terminal or console.width > _WIDTH:
        console.width = _WIDTH
    preparing = console.status("preparing the probe guest and a private libvirt …")
    with preparing as status, scenario(machine) as played:
        _introduce(console, machine)
        for step in STEPS:
            status.update(f"{step.name} …")
            seconds = played.take(step)
            console.print(_step_line(played, step, seconds))
        status.stop()
        holdfast, regenerated = played.changes(played.holdfast), played.changes(played.regenerated)
        counts = [sum(fact.changed for fact in facts) for facts in (holdfast, regenerated)]
        if output == "json":
            print_envelope(**_as_json(played, holdfast, regenerated))
        else:
            console.print(_table(holdfast, regenerated))
            click.echo(f"guest-visible changes: holdfast {counts[0]}, regenerated {counts[1]}")
        if keep:
            from holdfast_lab.keep import keep_running

            keep_running(played)
    click.get_current_context().exit(0 if counts[0] == 0 and counts[1] > 0 else 3)


def _introduce(console: Console, machine: str) -> None:
    from holdfast_lab.enclosure import acceleration

    how = "with KVM" if acceleration() == "kvm" else "emulated (KVM does not work here)"
    if machine == "virt":
        how = "emulated"
    console.print(f"[bold]Two equal guests, {machine}, {how}[/]")
    console.print("One is managed by Holdfast. The other's manager writes a fresh document at each cold start.")
    console.print("Each of them says over its serial console what it sees of its hardware.")
    console.print()


def _step_line(played: Scenario, step: ScenarioStep, seconds: float) -> Text:
    """What was done, what the guest said of it, and how long both took."""
    from rich.text import Text

    said = Text(" ".join([step.what, ", ".join(played.seen(step))]).strip())
    if played.has_baseline_before(step):
        said.append("; changed: ")
        for managed in (played.holdfast, played.regenerated):
            changes = played.changes_at(managed, step)
            said.append(f"{managed.name} {changes} ", style="red" if changes else "green")
    said.truncate(_WIDTH - 33, pad=True)
    return Text.assemble((" ✓ ", "green"), (f"{step.name:<20}", "bold"), said, (f"{seconds:7.1f} s", "dim"))


def _table(holdfast: list[Comparison], regenerated: list[Comparison]) -> Table:
    """The facts device by device; what is reported as a group and did not change takes one row."""
    from dataclasses import replace

    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, width=_WIDTH)
    table.add_column("what the guest sees", width=20, no_wrap=True)
    for title in ("before", "after, Holdfast", "after, regenerated"):
        table.add_column(title, ratio=1, no_wrap=True)
    told = [{fact.name: fact for fact in facts} for facts in (holdfast, regenerated)]
    rows: dict[str, list[tuple[Comparison, Comparison]]] = {}
    for fact in (told[1] | told[0]).values():
        kept, lost = (facts.get(fact.name) or replace(fact, before=None, after=None) for facts in told)
        rows.setdefault(fact.group or fact.name, []).append((kept, lost))
    for name, pairs in rows.items():
        if len(pairs) > 1 and not any(fact.changed for pair in pairs for fact in pair):
            ends = " … ".join(_end_of_group(pairs[at][0]) for at in (0, -1))
            table.add_row(f"{name} ({len(pairs)})", ends, *[f"[green]{ends}[/]"] * 2)
            continue
        for kept, lost in pairs:
            table.add_row(kept.name, kept.before.shown if kept.before else "–", _after(kept), _after(lost))
    return table


def _end_of_group(fact: Comparison) -> str:
    """The first or last of a group: tables are identified by name, devices by place."""
    if fact.name.startswith("ACPI "):
        return fact.name.removeprefix("ACPI ")
    return fact.before.shown if fact.before else "–"


def _after(fact: Comparison) -> str:
    from rich.markup import escape

    shown = escape(fact.after.shown) if fact.after else "gone" if fact.before else "–"
    return f"[bold red]{shown}[/]" if fact.changed else f"[green]{shown}[/]"


def _as_json(played: Scenario, holdfast: list[Comparison], regenerated: list[Comparison]) -> dict[str, object]:
    runs: dict[str, object] = {}
    for managed, facts in ((played.holdfast, holdfast), (played.regenerated, regenerated)):
        changed = [fact for fact in facts if fact.changed]
        runs[managed.name] = {
            "guest_visible_changes": len(changed),
            "changes": [
                {
                    "name": fact.name,
                    "before": fact.before.shown if fact.before else None,
                    "after": fact.after.shown if fact.after else None,
                }
                for fact in changed
            ],
            "inventories": [{"step": step, "inventory": inventory} for step, inventory in managed.inventories.items()],
        }
    return {"machine": played.machine, **runs}
