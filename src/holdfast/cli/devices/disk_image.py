"""What ``holdfast disk`` does with the image of a disk that stays where it is: extend, move, swap, and media."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, accept_option, domain_argument, dry_run_option, output_option, pass_session
from holdfast.cli.completion import complete_devices
from holdfast.cli.devices.copy_progress import progress_bar
from holdfast.cli.devices.options import IMAGE_HELP, MEDIUM_HELP, PLACE_HELP, parse_image, parse_medium, parse_place
from holdfast.cli.size import parse_size

if TYPE_CHECKING:
    from holdfast.operations.disks.media import MediumChange
    from holdfast.operations.disks.move import MoveAborted, Moved
    from holdfast.operations.disks.spec import DiskSpec, Place

target_argument = click.argument("target", metavar="TARGET", shell_complete=complete_devices("disk"))


@click.command()
@domain_argument
@target_argument
@click.argument("size", metavar="SIZE", type=parse_size)
@dry_run_option
@output_option
@pass_session
def extend(session: Session, name: str, target: str, size: int, dry_run: bool, output: str) -> None:
    """Make a disk SIZE large (20GiB); a running guest sees it at once. A disk never becomes smaller."""
    from holdfast import operations
    from holdfast.text import size_in_words

    done = operations.extend_disk(session.connection, name, target, size, dry_run=dry_run)
    if output == "json":
        print_result(done)
    elif done.before == done.after:
        click.echo(f"{done.target} has {size_in_words(done.after)} already")
    else:
        what = f"{done.target} from {size_in_words(done.before)} to {size_in_words(done.after)}"
        click.echo(f"would extend {what}; nothing was changed" if dry_run else f"extended {what}")


@click.group()
def media() -> None:
    """Insert a medium into a CD or floppy drive, or eject it."""


force_option = click.option("--force", is_flag=True, help="Open the tray even if the guest has locked it.")


@media.command(epilog=f"IMAGE: {MEDIUM_HELP}")
@domain_argument
@target_argument
@click.argument("image", metavar="IMAGE", type=parse_medium)
@force_option
@dry_run_option
@output_option
@pass_session
def insert(session: Session, name: str, target: str, image: DiskSpec, force: bool, dry_run: bool, output: str) -> None:
    """Put an image into the drive TARGET, now and for the next start, in place of what was in it.

    Exit code 5 when the guest has locked the tray: it was asked to open it, and nothing else has changed.
    """
    from holdfast import operations

    done = operations.insert_medium(session.connection, name, target, image, force=force, dry_run=dry_run)
    _report_medium(done, output)


@media.command()
@domain_argument
@target_argument
@force_option
@dry_run_option
@output_option
@pass_session
def eject(session: Session, name: str, target: str, force: bool, dry_run: bool, output: str) -> None:
    """Take out what is in the drive TARGET, now and for the next start.

    Exit code 5 when the guest has locked the tray: it was asked to open it, and nothing else has changed.
    """
    from holdfast import operations

    _report_medium(operations.eject_medium(session.connection, name, target, force=force, dry_run=dry_run), output)


def _report_medium(done: MediumChange, output: str) -> None:
    if output == "json":
        print_result(done)
        return
    would = ("would have", "; nothing was changed") if done.dry_run else ("has", "")
    before = f" (it had {done.before or 'nothing'})" if done.before != done.after else ""
    where = " and ".join(map(str, done.definitions))
    click.echo(f"{done.target} {would[0]} {done.after or 'nothing'} in it{before}, in {where}{would[1]}")
    for note in done.notes:
        click.echo(f"note: {note}")


@click.command(epilog=f"PLACE: {PLACE_HELP}")
@domain_argument
@target_argument
@click.argument("place", metavar="[PLACE]", type=parse_place, required=False)
@click.option("--delete-source", is_flag=True, help="Remove the old image in the end, unless another domain uses it.")
@click.option(
    "--abort", is_flag=True, help="Cancel a move that is under way or was interrupted; the disk stays where it is."
)
@dry_run_option
@output_option
@pass_session
def move(
    session: Session,
    name: str,
    target: str,
    place: Place | None,
    delete_source: bool,
    abort: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Move a disk to another path, pool or format, even while the guest uses it. The guest notices nothing.

    The image is copied, then the disk switches to the copy, in live and config. When that fails or is interrupted, the
    disk is where it was, and the copy is gone. After a crash, 'show' says so, and this command without PLACE finishes
    the move.
    """
    from holdfast import operations

    if abort:
        if place is not None or delete_source:
            raise click.UsageError("--abort goes with NAME and TARGET only")
        _report_aborted(operations.abort_move(session.connection, name, target, dry_run=dry_run), output)
        return
    with progress_bar(f"copying {target}") as progress:
        done = operations.move_disk(
            session.connection, name, target, place, delete_source=delete_source, progress=progress, dry_run=dry_run
        )
    _report_moved(done, output)


def _report_moved(done: Moved, output: str) -> None:
    if output == "json":
        print_result(done)
        return
    source = f" from {done.before}" if done.before else ""
    what = f"{done.target}{source} to {done.after} ({done.image_format})"
    click.echo(f"would move {what}; nothing was changed" if done.dry_run else f"moved {what}, still at {done.address}")
    if done.removed:
        click.echo(f"{done.removed} {'would be' if done.dry_run else 'was'} removed")
    elif done.kept:
        click.echo(f"note: {done.before} {'would stay' if done.dry_run else 'stays'}: {done.kept}")
    for note in done.notes:
        click.echo(f"note: {note}")


def _report_aborted(done: MoveAborted, output: str) -> None:
    if output == "json":
        print_result(done)
        return
    copy = f"; the copy {done.removed} {'would go' if done.dry_run else 'is gone'}" if done.removed else ""
    ended = "would end the move of" if done.dry_run else "ended the move of"
    click.echo(f"{ended} {done.target}: it stays at {done.image}{copy}")


@click.command(epilog=f"IMAGE: {IMAGE_HELP}")
@domain_argument
@target_argument
@click.argument("image", metavar="IMAGE", type=parse_image)
@click.option(
    "--copy-content", is_flag=True, help="First copy what the disk holds onto IMAGE, overwriting what is there."
)
@accept_option
@dry_run_option
@output_option
@pass_session
def swap(
    session: Session,
    name: str,
    target: str,
    image: DiskSpec,
    copy_content: bool,
    accept: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Give a disk another existing image in place of its own, which stays as it is.

    The domain must be shut off: its guest sees what IMAGE holds, at the same address and under the same serial. With
    --copy-content it keeps its content, which is first copied onto IMAGE, even while the guest runs.
    """
    from holdfast import operations

    with progress_bar(f"copying {target}") as progress:
        done = operations.swap_disk(
            session.connection,
            name,
            target,
            image,
            copy_content=copy_content,
            accept=accept,
            progress=progress,
            dry_run=dry_run,
        )
    if output == "json":
        print_result(done)
        return
    copied = ", copied onto it" if done.copied else ""
    if done.dry_run:
        click.echo(f"{done.target} would have {done.after} in place of {done.before}{copied}; nothing was changed")
    else:
        click.echo(f"{done.target} has {done.after} in place of {done.before}{copied}, still at {done.address}")
    for change in done.changes:
        click.echo(f"the guest will see: {change}")
    for note in done.notes:
        click.echo(f"note: {note}")


IMAGE_COMMANDS: tuple[click.Command, ...] = (extend, media, move, swap)
"""The commands that the group ``disk`` has from here."""
