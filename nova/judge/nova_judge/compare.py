"""What the results of the two drivers say beside each other, and beside the list of expected differences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

EXPECTED = Path(__file__).parents[1] / "expected.txt"
"""The expected differences: one line a test, its id and after two spaces the reason. # begins a comment."""

_GOOD = {"passed", "skipped", "xfailed"}


@dataclass(frozen=True)
class Suite:
    """One of Nova's suites: its name here, the package or module, and the two drivers' outcomes by test id."""

    name: str
    stock: dict[str, str]
    holdfast: dict[str, str]


def read_expected(path: Path = EXPECTED) -> dict[str, str]:
    """Test id → reason. Raises ValueError for a line without a reason, and for a test that is named twice."""
    expected: dict[str, str] = {}
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        test, _, reason = line.partition("  ")
        if not reason.strip() or test in expected:
            raise ValueError(f"{path.name}: no reason, or named twice: {line}")
        expected[test] = reason.strip()
    return expected


def read_outcomes(files: Iterable[Path]) -> dict[str, str]:
    """Test id → outcome, from the files that ``nova_judge.run`` wrote."""
    lines = [line.split() for file in files for line in file.read_text().splitlines()]
    return {test: outcome for outcome, test, _ in lines}


def complaints(suite: Suite, expected: dict[str, str]) -> list[str]:
    """What is not as it should be, a sentence each."""
    found = []
    for test in sorted(suite.stock.keys() | suite.holdfast.keys()):
        stock, holdfast = suite.stock.get(test, "not run"), suite.holdfast.get(test, "not run")
        if stock not in _GOOD:
            found.append(f"{stock} with the stock driver: {test}")
        if stock != holdfast and test not in expected:
            found.append(f"{holdfast} with ours, {stock} with the stock driver: {test}")
        if stock == holdfast and test in expected:
            found.append(f"{holdfast} with both drivers, and yet a difference is expected: {test}")
    return found


def unknown(expected: dict[str, str], suites: list[Suite]) -> list[str]:
    """The expected differences in tests that Nova doesn't have."""
    known = {test for suite in suites for test in suite.stock}
    return [f"expected to differ, and no such test: {test}" for test in sorted(expected.keys() - known)]


def summary(suites: list[Suite], expected: dict[str, str]) -> str:
    """The results as a table in markdown, and each reason for a difference once."""
    lines = [
        "| Nova's tests | | tests | passed | skipped | expected to fail | failed |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for suite in suites:
        for driver, outcomes in (("stock", suite.stock), ("Holdfast", suite.holdfast)):
            count = Counter(outcomes.values())
            numbers = [len(outcomes), *(count[each] for each in ("passed", "skipped", "xfailed")), 0]
            numbers[-1] = numbers[0] - sum(numbers[1:])
            lines.append(f"| `{suite.name}` | {driver} | {' | '.join(f'{number:,}' for number in numbers)} |")
    reasons = Counter(
        expected[test]
        for suite in suites
        for test in suite.stock
        if test in expected and suite.stock[test] != suite.holdfast.get(test)
    )
    if reasons:
        lines += ["", "| Tests that differ | why |", "|--:|---|"]
        lines += [f"| {count} | {reason} |" for reason, count in reasons.most_common()]
    return "\n".join([*lines, ""])
