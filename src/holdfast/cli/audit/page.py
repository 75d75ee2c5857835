"""An audit as one page of HTML that needs nothing else: no network, no fonts, and no script to be read.

It is made piece by piece and can be long: five thousand domains. Names and titles of domains are anybody's text: all
of it is escaped (:mod:`holdfast.cli.audit.markup`), and only the page's own script may run, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import pkgutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import groupby

from holdfast.cli.audit.markup import Markup, join, raw, tag
from holdfast.cli.audit.picture import DEPRECATED_AFTER, finding_picture, machine_picture
from holdfast.cli.audit.remedy import told
from holdfast.cli.audit.topology import Topologies
from holdfast.operations.audit.report import MEANINGS, DomainReport, FindingKind, HostReport, summary_of
from holdfast.text import plural

_MILD = (FindingKind.RECORD, FindingKind.UNKNOWN, FindingKind.NO_SLOT, FindingKind.UNSEALED)
"""Kinds that are harmless until somebody acts."""


def page(hosts: Sequence[HostReport], topologies: Topologies) -> Iterator[str]:
    """The page, in pieces to be written one after the other."""
    now = datetime.now(UTC)
    style, script = (_resource(name) for name in ("page.css", "page.js"))
    policy = f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; base-uri 'none'"
    yield "<!doctype html>\n"
    yield '<html lang="en">'
    yield tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", "Holdfast audit"),
        tag("style", raw(style)),
    )
    yield "<body>"
    yield _head(hosts, now)
    yield _pictures(hosts, now)
    yield _hosts(hosts)
    yield _filter(hosts)
    yield from _domains(hosts, topologies)
    yield from _topologies(topologies)
    yield tag("footer", "Made by ", tag("code", "holdfast audit --html"), f" on {now:%Y-%m-%d at %H:%M} UTC.")
    yield tag("script", raw(script))
    yield "</body></html>\n"


def _resource(name: str) -> str:
    data = pkgutil.get_data("holdfast.cli.audit", name)
    assert data is not None
    return data.decode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _head(hosts: Sequence[HostReport], now: datetime) -> Markup:
    summary = summary_of(hosts)
    domains, needing, lost = summary.domains + summary.unread, summary.needing_attention, summary.unreachable
    running = sum(report.running for host in hosts for report in host.domains)
    need = "needs" if needing == 1 else "need"
    says = (
        f"{needing:,} of {domains:,} {plural(domains, 'domain')} {need} attention"
        if needing
        else f"Nothing{' that could be looked at' if summary.unread else ''} needs attention"
    )
    facts = [
        (f"{domains:,}", plural(domains, "domain"), False),
        (f"{running:,}", "running", False),
        (f"{needing:,}", f"{need} attention", bool(needing)),
        *([(f"{summary.unread:,}", "could not be looked at", True)] if summary.unread else []),
        (f"{len(hosts) - lost:,}", f"{plural(len(hosts), 'host')} reached", False),
        *([(f"{lost:,}", "not reached", True)] if lost else []),
    ]
    tiles = (
        tag("li", tag("strong", number), " ", tag("span", words), class_="alarm" if alarm else None)
        for number, words, alarm in facts
    )
    return tag(
        "header",
        tag("p", "Holdfast audit · ", tag("time", f"{now:%d %B %Y, %H:%M} UTC", datetime=f"{now:%Y-%m-%dT%H:%MZ}")),
        tag("h1", says),
        tag("ul", *tiles, class_="tiles"),
    )


def _pictures(hosts: Sequence[HostReport], now: datetime) -> Markup:
    if not any(host.domain_count for host in hosts):
        return join()
    rule = (
        f"Each bar is a machine type's life by QEMU's rule: deprecated {DEPRECATED_AFTER} years after its release "
        "(hatched), until the first QEMU without it. ▲ is what the host itself says."
    )
    figures = [_figure("Machine types by age", machine_picture(hosts, now.date()), rule)]
    if summary_of(hosts).domains_by_kind:
        figures.append(_figure("Findings by kind", finding_picture(hosts), "How many domains have each."))
    return tag("section", *figures, class_="pictures")


def _figure(name: str, picture: Markup, words: str) -> Markup:
    return tag("figure", tag("h2", name), picture, tag("figcaption", words))


def _hosts(hosts: Sequence[HostReport]) -> Markup | str:
    if len(hosts) == 1 and not hosts[0].said:
        return ""
    rows = []
    for host in hosts:
        reached = host.error is None
        said = [tag("p", words) for words in host.said]
        rows.append(
            tag(
                "tr",
                tag("th", tag("code", host.uri), scope="row"),
                tag("td", "reached" if reached else "✕ not reached", class_=None if reached else "alarm"),
                tag("td", f"{host.domain_count + len(host.unread):,}", class_="number", data_head="Domains"),
                tag("td", f"{len(host.needing_attention):,}", class_="number", data_head="Need attention"),
                tag("td", *said),
            )
        )
    heads = _row_of_heads("Host", "State", "Domains", "Need attention", "Said")
    return tag("section", tag("h2", "Hosts"), tag("table", heads, tag("tbody", *rows)), class_="hosts")


def _row_of_heads(*names: str) -> Markup:
    return tag("thead", tag("tr", *(tag("th", name, scope="col") for name in names)))


def _filter(hosts: Sequence[HostReport]) -> Markup:
    counts = summary_of(hosts).domains_by_kind
    buttons = [
        tag("button", kind, " ", tag("span", f"{counts[kind]:,}"), type="button", data_kind=kind, title=MEANINGS[kind])
        for kind in counts
    ]
    return join(
        tag("h2", "Domains", id="domains"),
        tag(
            "form",
            tag("input", type="search", placeholder="Name, machine, words of a finding …", aria_label="Filter"),
            tag("div", *buttons, role="group", aria_label="Kinds of findings"),
            tag("output", ""),
            hidden=True,
            id="filter",
        ),
    )


def _domains(hosts: Sequence[HostReport], topologies: Topologies) -> Iterator[str]:
    several = len(hosts) > 1
    yield '<table id="list">'
    yield _row_of_heads("Domain", "Machine", "Findings")
    yield "<tbody>"
    everything = [(host, report) for host in hosts for report in host.domains]
    for host, report in sorted(everything, key=lambda entry: (_urgency(entry[1]), entry[1].name, entry[0].uri)):
        yield _row(host, report, several, topologies.number(host.uri, report.uuid))
    yield "</tbody></table>"


def _urgency(report: DomainReport) -> int:
    """The place of its most urgent kind; what has no finding comes last."""
    return list(FindingKind).index(report.findings[0].kind) if report.findings else len(FindingKind)


def _row(host: HostReport, report: DomainReport, several: bool, topology: int | None) -> Markup:
    findings = [
        tag(
            "li",
            tag("b", kind, class_="mild" if kind in _MILD else None),
            tag("div", *(tag("p", told(finding, report)) for finding in group)),
        )
        for kind, group in groupby(report.findings, key=lambda finding: finding.kind)
    ]
    hardware = None
    if topology is not None:
        link = tag("a", f"topology {topology}", href=f"#t{topology}")
        hardware = tag("details", tag("summary", "PCI topology"), tag("p", link), data_topology=topology)
    kinds = " ".join(dict.fromkeys(finding.kind for finding in report.findings))
    return tag(
        "tr",
        tag(
            "th",
            report.name,
            tag("small", str(report.instance)) if report.instance else None,
            tag("small", tag("code", report.uuid)) if report.instance else None,
            tag("small", "running" if report.running else "shut off"),
            tag("small", tag("code", host.uri)) if several else None,
            scope="row",
        ),
        tag("td", tag("code", report.machine.name)),
        tag("td", tag("ul", *findings) if findings else tag("span", "nothing", class_="none"), hardware),
        data_kinds=kinds,
    )


def _topologies(topologies: Topologies) -> Iterator[str]:
    if not topologies.pictures:
        return
    yield tag("h2", "PCI topologies")
    yield tag(
        "p", "What the guest sees on its PCI buses. Domains that look alike there share a picture.", class_="lead"
    )
    for picture, (number, domains) in topologies.pictures.items():
        shared = f"{domains:,} {plural(domains, 'domain')}"
        yield tag(
            "section",
            tag("h3", f"Topology {number} ", tag("small", shared)),
            picture,
            id=f"t{number}",
            class_="topology",
        )
