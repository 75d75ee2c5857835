"""The PCI topology of a domain as a picture in a page, drawn once for all domains that have the same."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from functools import cached_property

from holdfast.cli.audit.markup import Markup, join, tag
from holdfast.operations.vocabulary import Part

_OWN = ("serial ", "wwn ", "cid ")
"""Details that tell one domain from another, not one topology."""


class Topologies:
    """The pictures of all domains: :meth:`see` collects, from several threads; the rest is for afterwards."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], Markup] = {}
        self._pictures: dict[Markup, Markup] = {}
        self._lock = threading.Lock()

    def see(self, uri: str, uuid: str, hardware: list[Part]) -> None:
        """Draw the hardware of one domain."""
        picture = _tree([part for part in hardware if part.bus is not None])
        with self._lock:
            self._of[uri, uuid] = self._pictures.setdefault(picture, picture)

    @cached_property
    def pictures(self) -> dict[Markup, tuple[int, int]]:
        """Picture → its number and how many domains look like it; the most frequent is number 1."""
        used = Counter(self._of.values())
        ordered = sorted(used, key=lambda picture: (-used[picture], picture))
        return {picture: (number, used[picture]) for number, picture in enumerate(ordered, start=1)}

    def number(self, uri: str, uuid: str) -> int | None:
        """The number of a domain's picture; None where there is none."""
        picture = self._of.get((uri, uuid))
        return None if picture is None else self.pictures[picture][0]


def _tree(parts: list[Part]) -> Markup:
    if not parts:
        return tag("p", "no PCI bus")
    return tag("ul", *(_branch(part) for part in parts), class_="tree")


def _branch(part: Part) -> Markup:
    below = _with_free_ports_joined(part.children)
    return tag("li", _node(part), tag("ul", *below) if below else None)


def _with_free_ports_joined(parts: Sequence[Part]) -> list[Markup]:
    """The branches; ports that are free and follow each other share one."""
    drawn: list[Markup] = []
    run: list[Part] = []
    for part in [*parts, None]:
        if part is not None and part.free:
            run.append(part)
            continue
        if run:
            first, last = run[0], run[-1]
            if first is last:
                words = f"free {first.name}", f"bus {first.bus}"
            else:
                words = f"{len(run)} × free {first.name}", f"buses {first.bus}–{last.bus}"
            place = tag("code", first.address or "", "" if first is last else " …")
            drawn.append(tag("li", tag("span", place, tag("b", words[0]), tag("i", words[1]), class_="free")))
        run = []
        if part is not None:
            drawn.append(_branch(part))
    return drawn


def _node(part: Part) -> Markup:
    details = ", ".join(word for word in part.details.split(", ") if word and not word.startswith(_OWN))
    behind = None if part.bus is None else f"bus {part.bus}"
    return tag(
        "span",
        tag("code", part.address) if part.address else None,
        tag("b", part.common_name),
        join(*(tag("i", word) for word in (details, behind) if word)),
        class_="bus" if part.bus is not None else "device",
    )
