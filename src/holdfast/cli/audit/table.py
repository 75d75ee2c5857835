"""An audit as text: hosts, below each its domains, below each what was found; at most a hundred columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from shutil import get_terminal_size

from holdfast.cli.audit.remedy import told
from holdfast.cli.heading import heading
from holdfast.operations.audit.report import DomainReport, HostReport, summary_of
from holdfast.text import plural

_WIDTH = 100
_KIND = 17
"""Width of the column with the kind: the longest is "expiring-machine"."""


def table(hosts: Sequence[HostReport]) -> Iterator[str]:
    """The lines of the whole table, with a summary at the end."""
    width = min(_WIDTH, max(60, get_terminal_size((_WIDTH, 24)).columns))
    for host in hosts:
        yield from _host(host, width)
        yield ""
    yield summary(hosts)


def summary(hosts: Sequence[HostReport]) -> str:
    """One line: how many domains need attention, and why."""
    found = summary_of(hosts)
    kinds = ", ".join(f"{kind} {number}" for kind, number in found.domains_by_kind.items())
    missing = (
        f"; {found.unreachable} of {found.hosts} {plural(found.hosts, 'host')} not reached" if found.unreachable else ""
    )
    needing, domains = found.needing_attention, found.domains + found.unread
    need = "needs" if 1 in (needing, domains) else "need"
    says = f"{needing} of {domains} {plural(domains, 'domain')} {need} attention"
    unread = f"; {found.unread} could not be looked at" if found.unread else ""
    return f"{says}{': ' if kinds else ''}{kinds}{unread}{missing}"


def _host(host: HostReport, width: int) -> Iterator[str]:
    domains, needing = host.domain_count + len(host.unread), len(host.needing_attention)
    need = "needs" if needing == 1 else "need"
    unread = f", {len(host.unread)} could not be looked at" if host.unread else ""
    state = f"{domains} {plural(domains, 'domain')}{unread}, {needing} {need} attention"
    yield f"{host.uri}  {state if host.error is None or domains else 'not reached'}"
    for note in host.said:
        yield from _wrapped(note, width, "  ! ", "    ")
    for report in host.needing_attention:
        yield from _domain(report, width)


def _domain(report: DomainReport, width: int) -> Iterator[str]:
    head = heading(report.name, report.uuid, report.instance)
    yield f"  {head}  {'running' if report.running else 'shut off'}  {report.machine.name}"
    for kind, group in groupby(report.findings, key=lambda finding: finding.kind):
        sentences = "; ".join(told(finding, report) for finding in group)
        head = f"    {kind:{_KIND}}"
        yield from _wrapped(sentences, width, head, " " * len(head))


def _wrapped(text: str, width: int, first: str, rest: str) -> list[str]:
    """``text`` in lines; a path stays in one piece."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
