"""``holdfast export`` and ``holdfast import``: a domain in one file, and out of it on another host."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import (
    Session,
    domain_argument,
    dry_run_option,
    fresh_options,
    output_option,
    pass_session,
)

_Command = TypeVar("_Command", bound=Callable[..., None])


@click.command()
@domain_argument
@click.argument("file", metavar="FILE")
@click.option("--disk", "disks", metavar="TARGET", multiple=True, help="With the image of this disk (repeatable).")
@click.option("--all-disks", is_flag=True, help="With the images of all disks that are the domain's own.")
@dry_run_option
@output_option
@pass_session
def export(
    session: Session, name: str, file: str, disks: tuple[str, ...], all_disks: bool, dry_run: bool, output: str
) -> None:
    """Write a domain that is shut off into the new FILE: its document, NVRAM and TPM state, and images where asked for.

    FILE is a tar archive with checksums, for its owner alone: it has the domain's secrets. The domain stays as it is.
    """
    from holdfast import operations

    exported = operations.export_domain(
        session.connection, name, file, disks=disks, all_disks=all_disks, dry_run=dry_run
    )
    if output == "json":
        print_result(exported)
        return
    click.echo(f"{exported.name}: {'would be' if dry_run else 'is'} exported to {exported.archive}")
    for part in exported.parts:
        click.echo(f"  {part.member}{f'  from {part.path}' if part.path else ''}")
    for left in exported.left_out:
        click.echo(f"  without the image of {left}")
    for note in exported.notes:
        click.echo(f"  {note}")


def _pairs(context: click.Context, parameter: click.Parameter, said: Sequence[str]) -> dict[str, str]:
    pairs = [each.partition("=") for each in said]
    for old, equals, new in pairs:
        if not (old and equals and new):
            raise click.BadParameter(f"{old + equals + new!r} is not OLD=NEW")
    return {old: new for old, _, new in pairs}


def _map_option(name: str, what: str) -> Callable[[_Command], _Command]:
    help = f"{what} NEW of this host stands for OLD (repeatable)."
    return click.option(f"--map-{name}", f"{name}s", metavar="OLD=NEW", multiple=True, callback=_pairs, help=help)


@click.command("import")
@click.argument("file", metavar="FILE")
@_map_option("network", "The network")
@_map_option("bridge", "The bridge")
@_map_option("pool", "The storage pool")
@_map_option("path", "The file or folder")
@click.option("--folder", metavar="FOLDER", help="Where images of the archive go; else where the document has them.")
@click.option("--accept-host", is_flag=True, help="Take what the guest could reach of this host, as the document says.")
@fresh_options
@click.option("--start", is_flag=True, help="Start it.")
@dry_run_option
@output_option
@pass_session
def import_(
    session: Session,
    file: str,
    networks: dict[str, str],
    bridges: dict[str, str],
    pools: dict[str, str],
    paths: dict[str, str],
    folder: str | None,
    accept_host: bool,
    fresh: Collection[str],
    start: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Let a domain arrive here: from an archive of 'holdfast export', or from a document ('virsh dumpxml --inactive').

    It keeps its UUID, MAC addresses and every address. Only what it names of its old host is replaced, as you say.
    """
    from holdfast import operations

    created = operations.import_domain(
        session.connection,
        file,
        maps=operations.HostMaps(networks=networks, bridges=bridges, pools=pools, paths=paths),
        folder=folder,
        fresh=fresh,
        accept_host=accept_host,
        start=start,
        dry_run=dry_run,
    )
    if output == "json":
        print_result(created)
        return
    click.echo(f"{created.name}: {'would be' if dry_run else 'is'} imported, UUID {created.uuid}")
    for image in created.images:
        click.echo(f"  image {image}")
    for note in created.notes:
        click.echo(f"  {note}")
    if created.started:
        click.echo(f"{created.name}: {'would be ' if dry_run else ''}started")
