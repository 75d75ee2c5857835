"""``holdfast plan hosts``: which domain can move where, and why not. With it the commands of ``plan`` are complete."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.columns import columns
from holdfast.cli.common import Session, output_option, pass_session
from holdfast.cli.completion import complete_domains
from holdfast.cli.hosts.maps import map_options
from holdfast.cli.look.plan import plan as plan
from holdfast.errors import PartlyDone, Refused
from holdfast.text import plural

if TYPE_CHECKING:
    from holdfast.operations.hosts.plan_hosts import DomainMoves, HostsPlan
    from holdfast.operations.vocabulary import HostMaps

_HEAD = ("DOMAIN", "STATE", "HOST", "MOVE", "WHY")


@plan.command()
@click.argument("uris", metavar="URI…", nargs=-1, required=True)
@click.option(
    "-d", "--domain", "names", metavar="NAME", multiple=True, shell_complete=complete_domains, help="Only this domain."
)
@click.option("--copy-storage", is_flag=True, help="Judge as if images were copied, as 'migrate --copy-storage' does.")
@map_options
@output_option
@click.pass_context
@pass_session
def hosts(
    session: Session,
    ctx: click.Context,
    uris: tuple[str, ...],
    names: tuple[str, ...],
    copy_storage: bool,
    maps: HostMaps,
    output: str,
) -> None:
    """Say which domain of this host can move to which of the hosts at each URI, and why not.

    Each is judged as 'migrate' does before it begins. Exit code 0 when every domain has a host on which its guest would
    see nothing differ, 3 when one has none, 5 when each has one but a host was not reached, 6 when none was.
    """
    from holdfast import operations

    planned = operations.plan_hosts(session.connection, uris, names, maps=maps, copy_storage=copy_storage)
    if output == "json":
        print_result(planned)
    else:
        click.echo("\n".join(_lines(planned)))
    if not all(each.can_move for each in planned.domains):
        ctx.exit(Refused.exit_code)
    if planned.errors:
        ctx.exit(PartlyDone.exit_code)


def _lines(planned: HostsPlan) -> Iterator[str]:
    """One line for each domain and host, and more where there are more reasons."""
    domains = planned.domains
    if domains:
        yield columns(_HEAD, [row for each in domains for row in _rows(each)])
    able = sum(each.can_move for each in domains)
    yield f"{able} of {len(domains)} {plural(len(domains), 'domain')} can move as they are"
    for uri, error in planned.errors.items():
        yield f"{uri} was not asked: {error.message}"


def _rows(domain: DomainMoves) -> Iterator[tuple[str, ...]]:
    who = (domain.name, domain.state)
    for move in domain.moves:
        # Why a host could not be asked is the same for each domain, and said once for all of them.
        reasons = () if move.move == "unknown" else move.reasons
        for number, reason in enumerate(reasons or ("",)):
            yield (*(("", "", "", "") if number else (*who, move.uri, str(move.move))), reason)
        who = ("", "")
