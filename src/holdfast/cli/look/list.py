"""``holdfast list``: every domain and its state. Draws its own two columns: rich would take longer than libvirt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope
from holdfast.cli.common import Session, output_option, pass_session
from holdfast.text import printable

if TYPE_CHECKING:
    from holdfast.operations.vocabulary import DomainState


@click.command("list")
@click.option("--running", is_flag=True, help="Only domains that run, paused ones included.")
@click.option("--names", is_flag=True, help="Only the names, one per line: for scripts.")
@output_option
@pass_session
def list_(session: Session, running: bool, names: bool, output: str) -> None:
    """List all domains, running or not, with their state."""
    from holdfast.operations.look.list import list_domains

    domains = list_domains(session.connection, running=running)
    if output == "json":
        print_envelope(domains=domains)
    elif names:
        click.echo("".join(f"{domain.name}\n" for domain in domains), nl=False)
    else:
        shown = [(printable(domain.name), _state(domain)) for domain in domains]
        width = max([4, *(len(name) for name, _ in shown)])
        click.echo("\n".join(f"{name:{width}}  {state}" for name, state in [("NAME", "STATE"), *shown]))


def _state(domain: DomainState) -> str:
    return f"{domain.state}{', in rescue' * domain.in_rescue}{', saved' * domain.managed_save}"
