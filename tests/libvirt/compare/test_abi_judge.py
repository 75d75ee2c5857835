"""An independent judge: libvirt's own ABI check beside the guest view, over mutations of the whole corpus.

What the two do not agree on is listed with its reason in docs/guest-view.md; what is not listed there fails.
HOLDFAST_WHOLE_CORPUS=1 takes every mutation instead of a sample.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast_lab.patience import PATIENCE
from tests.corpus import CORPUS
from tests.libvirt.compare.mutations import DOUBLED, WHOLE, Mutation, chosen, mutations, values_of

SAMPLE = 3000
"""Mutations that are judged without HOLDFAST_WHOLE_CORPUS: one of each kind of path first, then at random."""

AT_ONCE = 5000
"""Questions for one process of the judge."""

PAGE = Path(__file__).parents[3] / "docs" / "guest-view.md"
Verdicts = list[tuple[Mutation, str, str]]


def listed(heading: str) -> dict[str, str]:
    """The table below a heading of docs/guest-view.md: pattern of paths → why."""
    section = PAGE.read_text().split(f"### {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (`.*) \| (.*) \|$", section, re.MULTILINE)
    return {pattern: why for patterns, why in rows for pattern in re.findall("`([^`]+)`", patterns)}


def is_listed(path: str, table: dict[str, str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in table)


def kind_of(change: Change) -> str:
    """The path of a change without numbers and names, and what became of a whole device."""
    whole = {ChangeKind.ADDED: " added", ChangeKind.REMOVED: " removed", ChangeKind.REPLACED: " replaced"}
    return re.sub(r"\[[^]]*\]|#\d+", "", change.where) + whole.get(change.kind, "")


def ask(questions: list[dict[str, str]]) -> Iterator[tuple[dict[str, str], object]]:
    """Each question with its answer; one that crashes the driver is answered by "crash", and the driver starts anew."""
    before: list[dict[str, str]] = []
    while questions:
        asked = "".join(f"{json.dumps(question)}\n" for question in (*before, *questions[:AT_ONCE]))
        program = [sys.executable, "-m", "tests.libvirt.compare.abi_judge"]
        environment = os.environ | {"TMPDIR": "/dev/shm"}  # libvirt waits for the disk at each snapshot
        judge = subprocess.run(
            program, input=asked, capture_output=True, text=True, env=environment, timeout=PATIENCE, check=False
        )
        # GLib says on standard output, too, why it aborts (2.74).
        lines = [line for line in judge.stdout.splitlines() if not line.startswith("Bail out!")]
        answers: list[object] = [json.loads(line) for line in lines][len(before) :]
        if judge.returncode != 0:
            answers.append("crash")
        answered, questions = questions[: len(answers)], questions[len(answers) :]
        for question, answer in zip(answered, answers, strict=True):
            yield question, answer
            before = [question] if "before" in question else before


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    """Each mutation with libvirt's verdict and its reason."""
    texts = [sample.document() for sample in CORPUS.values() if sample.can_define]
    originals = [str(answer) for _, answer in ask([{"before": text} for text in texts]) if answer is not None]
    assert len(originals) == len(texts)
    choose, values = random.Random(7), values_of(originals)
    made = chosen([each for text in originals for each in mutations(text, values, choose, most=3)], SAMPLE)
    questions: list[dict[str, str]] = []
    for text, group in itertools.groupby(made, key=lambda mutation: mutation.original):
        questions += [{"before": text}, *({"after": mutation.document} for mutation in group)]
    answers = [answer for question, answer in ask(questions) if "after" in question]
    return [
        (mutation, *(answer if isinstance(answer, list) else (str(answer), "")))
        for mutation, answer in zip(made, answers, strict=True)
    ]


def test_what_libvirt_calls_unstable_the_guest_view_reports(verdicts: Verdicts) -> None:
    table = listed("Unstable to libvirt, no change here")
    missed: dict[str, str] = {}
    needed: set[str] = set()
    for mutation, verdict, reason in verdicts:
        if verdict == "unstable" and not visible(compare(mutation.original, mutation.document)):
            needed.add(mutation.path)
            if not is_listed(mutation.path, table):
                missed.setdefault(mutation.path, f"{mutation}: {reason}")
    assert missed == {}
    assert Counter(verdict for _, verdict, _ in verdicts)["unstable"] > (5000 if WHOLE else 500)
    of_every_libvirt = [pattern for pattern, why in table.items() if not re.match(r"libvirt \d", why)]
    unneeded = {pattern for pattern in of_every_libvirt if not any(fnmatchcase(path, pattern) for path in needed)}
    assert not WHOLE or unneeded == set()


def test_what_only_the_guest_view_reports_is_listed(verdicts: Verdicts) -> None:
    table = listed("A change here, stable to libvirt")
    unlisted: dict[str, str] = {}
    needed: set[str] = set()
    for mutation, verdict, _ in verdicts:
        if verdict == "stable":
            for change in visible(compare(mutation.original, mutation.document)):
                where = "said twice" if mutation.name == DOUBLED else kind_of(change)
                needed.add(where)
                if not is_listed(where, table):
                    unlisted.setdefault(where, f"{mutation}: {change}")
    assert unlisted == {}
    unneeded = {pattern for pattern in table if not any(fnmatchcase(path, pattern) for path in needed)}
    assert not WHOLE or unneeded == set()


def test_the_driver_seldom_crashes(verdicts: Verdicts) -> None:
    """A crash is no verdict: too many of them would leave the judge with nothing to say."""
    crashes = Counter(verdict for _, verdict, _ in verdicts)["crash"]
    assert crashes < len(verdicts) / 50
