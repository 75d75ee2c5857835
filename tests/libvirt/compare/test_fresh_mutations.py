"""libvirt's own ABI check beside the guest view, over documents that differ in ways nobody chose beforehand.

What libvirt calls unstable is a change here, too, or listed with its reason in docs/guest-view.md. A sample runs with
the tier; ``scripts/guest-view --count N --seed N`` judges as many as are wanted.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from tests.libvirt.compare.fresh_mutations import Fresh, fresh_mutations
from tests.libvirt.compare.judged import completed, is_listed, judged, listed, words_of, written
from tests.libvirt.compare.mutations import values_of

SAMPLE = 400
"""Documents that are judged with the tier."""

MAC = "devices/interface/mac"
"""The row of the table for documents that both leave a MAC address open, whatever else differs."""


@dataclass(frozen=True)
class Verdict:
    """What libvirt says of ``pair``. ``written`` is what people wrote, where libvirt completed both documents."""

    pair: Fresh
    written: Fresh | None
    verdict: str
    reason: str


def verdicts(count: int, seed: int) -> Iterator[Verdict]:
    """libvirt's verdicts on ``count`` documents: half of them as libvirt prints them, half as people write them."""
    choose = random.Random(seed)
    texts = written()
    printed = {text: made for text, made in zip(texts, completed(texts), strict=True) if made is not None}
    originals = list(printed.values())
    made = _in_order(fresh_mutations(originals, values_of(originals), choose, count // 2))
    yield from (Verdict(pair, None, verdict, reason) for pair, verdict, reason in judged(made))
    texts = list(printed)
    made = _in_order(fresh_mutations(texts, values_of(texts), choose, count - count // 2))
    both = [
        (each, replace(each, original=printed[each.original], document=done))
        for each, done in zip(made, completed([each.document for each in made]), strict=True)
        if done is not None
    ]
    answers = judged([pair for _, pair in both])
    for (each, _), (pair, verdict, reason) in zip(both, answers, strict=True):
        yield Verdict(pair, each, verdict, reason)


def missed(found: list[Verdict]) -> dict[str, str]:
    """What libvirt calls unstable, the guest view does not report, and no row of docs/guest-view.md explains."""
    table = listed("Unstable to libvirt, no change here")
    lacking: dict[str, str] = {}
    for each in found:
        for pair in (each.pair, each.written) if each.verdict == "unstable" else ():
            if pair is None or visible(compare(pair.original, pair.document)):
                continue
            words = words_of(pair, pair.paths)
            if pair is each.written and "network card mac" in each.reason:
                words.append(MAC)
            if not any(is_listed(word, table) for word in words):
                lacking.setdefault(str(pair), each.reason)
    return lacking


def _in_order(pairs: Iterator[Fresh]) -> list[Fresh]:
    return sorted(pairs, key=lambda pair: pair.original)


def test_what_libvirt_calls_unstable_is_a_change_here_or_listed() -> None:
    found = list(verdicts(SAMPLE, seed=11))
    counted = Counter(each.verdict for each in found)
    assert counted["unstable"] > SAMPLE / 10 and counted["stable"] > SAMPLE / 10
    assert counted["crash"] < SAMPLE / 50
    assert missed(found) == {}


def main() -> int:
    """Judge as many documents as the command line says; print the count of each verdict, and what was missed."""
    parser = argparse.ArgumentParser(prog="scripts/guest-view")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    found = list(verdicts(arguments.count, arguments.seed))
    kinds = Counter((each.pair.kind, each.verdict) for each in found)
    for (kind, verdict), number in sorted(kinds.items()):
        print(f"{kind:24} {verdict:10} {number}")
    lacking = missed(found)
    for pair, reason in lacking.items():
        print(f"missed: {pair}: {reason}")
    print(f"seed {arguments.seed}: {len(found)} documents, {len(lacking)} missed")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
