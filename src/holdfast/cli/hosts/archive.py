"""``holdfast export`` and ``holdfast import``: a domain in one file, and out of it on another host."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

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
from holdfast.cli.devices.copy_progress import progress_bar
from holdfast.cli.hosts.maps import map_options

if TYPE_CHECKING:
    from holdfast.operations.vocabulary import HostMaps


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
    """Write a domain that is shut off into the new FILE: its document, history, NVRAM and TPM state, and images where
    asked for.

    FILE is a tar archive with checksums, for its owner alone: it has the domain's secrets. The domain stays as it is.
    """
    from holdfast import operations

    with progress_bar("exporting") as progress:
        exported = operations.export_domain(
            session.connection, name, file, disks=disks, all_disks=all_disks, progress=progress, dry_run=dry_run
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


@click.command("import")
@click.argument("file", metavar="FILE")
@map_options
@click.option("--folder", metavar="FOLDER", help="Where images of the archive go; else where the document has them.")
@click.option("--accept-host", is_flag=True, help="Take what the guest could reach of this host, as the document says.")
@fresh_options
@click.option("--name", "new_name", metavar="NEW_NAME", help="What it is called here; else as it was.")
@click.option("--new-uuid", is_flag=True, help="Another UUID for libvirt; the guest keeps its own (libvirt 11.7).")
@click.option("--start", is_flag=True, help="Start it.")
@dry_run_option
@output_option
@pass_session
def import_(
    session: Session,
    file: str,
    maps: HostMaps,
    folder: str | None,
    accept_host: bool,
    fresh: Collection[str],
    new_name: str | None,
    new_uuid: bool,
    start: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Let a domain arrive here: from an archive of 'holdfast export', or from a document ('virsh dumpxml --inactive').

    It keeps its UUID, MAC addresses and every address. Only what it names of its old host is replaced, as you say.
    """
    from holdfast import operations

    with progress_bar("importing") as progress:
        created = operations.import_domain(
            session.connection,
            file,
            maps=maps,
            folder=folder,
            fresh=fresh,
            accept_host=accept_host,
            new_name=new_name,
            new_uuid=new_uuid,
            start=start,
            progress=progress,
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
