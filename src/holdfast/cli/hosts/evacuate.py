"""``holdfast evacuate``: the domains of a host that is down come to another one, with the hardware that they had."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope
from holdfast.cli.common import Session, dry_run_option, fresh_options, local_time, output_option, pass_session
from holdfast.cli.hosts.maps import map_options
from holdfast.cli.past.options import secret_option
from holdfast.errors import PartlyDone
from holdfast.errors.hosts import EVACUATED_IN_PART, NONE_EVACUATED
from holdfast.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from holdfast.operations.hosts.evacuate import Evacuated
    from holdfast.operations.vocabulary import HostMaps


@click.command()
@click.argument("names", metavar="[NAME]…", nargs=-1)
@click.argument("uri", metavar="DEST_URI")
@click.option("--from", "remote", metavar="REMOTE", help="Where the histories are pushed to; else as it is set.")
@click.option("--all", "every", is_flag=True, help="All domains of the host that is down.")
@click.option("--source-is-down", "down", metavar="HOST", default="", help="This host is off, and stays off.")
@click.option("--start-again", is_flag=True, help="Take an earlier document where the last one cannot be read.")
@map_options
@click.option("--accept-host", is_flag=True, help="Take what the guest could reach of this host, as the document says.")
@secret_option
@fresh_options
@click.option("--identity", metavar="FILE", default="", help="age's private key, for copies of state.")
@click.option("--start", is_flag=True, help="Start what is named; with --all what was running.")
@dry_run_option
@output_option
@pass_session
def evacuate(
    session: Session,
    names: tuple[str, ...],
    uri: str,
    remote: str | None,
    every: bool,
    down: str,
    start_again: bool,
    maps: HostMaps,
    accept_host: bool,
    secrets: dict[str, str],
    fresh: list[str],
    identity: str,
    start: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Let domains of a host that is down come to the libvirt at DEST_URI, from what REMOTE has recorded of them.

    Their images are on storage that both hosts have. UUID, MAC addresses and every address stay as they were. HOST is
    named as the history names it: two guests on one image destroy it, so be sure that it is off. Whoever comes second
    loses, and HOST does not start them when it is back ('holdfast resume-host').
    """
    from holdfast import operations

    if bool(names) is every:
        raise click.UsageError(
            "name domains, or say --all" if every is False else "name domains or say --all, not both"
        )
    if len(names) != 1 and secrets:
        raise click.UsageError("--secret is about one domain: name it")
    session.uri = uri
    done = operations.evacuate(
        session.connection,
        names,
        remote=remote,
        source_is_down=down,
        start_again=start_again,
        maps=maps,
        accept_host=accept_host,
        secrets=secrets,
        fresh=fresh,
        identity=identity,
        start=start,
        dry_run=dry_run,
    )
    if output == "json":
        print_envelope(dry_run=dry_run, domains=done)
    else:
        for line in (line for each in done for line in _lines(each)):
            click.echo(printable(line))
    _report(done)


def _lines(each: Evacuated) -> Iterator[str]:
    would = "would be" if each.dry_run else "is"
    when = "" if each.entry is None else f", as recorded on {local_time(each.entry.time)}"
    where = f" from {each.host}" if each.host else ""
    if each.fate == "evacuated":
        yield f"{each.name}: {would} evacuated{where}{when}{f', and {would} started' if each.started else ''}"
    else:
        yield f"{each.name}: {'does not come' if each.fate == 'failed' else each.fate}"
    yield from (f"  {note}" for note in each.notes)
    if each.error is not None:
        yield f"  {each.error.message}"


def _report(done: Sequence[Evacuated]) -> None:
    """Raise what is to be said of all of them: the error of the only one, else how many did not come, or in part."""
    wrong = [each for each in done if each.error is not None]
    if not wrong:
        return
    names, cause = [each.name for each in wrong], wrong[0].error
    if len(done) == 1 and cause is not None:
        raise cause
    nothing = all(each.fate == "failed" and not isinstance(each.error, PartlyDone) for each in done)
    condition = NONE_EVACUATED if nothing else EVACUATED_IN_PART
    raise condition(failed=len(wrong), all=len(done), names=names, cause=cause)
