"""``holdfast show``: one domain at a glance. Lines are drawn by hand: rich would take longer to import than to show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, local_time, output_option, pass_session, speaks_utf8
from holdfast.text import plural, printable, size_in_words

if TYPE_CHECKING:
    from holdfast.operations.look.show import DomainView
    from holdfast.operations.past.view import PastView
    from holdfast.operations.vocabulary import Identity, Part

_LINES = {True: ("├─ ", "│  ", "└─ ", "   "), False: ("|- ", "|  ", "`- ", "   ")}


@click.command()
@domain_argument
@output_option
@pass_session
def show(session: Session, name: str, output: str) -> None:
    """Show a domain: its state, its hardware as a tree, free hot-plug places, and what waits for the next start.

    NAME@REV shows what it had then: REV is an id that 'holdfast log' shows, {2 days ago}, {2026-11-30 14:05} or
    last-start.
    """
    from holdfast.operations.look.show import show_domain
    from holdfast.operations.past.view import show_past

    past = show_past(session.connection, name)
    if past is None:
        domain = show_domain(session.connection, name)
        _print(domain, output, (*_head(domain), "", *_tree(domain.hardware), *_waiting(domain)))
    else:
        _print(past, output, (*_past(past), "", *_tree(past.hardware)))


def _print(domain: DomainView | PastView, output: str, lines: Sequence[str]) -> None:
    if output == "json":
        print_result(domain)
    else:
        click.echo("\n".join(lines))


def _past(domain: PastView) -> Iterator[str]:
    entry = domain.entry
    yield f"{printable(entry.name)}  as of {local_time(entry.time)} ({entry.short_id})"
    yield f"  entry     {printable(entry.act)}"
    yield f"  uuid      {domain.identity.uuid}"
    yield from _machine(domain.identity)
    yield from (f"  secret    {place}: not kept" for place in domain.omitted)


def _head(domain: DomainView) -> Iterator[str]:
    identity = domain.identity
    transient = "" if domain.persistent else ", transient: gone once it stops"
    first = f", the first at {domain.free_slots[0]}" if domain.free_slots else ""
    yield f"{domain.name}  {domain.state}{transient}"
    yield f"  uuid      {identity.uuid}"
    if domain.instance:
        yield f"  instance  {domain.instance}"
    yield from _machine(identity)
    yield f"  hot-plug  {len(domain.free_slots)} of {domain.slots} {plural(domain.slots, 'place')} free{first}"
    for sentence in domain.unfinished:
        yield f"  pending   {sentence}"
    if domain.rescue:
        yield f"  rescue    since {domain.rescue.since}, from {domain.rescue.devices[0]}; 'holdfast unrescue' leaves it"
    if domain.managed_save:
        yield "  saved     the next start restores saved memory, with the hardware it was saved with"


def _machine(identity: Identity) -> Iterator[str]:
    of_max = f" of {identity.max_vcpus}" if identity.max_vcpus != identity.vcpus else ""
    yield f"  machine   {identity.machine} ({identity.arch}, {identity.kind})"
    yield f"  cpu       {identity.cpu}, {identity.vcpus}{of_max} {plural(identity.max_vcpus, 'vCPU')}"
    built_with = "" if identity.balloon == identity.memory else f" of {size_in_words(identity.memory)}"
    yield f"  memory    {size_in_words(identity.balloon)}{built_with}"
    yield f"  firmware  {identity.firmware}"


def _tree(parts: Sequence[Part]) -> Iterator[str]:
    lines = _LINES[speaks_utf8()]
    for part in parts:
        yield _line(part)
        yield from _branches(part.children, "", lines)


def _branches(parts: Sequence[Part], indent: str, lines: tuple[str, str, str, str]) -> Iterator[str]:
    rows = list(_with_free_ports_joined(parts))
    for number, (text, children) in enumerate(rows):
        last = number == len(rows) - 1
        yield f"{indent}{lines[2] if last else lines[0]}{text}"
        yield from _branches(children, indent + (lines[3] if last else lines[1]), lines)


def _with_free_ports_joined(parts: Sequence[Part]) -> Iterator[tuple[str, Sequence[Part]]]:
    """One line for each part; ports that are free and follow each other share one."""
    run: list[Part] = []
    for part in [*parts, None]:
        if part is not None and part.free and not part.waits:
            run.append(part)
            continue
        if len(run) == 1:
            yield _line(run[0]), []
        elif run:
            yield f"{run[0].address}  {len(run)} × {run[0].name} → buses {run[0].bus}–{run[-1].bus}, free", []
        run = []
        if part is not None:
            yield _line(part), part.children


def _line(part: Part) -> str:
    bus = "" if part.bus is None else f"→ bus {part.bus}{', free' if part.free else ''}"
    name = f"{part.name} {bus}".rstrip()
    waits = f"[{part.waits}]" if part.waits else ""
    return "  ".join(word for word in (part.address, name, part.details, waits) if word)


def _waiting(domain: DomainView) -> Iterator[str]:
    if domain.changes or domain.apart:
        yield ""
        saved = domain.managed_save and domain.state == "shut off"
        yield "At the start after the restore:" if saved else "At the next start:"
        yield from (f"  {change}" for change in (*domain.changes, *domain.apart))
