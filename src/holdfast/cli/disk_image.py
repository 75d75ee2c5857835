"""What ``holdfast disk`` does with the image of a disk that stays where it is: extend, move, swap, and media."""

from __future__ import annotations

import dataclasses

import click

from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session, print_json
from holdfast.cli.completion import complete_devices
from holdfast.cli.size import format_size, parse_size

target_argument = click.argument("target", metavar="TARGET", shell_complete=complete_devices("disk"))


@click.command()
@domain_argument
@target_argument
@click.argument("size", metavar="SIZE", type=parse_size)
@dry_run_option
@output_option
@pass_session
def extend(session: Session, name: str, target: str, size: int, dry_run: bool, output: str) -> None:
    """Make a disk SIZE large (20GiB); a running guest is told. A disk never becomes smaller."""
    from holdfast import operations

    done = operations.extend_disk(session.connection, name, target, size, dry_run=dry_run)
    if output == "json":
        print_json(dataclasses.asdict(done))
    elif done.before == done.after:
        click.echo(f"{done.target} has {format_size(done.after)} already")
    else:
        what = f"{done.target} from {format_size(done.before)} to {format_size(done.after)}"
        click.echo(f"would extend {what}; nothing was changed" if dry_run else f"extended {what}")


IMAGE_COMMANDS: tuple[click.Command, ...] = (extend,)
"""The commands that the group ``disk`` has from here."""
