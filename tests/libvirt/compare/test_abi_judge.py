"""An independent judge: libvirt's own ABI check beside the guest view, over mutations of the whole corpus.

What the two do not agree on is listed with its reason in docs/guest-view.md; what is not listed there fails.
HOLDFAST_WHOLE_CORPUS=1 takes every mutation instead of a sample.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from fnmatch import fnmatchcase

import pytest

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare
from tests.libvirt.compare.judged import ORDER, completed, is_listed, judged, listed, words_of, written
from tests.libvirt.compare.mutations import DOUBLED, WHOLE, Mutation, chosen, mutations, values_of

SAMPLE = 3000
"""Mutations that are judged without HOLDFAST_WHOLE_CORPUS: one of each kind of path first, then at random."""

Verdicts = list[tuple[Mutation, str, str]]


def kind_of(change: Change) -> str:
    """The path of a change without numbers and names, and what became of a whole device."""
    whole = {ChangeKind.ADDED: " added", ChangeKind.REMOVED: " removed", ChangeKind.REPLACED: " replaced"}
    return re.sub(r"\[[^]]*\]|#\d+", "", change.where) + whole.get(change.kind, "")


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    """Each mutation with libvirt's verdict and its reason."""
    texts = written()
    originals = [text for text in completed(texts) if text is not None]
    assert len(originals) == len(texts)
    choose, values = random.Random(7), values_of(originals)
    return judged(chosen([each for text in originals for each in mutations(text, values, choose, most=3)], SAMPLE))


def test_what_libvirt_calls_unstable_the_guest_view_reports(verdicts: Verdicts) -> None:
    table = listed("Unstable to libvirt, no change here")
    missed: dict[str, str] = {}
    needed: set[str] = set()
    for mutation, verdict, reason in verdicts:
        if verdict == "unstable" and not visible(compare(mutation.original, mutation.document)):
            words = words_of(mutation, [mutation.path])
            needed.update(words)
            if not any(is_listed(word, table) for word in words):
                missed.setdefault(mutation.path, f"{mutation}: {reason}")
    assert missed == {}
    assert Counter(verdict for _, verdict, _ in verdicts)["unstable"] > (5000 if WHOLE else 500)
    # Two rows are for test_fresh_mutations; what only another libvirt does begins with its version.
    rows = table.keys() - {ORDER, "devices/interface/mac"}
    of_every_libvirt = [pattern for pattern in rows if not re.match(r"libvirt \d", table[pattern])]
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
