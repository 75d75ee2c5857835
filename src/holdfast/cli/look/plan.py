"""``holdfast plan``: what a cold start, another host or another machine type would change for a guest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import fields_of, print_result, print_stream
from holdfast.cli.common import Session, domain_argument, output_option, pass_session
from holdfast.cli.completion import complete_domains
from holdfast.cli.heading import heading
from holdfast.errors import Refused
from holdfast.text import plural

if TYPE_CHECKING:
    from holdfast.operations.domain.upgrade_machine import MachineUpgrade
    from holdfast.operations.look.plan_reboot import Plan
    from holdfast.operations.vocabulary import Outlook


@click.group()
def plan() -> None:
    """Say beforehand what a guest will see differ. Nothing is ever touched.

    Exit code 0 when the guest sees no difference, 3 when it sees one or does not start.
    """


@plan.command()
@domain_argument
@output_option
@click.pass_context
@pass_session
def reboot(session: Session, ctx: click.Context, name: str, output: str) -> None:
    """Say what the next cold start will change on this host.

    This includes what waits in config, devices the guest has not released, a managed-save image that would be used
    instead, a CPU that is expanded anew, another firmware build, and what this host lacks for a start. What cannot be
    known is listed as unknown.
    """
    from holdfast.operations.look.plan_reboot import plan_reboot

    found = plan_reboot(session.connection, name)
    if output == "json":
        print_result(found, differs=found.differs)
    else:
        click.echo("\n".join(_whole(found)))
    if found.differs:
        ctx.exit(Refused.exit_code)


@plan.command()
@click.argument("target", metavar="[URI2]", required=False)
@click.option(
    "-d", "--domain", "names", metavar="NAME", multiple=True, shell_complete=complete_domains, help="Only this domain."
)
@click.option("--probe", is_flag=True, help="Start a QEMU without the guest's disks on both hosts, and compare.")
@output_option
@click.pass_context
@pass_session
def host(
    session: Session, ctx: click.Context, target: str | None, names: tuple[str, ...], probe: bool, output: str
) -> None:
    """Say for every domain what a cold start at URI2 would change: on another host, or on this one as it is now.

    Machine types, CPUs, firmware, devices, networks and pools are judged by what libvirt at URI2 says of its host.
    With --probe and -d the firmware of an empty copy of the domain is run under the QEMU of each host for a moment, and
    what the two make of the same document is compared: ACPI and SMBIOS tables, PCI config space, CPUID.
    """
    from contextlib import nullcontext

    from holdfast.operations.connect import connect
    from holdfast.operations.look.plan_host import plan_host

    with nullcontext() if target is None else connect(target, session.readonly) as other:
        plans = plan_host(session.connection, other, names, probe=probe)
        uri = (other or session.connection).uri
        differs = _print_as_json(uri, plans) if output == "json" else _print_domains(uri, plans, everything=probe)
    if differs:
        ctx.exit(Refused.exit_code)


@plan.command()
@domain_argument
@click.argument("machine", metavar="MACHINE")
@click.option("--lower", is_flag=True, help="Also allow an earlier version, to go back to it.")
@output_option
@click.pass_context
@pass_session
def machine(session: Session, ctx: click.Context, name: str, machine: str, lower: bool, output: str) -> None:
    """Say what 'holdfast upgrade machine' would change."""
    from holdfast.operations.domain.upgrade_machine import upgrade_machine

    found = upgrade_machine(session.connection, name, machine, lower=lower, dry_run=True)
    print_upgrade(found, output)
    if found.changes:
        ctx.exit(Refused.exit_code)


def print_upgrade(found: MachineUpgrade, output: str) -> None:
    """Print a change of the machine type, done or planned."""
    if output == "json":
        print_result(found)
        return
    if found.before == found.after:
        click.echo(f"{found.name}: the machine type is {found.after} already")
    elif found.dry_run:
        click.echo(
            f"{found.name}: would change the machine type from {found.before} to {found.after}; nothing was changed"
        )
    else:
        click.echo(f"{found.name}: changed the machine type from {found.before} to {found.after}")
    for change in found.changes:
        click.echo(f"  {change}")
    if found.changes:
        click.echo("  every device keeps its address")
    for outlook in found.outlooks:
        click.echo(f"  {_word(outlook)}: {outlook}")
    for note in found.notes:
        click.echo(f"  note: {note}")
    if found.waits:
        click.echo("the guest runs: it waits for its next cold start ('holdfast reboot --hard')")


def _whole(found: Plan) -> Iterator[str]:
    if found.differs:
        yield f"{_head(found)}: at the next cold start"
    else:
        yield f"{_head(found)}: nothing is known that the next cold start would change for the guest"
    yield from _lines(found, everything=True)


def _head(found: Plan) -> str:
    return f"{heading(found.name, found.uuid, found.instance)} ({found.state})"


def _lines(found: Plan, *, everything: bool) -> Iterator[str]:
    """What stops the start, what waits in config, and what else changes; with ``everything`` what there is to know."""
    from holdfast.operations.vocabulary import Effect

    for effect in Effect if everything else (Effect.BLOCKS, Effect.CHANGES):
        if effect is Effect.CHANGES:
            yield from (f"  changes: {change}" for change in found.changes)
        for outlook in found.outlooks:
            if outlook.effect is effect:
                yield f"  {_word(outlook)}: {outlook}"
                if outlook.unused:
                    yield f"    'holdfast device detach {found.name} \"{outlook.unused}\"' does so"


def _word(outlook: Outlook) -> str:
    return {"blocks": "does not start", "changes": "changes"}.get(str(outlook.effect), str(outlook.effect))


def _print_domains(uri: str, plans: Iterable[Plan], *, everything: bool) -> bool:
    """Domain by domain what changes; what cannot be told, or is only worth knowing, is counted at the end.

    With ``everything`` that stands with each domain, too.
    """
    from holdfast.operations.look.plan_reboot import differs

    rest: Counter[str] = Counter()
    total = changed = 0
    for found in plans:
        total += 1
        changed += found.differs
        if found.differs or everything:
            click.echo("\n".join((_head(found), *_lines(found, everything=everything))))
        if not everything:
            rest.update(f"{_word(each)}: {each}" for each in found.outlooks if not differs([each]))
    click.echo(f"{changed} of {total} {plural(total, 'domain')} would not start, or would see a change, at {uri}")
    for sentence, count in rest.most_common():
        click.echo(f"  {count} × {sentence}")
    return changed > 0


def _print_as_json(uri: str, plans: Iterable[Plan]) -> bool:
    """One JSON object, whose list of domains is printed as it is found."""
    differing = False

    def said() -> Iterator[Mapping[str, object]]:
        nonlocal differing
        for found in plans:
            differing = differing or found.differs
            yield {**fields_of(found), "differs": found.differs}

    print_stream("domains", said(), host=uri)
    return differing
