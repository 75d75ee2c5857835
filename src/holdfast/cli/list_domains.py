"""``holdfast list``: every domain and its state. Draws its own two columns: rich would take longer than libvirt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.common import Session, output_option, pass_session, print_json

if TYPE_CHECKING:
    from holdfast.libvirtapi.connection import DomainState


@click.command("list")
@click.option("--running", is_flag=True, help="Only domains that run, paused ones included.")
@click.option("--names", is_flag=True, help="Only the names, one a line: for scripts.")
@output_option
@pass_session
def list_(session: Session, running: bool, names: bool, output: str) -> None:
    """List all domains, running or not, with their state."""
    from holdfast.operations.list_domains import list_domains

    domains = list_domains(session.connection, running=running)
    if output == "json":
        print_json(
            [
                {"name": domain.name, "uuid": domain.uuid, "state": domain.state, "rescue": domain.rescue}
                for domain in domains
            ]
        )
    elif names:
        click.echo("".join(f"{domain.name}\n" for domain in domains), nl=False)
    else:
        width = max([4, *(len(domain.name) for domain in domains)])
        lines = [f"{'NAME':{width}}  STATE", *(_line(domain, width) for domain in domains)]
        click.echo("\n".join(lines))


def _line(domain: DomainState, width: int) -> str:
    return f"{domain.name:{width}}  {domain.state}{', in rescue' * domain.rescue}"
