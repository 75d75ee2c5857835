"""``scripts/nova-lab compare``: the scenario under the stock driver and under ours, measured and written as a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from nova_lab.lab import Lab
from nova_lab.scenario import SHORT, STEPS, Result, run
from nova_lab.server import Server
from nova_lab.world import LabError

DRIVERS = {"stock": "Nova's own driver", "holdfast": "Holdfast"}
"""The driver as the lab knows it → the head of its column."""

BEGIN, END = "<!-- scenario table -->", "<!-- end of the scenario table -->"
"""Between these the table stands on its page; without the second it is put behind the first."""

TELLING = "hard reboot"
"""The step whose losses are told one by one below the table."""


@dataclass(frozen=True)
class Shape:
    """What the scenario is taken with: a server that boots from a volume or not, and all steps or the short form."""

    boots_from_volume: bool = False
    short: bool = False


def measure(lab: Lab, driver: str, shape: Shape = Shape(), **changes: str) -> list[Result]:
    """The scenario under one driver, each step told as it ends; the server is gone then.

    ``changes`` are of the node's setup.
    """
    lab.use_driver(driver, **changes)
    server = Server(lab, f"scenario-{driver}", shape.boots_from_volume)
    results = []
    try:
        for result in run(server, SHORT if shape.short else STEPS):
            results.append(result)
            print(f"{driver:<9} {result.seconds:6.1f} s  {result.step}: {cell(result)}", file=sys.stderr, flush=True)
            for line in (*result.guest, *result.documents, *result.disagreement):
                print(f"{'':<20}{line}", file=sys.stderr, flush=True)
    finally:
        server.remove()
    return results


def table(measured: dict[str, list[Result]]) -> str:
    """What was measured, driver → results, in Markdown."""
    lines = [f"| Step | {' | '.join(DRIVERS[driver] for driver in measured)} |", "|---" * (len(measured) + 1) + "|"]
    by_step = [{result.step: result for result in results} for results in measured.values()]
    for step in STEPS:
        if not any(step.name in results for results in by_step):
            continue
        cells = [cell(results[step.name]) if step.name in results else "not taken" for results in by_step]
        lines.append(f"| {step.name} | {' | '.join(cells)} |")
    for driver, results in measured.items():
        for result in results:
            if result.step == TELLING and result.guest:
                lines += ["", f"What the guest reports after the {TELLING} under {DRIVERS[driver]}:", ""]
                lines += [f"* {change}" for change in result.guest]
    return "\n".join(lines) + "\n"


def cell(result: Result) -> str:
    """One result in a few words."""
    if result.error is not None:
        return f"**failed**: {result.error.splitlines()[0]}"
    told = []
    if result.guest:
        told.append(f"the guest reports {_counted(result.guest)}")
    if result.documents:
        told.append(f"the document has {_counted(result.documents)}")
    if result.disagreement:
        told.append(f"live and config differ in {len(result.disagreement)}")
    if result.missing:
        told.append(f"did not happen: {', '.join(result.missing)}")
    if result.undefined:
        told.append("the domain was undefined meanwhile")
    return "; ".join(told) or "kept"


def write(path: Path, text: str) -> None:
    """Put ``text`` into the Markdown page, in the place of what is there. Raises LabError when it has no such place."""
    before, begin, rest = path.read_text().partition(BEGIN)
    if not begin:
        raise LabError(f"{path} has no place for the table: {BEGIN}")
    after = rest.partition(END)[2] if END in rest else rest
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def compare(lab: Lab, drivers: Iterable[str], into: Path | None, shape: Shape, changes: dict[str, str]) -> int:
    """Measure, print the table, and write it ``into`` a page; 1 where Holdfast lost something."""
    measured = {driver: measure(lab, driver, shape, **changes) for driver in drivers}
    record = Path("build/nova-compare.json")
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps({driver: [asdict(one) for one in results] for driver, results in measured.items()}))
    text = table(measured)
    print(text)
    for driver, results in measured.items():
        print(f"{DRIVERS[driver]}: {sum(result.kept for result in results)} of {len(results)} steps keep the hardware")
    if into is not None:
        write(into, text)
    return int(not all(result.kept for result in measured.get("holdfast", [])))


def _counted(changes: tuple[str, ...]) -> str:
    return f"{len(changes)} change{'s' * (len(changes) != 1)}"
