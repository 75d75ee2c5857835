"""``holdfast seal`` and ``unseal``: make concrete what a domain leaves open, and leave its CPU open again."""

from __future__ import annotations

import contextlib

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session


@click.command()
@domain_argument
@click.option("--add-serials", is_flag=True, help="Give a serial to disks without one; the guest sees it.")
@click.option("--add-ports", type=int, default=0, metavar="N", help="Have N free root ports; the guest sees them.")
@click.option(
    "--cpu-for", "uris", multiple=True, metavar="URI", help="Have the best CPU that this host runs, too (repeatable)."
)
@dry_run_option
@output_option
@pass_session
def seal(
    session: Session,
    name: str,
    add_serials: bool,
    add_ports: int,
    uris: tuple[str, ...],
    dry_run: bool,
    output: str,
) -> None:
    """Make concrete what a domain leaves open to a later start: CPU, machine version, firmware files, aliases.

    A running guest's CPU and firmware are taken exactly as it has them. What the guest would see is only listed,
    unless an option asks for it: with --cpu-for the best CPU that this host and those at each URI can all run, for a
    guest that is to move between them. Takes effect at the next cold start.
    """
    from holdfast import operations
    from holdfast.operations.connect import connect

    with contextlib.ExitStack() as stack:
        hosts = [stack.enter_context(connect(uri, session.readonly)) for uri in dict.fromkeys(uris)]
        sealed = operations.seal_domain(
            session.connection, name, add_serials=add_serials, add_ports=add_ports, cpu_for=hosts, dry_run=dry_run
        )
    if output == "json":
        print_result(sealed)
        return
    for part in sealed.closed:
        click.echo(f"{'would seal' if dry_run else 'sealed'}: {part.sentence}")
    for change in sealed.changes:
        click.echo(f"the guest will see: {change}")
    for part in sealed.left:
        way = {"none": "nothing can seal it", "seal": "left open"}.get(part.remedy, f"use --{part.remedy}")
        click.echo(f"still open: {part.sentence} ({way})")
    if not (sealed.closed or sealed.left or sealed.changes):
        click.echo(f"{sealed.name} is sealed: nothing is left open")
    elif dry_run:
        click.echo("nothing was changed")
    elif sealed.at_next_start:
        click.echo("waits for the next cold start; until then the guest runs as it is")
    for note in sealed.notes:
        click.echo(f"note: {note}")


@click.command()
@domain_argument
@click.option("--cpu", is_flag=True, help="The CPU: the host chooses it again, at each start (host-model).")
@dry_run_option
@output_option
@pass_session
def unseal(session: Session, name: str, cpu: bool, dry_run: bool, output: str) -> None:
    """Take the sealed CPU out of a domain again: for a host that cannot give it any more.

    The CPU becomes host-model, with its topology as it is; what the guest will see of that is listed. Takes effect at
    the next cold start. Afterwards 'holdfast seal' writes down the CPU that the guest has then.
    """
    from holdfast import operations

    if not cpu:
        raise click.UsageError("say what is to be unsealed: --cpu")
    change = operations.unseal_cpu(session.connection, name, dry_run=dry_run)
    if output == "json":
        print_result(change)
        return
    if not change.changed:
        click.echo(f"{change.name}: its CPU is not sealed: {change.was}")
        return
    click.echo(f"{change.name}: the CPU {'would be' if dry_run else 'is'} {change.becomes}, was {change.was}")
    for seen in change.changes:
        click.echo(f"the guest will see: {seen}")
    for note in change.notes:
        click.echo(f"note: {note}")
    if dry_run:
        click.echo("nothing was changed")
    elif change.at_next_start:
        click.echo("waits for the next cold start; until then the guest runs as it is")
