"""``holdfast snapshot``: create, list, revert and delete snapshots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope, print_result
from holdfast.cli.common import (
    Session,
    accept_option,
    domain_argument,
    dry_run_option,
    output_option,
    pass_session,
)
from holdfast.cli.completion import complete_devices, complete_snapshots

if TYPE_CHECKING:
    from holdfast.operations.snapshots.create import SnapshotCreated
    from holdfast.operations.snapshots.list import SnapshotInfo
    from holdfast.operations.snapshots.revert import SnapshotReverted

snapshot_argument = click.argument("snapshot", metavar="SNAPSHOT", shell_complete=complete_snapshots)


@click.group()
def snapshot() -> None:
    """Create, list, revert and delete snapshots.

    An internal snapshot is kept inside the qcow2 images. An external one leaves the images as they are, and the guest
    writes new files from then on.
    """


@snapshot.command()
@domain_argument
@click.argument("snapshot", metavar="SNAPSHOT")
@click.option("--external", is_flag=True, help="Leave the images as they are, and write new files from now on.")
@click.option("--no-memory", is_flag=True, help="Leave out the memory of a running domain (with --external).")
@click.option(
    "--without",
    metavar="TARGET",
    multiple=True,
    shell_complete=complete_devices("disk"),
    help="Leave this disk out (with --external).",
)
@click.option("--folder", metavar="FOLDER", help="Where new files go.  [default: beside each image]")
@click.option("--quiesce", is_flag=True, help="Have the guest agent freeze the file systems meanwhile.")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@dry_run_option
@output_option
@pass_session
def create(
    session: Session,
    name: str,
    snapshot: str,
    external: bool,
    no_memory: bool,
    without: tuple[str, ...],
    folder: str | None,
    quiesce: bool,
    description: str,
    dry_run: bool,
    output: str,
) -> None:
    """Make a snapshot of a domain: its disks, its hardware, and its memory while it runs.

    The guest sees nothing of it, but stands still while its memory is written.
    """
    from holdfast import operations

    created = operations.create_snapshot(
        session.connection,
        name,
        snapshot,
        external=external,
        memory=not no_memory,
        without=without,
        folder=folder,
        quiesce=quiesce,
        description=description,
        dry_run=dry_run,
    )
    if output == "json":
        print_result(created)
    else:
        click.echo("\n".join(_created(created)))


def _created(created: SnapshotCreated) -> list[str]:
    kind = "external" if created.external else "internal"
    memory = "with memory" if created.memory else "disks only"
    if created.memory and created.dry_run:
        memory += ", and the guest would stand still while it is written"
    lines = [f"{created.name}: {'would make' if created.dry_run else 'made'} {created.snapshot} ({kind}, {memory})"]
    for disk in created.disks:
        since = f" stays as it is; written since: {disk.overlay}" if disk.overlay else ""
        lines.append(f"  {disk.target}: {disk.image}{since}")
    if created.memory_file:
        lines.append(f"  memory: {created.memory_file}")
    lines += [f"  {each.target} is left out: {each.why}" for each in created.left_out]
    lines += [f"note: {note}" for note in created.notes]
    return lines


@snapshot.command("list")
@domain_argument
@output_option
@pass_session
def list_(session: Session, name: str, output: str) -> None:
    """List the snapshots, oldest first, and what reverting to each would change in today's hardware."""
    from holdfast import operations
    from holdfast.cli.columns import columns

    found = operations.list_snapshots(session.connection, name)
    if output == "json":
        print_envelope(snapshots=found)
        return
    if not found:
        click.echo(f"{name} has no snapshots")
        return
    head = ["NAME", "CREATED", "KIND", "STATE", "MEMORY", "PARENT", "A REVERT", "DESCRIPTION"]
    click.echo(columns(head, [_row(each) for each in found]))


def _row(each: SnapshotInfo) -> list[str | None]:
    count = len(each.changes)
    revert = f"changes the hardware ({count})" if count else "keeps the hardware"
    if each.impossible:
        revert = "impossible"
    name, memory = f"{each.name} *" if each.current else each.name, "yes" if each.memory else None
    kind = "external" if each.external else "internal"
    return [name, each.created[:19], kind, each.state, memory, each.parent, revert, each.description]


@snapshot.command()
@domain_argument
@snapshot_argument
@click.option("--disks-only", is_flag=True, help="Bring back what the disks held, and keep today's hardware.")
@accept_option
@dry_run_option
@output_option
@pass_session
def revert(
    session: Session, name: str, snapshot: str, disks_only: bool, accept: bool, dry_run: bool, output: str
) -> None:
    """Bring a domain back to a snapshot: its disks, memory and hardware of that time. What it has now is lost.

    Where the guest would see its hardware change, this needs --accept, and is refused with exit code 3 otherwise (look
    first with --dry-run). Title, description and metadata stay those of today, and no image is removed. --disks-only
    is for internal snapshots of a domain that is shut off.
    """
    from holdfast import operations

    reverted = operations.revert_to_snapshot(
        session.connection, name, snapshot, disks_only=disks_only, accept=accept, dry_run=dry_run
    )
    if output == "json":
        print_result(reverted)
    else:
        click.echo("\n".join(_reverted(reverted)))


def _reverted(reverted: SnapshotReverted) -> list[str]:
    what = "the disks" if reverted.disks_only else "disks and hardware"
    if reverted.dry_run:
        would = f"{reverted.name}: would revert {what} to {reverted.snapshot}; it would be {reverted.after}"
        lines = [f"{would}; nothing was changed"]
    else:
        lines = [f"{reverted.name}: reverted {what} to {reverted.snapshot}; it is {reverted.after}"]
    lines += [f"  {disk.target}: {disk.image}" for disk in reverted.disks]
    lines += [f"  {each.target} keeps what it holds: {each.why}" for each in reverted.left_out]
    sees = [*map(str, reverted.changes), *(["the running guest is switched off"] if reverted.switched_off else [])]
    if sees:
        lines.append("the guest sees:")
        lines += [f"  {sentence}" for sentence in sees]
    lines += [f"{disk.target} is no longer attached; its image is kept: {disk.image}" for disk in reverted.detached]
    lines += [f"note: {note}" for note in reverted.notes]
    return lines


@snapshot.command()
@domain_argument
@snapshot_argument
@dry_run_option
@output_option
@pass_session
def delete(session: Session, name: str, snapshot: str, dry_run: bool, output: str) -> None:
    """Delete a snapshot; what the disks hold now stays, and the guest sees nothing of it.

    What has been written to new files since an external snapshot is merged into the images below them.
    """
    from holdfast import operations

    deleted = operations.delete_snapshot(session.connection, name, snapshot, dry_run=dry_run)
    if output == "json":
        print_result(deleted)
        return
    click.echo(f"{deleted.name}: {'would delete' if dry_run else 'deleted'} {deleted.snapshot}")
    for file in deleted.removed:
        click.echo(f"  {file}: {'would be removed' if dry_run else 'removed'}")
    for note in deleted.notes:
        click.echo(f"note: {note}")
