"""The pictures of an audit's page, as inline SVG: the life span of machine types, and findings by kind.

Readable without colour: every state has its own pattern, and is written beside the bar.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date

from holdfast.cli.audit.markup import Markup, tag
from holdfast.operations.audit.report import HostReport, Machine, MachineStatus, summary_of
from holdfast.text import plural

DEPRECATED_AFTER = 3
"""Years after which QEMU deprecates a versioned machine type (≥ 9.1)."""

_WIDTH, _ROW, _BAR = 720, 30, 14
_LEFT, _RIGHT = 170, 150
_MAX_ROWS = 24
"""At most this many are drawn."""


def machine_picture(hosts: Sequence[HostReport], today: date) -> Markup:
    """The machine types in use, oldest first, each as its life from release to removal, with today's line."""
    used: Counter[Machine] = Counter()
    for host in hosts:
        used.update(host.machines)
    machines = sorted(used, key=lambda machine: (machine.released or (9999, 1), machine.name, machine.status))
    shown = machines[:_MAX_ROWS]
    years = [machine.released[0] for machine in shown if machine.released is not None] or [today.year]
    ends = [machine.dropped.year for machine in shown if machine.dropped is not None]
    first, last = min(years), max([today.year, *years, *ends]) + 1
    scale = (_WIDTH - _LEFT - _RIGHT) / (last - first)

    def place(year: float) -> float:
        return round(_LEFT + (min(max(year, first), last) - first) * scale, 1)

    height = 26 + _ROW * len(shown) + 6
    step = 1 if last - first <= 9 else 2 if last - first <= 18 else 4
    now = today.year + (today.timetuple().tm_yday - 1) / 365.25
    content = [_title(f"{len(machines)} machine types in use, from release to removal"), _patterns("m")]
    for year in range(first, last + 1, step):
        content.append(_line(place(year), 18, place(year), height - 4, "grid"))
        content.append(_text(place(year), 12, str(year), "axis", "middle"))
    for row, machine in enumerate(shown):
        content += _machine_row(machine, used[machine], 26 + _ROW * row, place)
    content.append(_line(place(now), 14, place(now), height - 2, "today"))
    content.append(_text(place(now) + 4, height - 2, "today", "todaylabel", "start"))
    return _svg(content, height + 6)


def _machine_row(machine: Machine, domains: int, top: float, place: object) -> Iterator[Markup]:
    assert callable(place)
    middle = top + _ROW / 2 + 4
    yield _text(_LEFT - 10, middle, machine.name or "(none)", "label", "end")
    bar = top + (_ROW - _BAR) / 2
    if machine.released is not None and machine.dropped is not None:
        begin, end = _year(*machine.released), _year(machine.dropped.year, machine.dropped.month)
        ends = [place(begin), place(begin + DEPRECATED_AFTER), place(end)]
        yield _rect(ends[0], bar, ends[1] - ends[0], "life")
        yield _rect(ends[1], bar, ends[2] - ends[1], "old", "url(#m-hatch)")
    words = f"{domains} {plural(domains, 'domain')}"
    status = {
        MachineStatus.DEPRECATED: "deprecated here",
        MachineStatus.MISSING: "gone from here",
        MachineStatus.UNKNOWN: "unknown here",
    }.get(machine.status)
    yield _text(_WIDTH - _RIGHT + 10, middle - (6 if status else 0), words, "value", "start")
    if status:
        yield _text(_WIDTH - _RIGHT + 10, middle + 7, f"▲ {status}", "alarm", "start")


def _year(year: int, month: int) -> float:
    return year + (month - 1) / 12


def finding_picture(hosts: Sequence[HostReport]) -> Markup:
    """How many domains have findings of each kind."""
    counts = summary_of(hosts).domains_by_kind
    most = max(counts.values(), default=1)
    content = [_title("Domains by kind of finding")]
    for row, (kind, number) in enumerate(counts.items()):
        top = 6 + _ROW * row
        length = max(2.0, round((_WIDTH - _LEFT - 90) * number / most, 1))
        content.append(_text(_LEFT - 10, top + _ROW / 2 + 4, kind, "label", "end"))
        content.append(_rect(_LEFT, top + (_ROW - _BAR) / 2, length, "count"))
        content.append(_text(_LEFT + length + 8, top + _ROW / 2 + 4, f"{number:,}", "value", "start"))
    return _svg(content, 12 + _ROW * max(1, len(counts)))


def _svg(content: Sequence[Markup], height: float) -> Markup:
    return tag("svg", *content, viewBox=f"0 0 {_WIDTH} {height}", role="img")


def _title(words: str) -> Markup:
    return tag("title", words)


def _patterns(prefix: str) -> Markup:
    stroke = tag("path", d="M0 6 L6 0", class_="hatch")
    size: dict[str, str | float] = {"width": 6, "height": 6}
    return tag("defs", tag("pattern", stroke, id=f"{prefix}-hatch", patternUnits="userSpaceOnUse", **size))


def _text(x: float, y: float, words: str, class_: str, anchor: str) -> Markup:
    return tag("text", words, x=x, y=y, class_=class_, text_anchor=anchor)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)


def _rect(x: float, y: float, width: float, class_: str, fill: str | None = None) -> Markup:
    return tag("rect", x=x, y=y, width=max(0.0, round(width, 1)), height=_BAR, rx=2, class_=class_, fill=fill)
