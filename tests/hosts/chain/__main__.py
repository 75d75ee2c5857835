"""``python -m tests.hosts.chain``: the table of all steps. Needs an enclosure: ``scripts/chain`` runs it there."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from holdfast_lab.other_debian import DEBIAN_13, SID, unpacked
from holdfast_lab.script_exit import leave
from tests.hosts.chain.foretold import Change
from tests.hosts.chain.journeys import JOURNEYS, Outcome, grounds


def main() -> int:
    """Print each step as it is done; 3 where one is not right."""
    parser = argparse.ArgumentParser(prog="scripts/chain", description=__doc__)
    parser.add_argument("journeys", nargs="*", metavar="JOURNEY", help=f"one of: {', '.join(JOURNEYS)}")
    asked = parser.parse_args().journeys or [*JOURNEYS]
    if unknown := [name for name in asked if name not in JOURNEYS]:
        parser.error(f"there is no journey {unknown[0]!r}: {', '.join(map(repr, JOURNEYS))}")
    outcomes = []
    with grounds({"9.0": Path("/"), "11.3": unpacked(DEBIAN_13), "12.8": unpacked(SID)}) as ground:
        for name in asked:
            print(f"\n== {name}", flush=True)
            for outcome in ground.travel(*JOURNEYS[name]):
                outcomes.append(outcome)
                _tell(outcome)
    _table(outcomes)
    return 0 if all(outcome.is_right for outcome in outcomes) else 3


def _tell(outcome: Outcome) -> None:
    print(f"\n{outcome.name}{f': {outcome.note}' if outcome.note else ''}")
    compared = outcome.compared
    for what, changes in (
        ("MOVED", outcome.moved),
        ("foretold and seen", compared.seen),
        ("NOT FORETOLD", compared.not_foretold),
        ("foretold, and not seen", compared.not_seen),
        ("foretold, and not visible to this guest", compared.not_visible),
        ("not in the plan without a probe", _parts(compared.not_in_plan)),
        ("the control: moved", outcome.control[0]),
        ("the control", outcome.control[1]),
    ):
        for change in changes:
            print(f"  {what}: {change}")
    sys.stdout.flush()


def _parts(changes: tuple[Change, ...]) -> list[str]:
    return sorted({change.part for change in changes})


def _table(outcomes: list[Outcome]) -> None:
    lines: list[tuple[str, ...]] = [("step", "kept", "moved", "changed", "foretold", "control: moved", "changed")]
    for outcome in outcomes:
        compared = outcome.compared
        lines.append(
            (
                outcome.name,
                f"{outcome.facts - len(outcome.moved)} of {outcome.facts}",
                str(len(outcome.moved)),
                str(len(outcome.changed)),
                f"{len(compared.seen)} of {len(outcome.changed)}",
                *(str(len(changes)) for changes in outcome.control),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    print()
    for line in lines:
        print("  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    leave(main)
