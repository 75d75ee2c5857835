"""``holdfast rescue`` and ``holdfast unrescue``."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import (
    Session,
    accept_option,
    domain_argument,
    dry_run_option,
    fresh_options,
    output_option,
    pass_session,
)
from holdfast.cli.devices.device import trust_format_option
from holdfast.cli.power.power import report_power
from holdfast.errors.programs import RESCUE_FORMAT
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.power.rescue import BUSES


@click.command()
@domain_argument
@click.option(
    "--image", required=True, metavar="FILE|POOL/VOLUME|URL", help="The image to boot from, which must exist."
)
@click.option("--format", "image_format", metavar="FORMAT", help="Its format: raw, qcow2 … A CD is raw by default.")
@click.option(
    "--device", type=click.Choice(["disk", "cdrom"]), default="disk", show_default=True, help="What to attach it as."
)
@click.option("--bus", type=click.Choice(BUSES), help="The bus it is on [default: virtio; a CD: sata, on pc ide].")
@trust_format_option
@click.option("--force", is_flag=True, help="Also while it is running: it is switched off first.")
@accept_option
@fresh_options
@dry_run_option
@output_option
@pass_session
def rescue(
    session: Session,
    name: str,
    image: str,
    image_format: str | None,
    device: str,
    bus: str | None,
    trust_format: bool,
    force: bool,
    accept: bool,
    fresh: list[str],
    dry_run: bool,
    output: str,
) -> None:
    """Boot a domain from a rescue image, with all its own disks and interfaces where they always are.

    The image is the last device and booted first. The config document is not touched: whatever ends the rescue, the
    next start is the domain's own. A disk image is written to, a CD is not.
    """
    from holdfast import operations

    rescued = operations.rescue(
        session.connection,
        name,
        _medium(image, image_format, device, bus),
        trust_format=trust_format,
        force=force,
        accept=accept,
        fresh=fresh,
        dry_run=dry_run,
    )
    if output == "json":
        print_result(rescued)
        return
    medium = f"{rescued.label}{f' at {rescued.address}' if rescued.address else ''}"
    off = "be switched off and " if rescued.switched_off else ""
    if dry_run:
        click.echo(f"{rescued.name}: would {off}boot from {medium} (now {rescued.before}); nothing was changed")
        click.echo("besides the usual hardware the rescue system would see:")
        for sentence in rescued.changes:
            click.echo(f"  {sentence}")
    else:
        click.echo(f"{rescued.name}: in rescue, booted from {medium}; 'holdfast unrescue {rescued.name}' leaves it")
    for note in (*rescued.waits, *rescued.notes):
        click.echo(f"note: {note}")


def _medium(image: str, image_format: str | None, device: str, bus: str | None) -> DiskSpec:
    if image_format is None and device == "disk":
        raise RESCUE_FORMAT(image=image)
    return DiskSpec.at(image, format=image_format, device=device, bus=bus)


@click.command()
@domain_argument
@click.option(
    "--start/--no-start", default=None, help="Start it afterwards, or not [default: if it ran before the rescue]."
)
@fresh_options
@dry_run_option
@output_option
@pass_session
def unrescue(session: Session, name: str, start: bool | None, fresh: list[str], dry_run: bool, output: str) -> None:
    """Leave a rescue: switch it off at once, and start the domain itself if it ran before.

    What the rescue system has not written to the disks yet is lost, as when the plug is pulled: shut it down first
    ('holdfast shutdown') where that matters. Exit code 5 when the rescue is off and the domain does not start.
    """
    from holdfast import operations

    change = operations.unrescue(session.connection, name, start=start, fresh=fresh, dry_run=dry_run)
    then = "start the domain itself" if change.after == "running" else "leave the domain off"
    report_power(change, output, would=f"switch the rescue off and {then}", done=f"left the rescue, now {change.after}")
