"""``holdfast migrate``: a domain goes to another host, while its guest runs or shut off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import (
    Seconds,
    Session,
    domain_argument,
    dry_run_option,
    fresh_options,
    output_option,
    pass_session,
)
from holdfast.cli.hosts.maps import map_options
from holdfast.cli.hosts.move_progress import move_progress

if TYPE_CHECKING:
    from holdfast.operations.hosts.moving import Migrated
    from holdfast.operations.vocabulary import HostMaps


@click.command()
@domain_argument
@click.argument("uri", metavar="DEST_URI")
@click.option("--copy-storage", is_flag=True, help="Copy the images: the other host does not share them.")
@click.option("--overwrite", is_flag=True, help="Let a guest that runs write over images that are there, if as large.")
@map_options
@click.option("--tls", is_flag=True, help="Encrypt memory and images on their way (both hosts need certificates).")
@click.option("--bandwidth", type=click.IntRange(1, 1 << 20), metavar="MIB", help="At most so many MiB a second.")
@click.option(
    "--timeout",
    type=Seconds(),
    metavar="SECONDS",
    help="Give up a guest that is not there by then: it runs on where it is.",
)
@click.option("--auto-converge", is_flag=True, help="Slow a guest down that writes faster than can be copied.")
@click.option(
    "--post-copy", is_flag=True, help="Let it run there before all is copied; if that breaks off, it stands still."
)
@fresh_options
@dry_run_option
@output_option
@pass_session
def migrate(
    session: Session,
    name: str,
    uri: str,
    copy_storage: bool,
    overwrite: bool,
    maps: HostMaps,
    tls: bool,
    bandwidth: int | None,
    timeout: float | None,
    auto_converge: bool,
    post_copy: bool,
    fresh: list[str],
    dry_run: bool,
    output: str,
) -> None:
    """Move a domain to the host at DEST_URI. A guest that runs goes on, with the hardware that it has.

    UUID, MAC addresses and every address stay. Only what the domain names of its host is replaced, as you say.
    """
    from holdfast import operations
    from holdfast.operations.connect import connect

    if auto_converge and post_copy:
        raise click.UsageError("--auto-converge and --post-copy exclude each other")
    options = operations.MoveOptions(
        copy_storage=copy_storage,
        overwrite=overwrite,
        tls=tls,
        bandwidth=bandwidth,
        timeout=timeout,
        auto_converge=auto_converge,
        post_copy=post_copy,
        fresh=tuple(fresh),
    )
    with connect(uri, session.readonly, session.lock_timeout) as target, move_progress(name) as progress:
        target.command = session.connection.command
        moved = operations.migrate_domain(
            session.connection, name, target, maps=maps, options=options, progress=progress, dry_run=dry_run
        )
    if output == "json":
        print_result(moved)
        return
    for line in _lines(moved):
        click.echo(line)


def _lines(moved: Migrated) -> list[str]:
    would = "would be" if moved.dry_run else "is"
    how = "while it runs" if moved.live else "shut off"
    stood = f", and stood still for {moved.downtime} ms" if moved.downtime is not None else ""
    lines = [f"{moved.name}: {would} moved to {moved.destination} {how}{stood}"]
    lines += [f"  of that host: {change}" for change in moved.taken]
    lines += [f"  copied: {image}" for image in moved.copied]
    lines += [f"  at its next start: {outlook}" for outlook in moved.outlooks]
    return [*lines, *(f"  waits for the next start: {each}" for each in moved.waits), *(f"  {n}" for n in moved.notes)]
