"""libvirt's verdicts over many mutations, beside what docs/guest-view.md says of where they differ from ours."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Protocol, TypeVar

from holdfast.domainxml.compare.implied import with_implied
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.sides import all_values
from holdfast_lab.patience import PATIENCE
from tests.corpus import CORPUS

_AT_ONCE = 5000
"""Questions for one process of the judge."""

_PAGE = Path(__file__).parents[3] / "docs" / "guest-view.md"


class Pair(Protocol):
    """Two documents of one domain."""

    @property
    def original(self) -> str:
        """The first."""

    @property
    def document(self) -> str:
        """The second."""


SomePair = TypeVar("SomePair", bound=Pair)


def listed(heading: str) -> dict[str, str]:
    """The table below a heading of docs/guest-view.md: pattern of paths → why."""
    section = _PAGE.read_text().split(f"### {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (`.*) \| (.*) \|$", section, re.MULTILINE)
    return {pattern: why for patterns, why in rows for pattern in re.findall("`([^`]+)`", patterns)}


def is_listed(path: str, table: dict[str, str]) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in table)


ORDER = "in another order"
"""The row of the table for documents that mean the same, part by part."""


def words_of(pair: Pair, paths: Sequence[str]) -> list[str]:
    """What the table may call the difference between two documents: the ``paths`` that differ, all that differs below
    one of them, and ORDER where one of them differs in nothing else.
    """
    one, other = (with_implied(parse(text)) for text in (pair.original, pair.document))
    words = list(paths)
    for path in paths:
        head = "/".join(path.partition("@")[0].split("/")[: 2 if path.startswith("devices/") else 1])
        old, new = ([_sorted_form(node) for node in document.iterfind(head)] for document in (one, other))
        words += [ORDER] if sorted(old, key=repr) == sorted(new, key=repr) else []
        values = (
            {(*each,) for node in document.iterfind(head) for each in all_values(node, head).items()}
            for document in (one, other)
        )
        words += [re.sub(r"#\d+", "", where) for where, _ in next(values) ^ next(values) if where.startswith(path)]
    return words


def _sorted_form(node: Element) -> object:
    below = sorted((_sorted_form(each) for each in node if isinstance(each.tag, str)), key=repr)
    return str(node.tag), sorted(node.attrib.items()), (node.text or "").strip(), below


def written() -> list[str]:
    """The documents of the corpus, as people write them."""
    return [sample.document() for sample in CORPUS.values() if sample.can_define]


def completed(documents: Sequence[str]) -> list[str | None]:
    """What libvirt makes of each document; None where it does not take it."""
    answers = (answer for _, answer in ask([{"before": text} for text in documents]))
    return [answer if isinstance(answer, str) and answer != "crash" else None for answer in answers]


def judged(pairs: Sequence[SomePair]) -> list[tuple[SomePair, str, str]]:
    """Each pair with libvirt's verdict ("stable", "unstable", "invalid", "crash") and its reason.

    Pairs with the same first document should stand side by side.
    """
    questions: list[dict[str, str]] = []
    for text, group in itertools.groupby(pairs, key=lambda pair: pair.original):
        questions += [{"before": text}, *({"after": pair.document} for pair in group)]
    answers = [answer for question, answer in ask(questions) if "after" in question]
    return [
        (pair, *((str(answer[0]), str(answer[1])) if isinstance(answer, list) else (str(answer), "")))
        for pair, answer in zip(pairs, answers, strict=True)
    ]


def ask(questions: list[dict[str, str]]) -> Iterator[tuple[dict[str, str], object]]:
    """Each question with its answer; one that crashes the driver is answered by "crash", and the driver starts anew."""
    before: list[dict[str, str]] = []
    while questions:
        asked = "".join(f"{json.dumps(question)}\n" for question in (*before, *questions[:_AT_ONCE]))
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
