"""``holdfast disk``: attach, detach, set and list disks; what is done with their images is in :mod:`.disk_image`."""

from __future__ import annotations

from typing import Any

import click

from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session
from holdfast.cli.completion import complete_devices
from holdfast.cli.devices.copy_progress import progress_bar
from holdfast.cli.devices.device import (
    config_option,
    detach_and_report,
    report_attached,
    report_devices,
    timeout_option,
)
from holdfast.cli.devices.disk_image import IMAGE_COMMANDS
from holdfast.cli.devices.options import DISK_HELP, parse_disk
from holdfast.cli.settings import parse_limit, report_settings


@click.group()
def disk() -> None:
    """Attach, detach, set and list disks; extend them, move them, change their images."""


for command in IMAGE_COMMANDS:
    disk.add_command(command)


@disk.command(epilog=f"DISK: {DISK_HELP}")
@domain_argument
@click.argument("spec", metavar="DISK")
@config_option
@dry_run_option
@output_option
@pass_session
def attach(session: Session, name: str, spec: str, config_only: bool, dry_run: bool, output: str) -> None:
    """Attach a disk (path=/x.qcow2,format=qcow2), in live and config at one address with one serial."""
    from holdfast import operations

    with progress_bar("uploading") as progress:
        attached = operations.attach_disk(
            session.connection, name, parse_disk(spec), config_only=config_only, progress=progress, dry_run=dry_run
        )
    report_attached(attached, output, dry_run)


@disk.command()
@domain_argument
@click.argument("target", metavar="TARGET", shell_complete=complete_devices("disk"))
@config_option
@timeout_option
@dry_run_option
@output_option
@pass_session
def detach(
    session: Session, name: str, target: str, config_only: bool, timeout: float, dry_run: bool, output: str
) -> None:
    """Detach the disk with this target (vdb), alias or PCI address. Its image stays.

    A controller that came with an attach is removed with the last device on it.

    Exit code 5 when the guest does not release it in time: it is then out of config, and repeating the command finishes
    it.
    """
    detach_and_report(session, name, target, "disk", config_only, timeout, dry_run, output)


@disk.command("set")
@domain_argument
@click.argument("target", metavar="TARGET", shell_complete=complete_devices("disk"))
@click.option("--cache", metavar="MODE", help="none, writeback, writethrough, directsync, unsafe or default.")
@click.option("--discard", metavar="MODE", help="unmap frees on the host what the guest discards; or ignore.")
@click.option("--total-bytes-sec", type=parse_limit, metavar="SIZE", help="Most bytes a second, such as 100MiB.")
@click.option("--read-bytes-sec", type=parse_limit, metavar="SIZE", help="Most bytes read a second.")
@click.option("--write-bytes-sec", type=parse_limit, metavar="SIZE", help="Most bytes written a second.")
@click.option(
    "--total-iops-sec", type=int, metavar="N", help="Most operations a second; 0 means no limit, here and above."
)
@click.option("--read-iops-sec", type=int, metavar="N", help="Most reads a second.")
@click.option("--write-iops-sec", type=int, metavar="N", help="Most writes a second.")
@config_option
@dry_run_option
@output_option
@pass_session
def set_(
    session: Session,
    /,
    name: str,
    target: str,
    config_only: bool,
    dry_run: bool,
    output: str,
    **options: Any,  # noqa: ANN401 - the other options, which click has converted for DiskSettings
) -> None:
    """Set cache mode, discard mode and limits of the disk with this target (vdb), alias or PCI address.

    Limits apply at once and after the next start; for a running guest, cache and discard wait for its next start.
    """
    from holdfast import operations

    settings = operations.DiskSettings(**options)
    change = operations.set_disk(session.connection, name, target, settings, config_only=config_only, dry_run=dry_run)
    report_settings(change, output, f"{change.name} disk {target}")


@disk.command("list")
@domain_argument
@output_option
@pass_session
def list_(session: Session, name: str, output: str) -> None:
    """List the disks, with role, image, format, serial, address and what waits for the next start.

    With '-o json' also the rest of the record: what the image was made from, whether it goes with the domain …
    """
    from holdfast import operations

    report_devices(
        operations.list_devices(session.connection, name, "disk"),
        output,
        ["label", "role", "kind", "model", "source", "format", "serial", "address", "waits"],
    )
