"""``holdfast device``: attach, detach and list anything libvirt can attach, from its XML element."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope, print_result
from holdfast.cli.columns import columns
from holdfast.cli.common import (
    Seconds,
    Session,
    domain_argument,
    dry_run_option,
    output_option,
    pass_session,
)
from holdfast.cli.completion import complete_devices

if TYPE_CHECKING:
    from holdfast.operations.devices.attach import Attached
    from holdfast.operations.devices.detach import Detached
    from holdfast.operations.devices.list import Device

config_option = click.option("--config", "config_only", is_flag=True, help="Only for the next start, not now.")
trust_format_option = click.option(
    "--trust-format",
    is_flag=True,
    help="Accept an image as stated, whatever its header says or names.",
)
timeout_option = click.option(
    "--timeout",
    type=Seconds(),
    default=20,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for the guest to release it.",
)


@click.group()
def device() -> None:
    """Attach, detach and list devices of any kind: hostdev, rng, watchdog, channel, memory, input, vsock …"""


@device.command()
@domain_argument
@click.argument("file", metavar="FILE.xml")
@config_option
@trust_format_option
@dry_run_option
@output_option
@pass_session
def attach(
    session: Session, name: str, file: str, config_only: bool, trust_format: bool, dry_run: bool, output: str
) -> None:
    """Attach the device element in FILE.xml ("-": standard input), in live and config at one address.

    Where an attach stopped between config and live, repeating it finishes it, if the element has an alias, a MAC
    address or an image by which it can be recognised.
    """
    from holdfast import operations
    from holdfast.operations.files import read_document

    attached = operations.attach_device(
        session.connection,
        name,
        read_document(file),
        config_only=config_only,
        trust_format=trust_format,
        dry_run=dry_run,
    )
    report_attached(attached, output, dry_run)


@device.command()
@domain_argument
@click.argument("device_name", metavar="DEVICE", shell_complete=complete_devices())
@config_option
@timeout_option
@dry_run_option
@output_option
@pass_session
def detach(
    session: Session, name: str, device_name: str, config_only: bool, timeout: float, dry_run: bool, output: str
) -> None:
    """Detach DEVICE: an alias, a disk's target, a MAC address, a PCI address, or FILE.xml with its element.

    What ends in ".xml" or has a "/" is a file, "-" is standard input. The element may say less or more than libvirt
    does, but must mean one device only.

    A controller that came with an attach is removed with the last device on it.

    Exit code 5 when the guest does not release it in time: it is then out of config, and repeating the command finishes
    it.
    """
    from holdfast.operations.files import is_file, read_document

    wanted = read_document(device_name) if is_file(device_name) else device_name
    detach_and_report(session, name, wanted, None, config_only, timeout, dry_run, output)


@device.command("list")
@domain_argument
@output_option
@pass_session
def list_(session: Session, name: str, output: str) -> None:
    """List all devices, with their addresses and what waits for the next start."""
    from holdfast import operations

    report_devices(
        operations.list_devices(session.connection, name),
        output,
        ["tag", "label", "kind", "model", "address", "waits"],
    )


def report_attached(attached: Attached, output: str, dry_run: bool) -> None:
    """Print what an attach did, or would do."""
    where = " and ".join(map(str, attached.definitions))
    if output == "json":
        print_result(attached)
    elif dry_run:
        click.echo(f"would attach {attached.label} to {where}; nothing was changed\n{attached.device}")
        for controller in attached.brought:
            click.echo(f"with it would come {controller}")
    else:
        place = f" at {attached.address}" if attached.address else ""
        click.echo(f"attached {attached.label}{place}, in {where}")
        for controller in attached.brought:
            click.echo(f"with it came {controller}")
    _note(attached.notes, output)


def detach_and_report(
    session: Session,
    name: str,
    device: str,
    tag: str | None,
    config_only: bool,
    timeout: float,
    dry_run: bool,
    output: str,
) -> None:
    """Detach ``device``, an element ``tag`` where that is given, and print what was done."""
    from holdfast import operations

    detached = operations.detach_device(
        session.connection, name, device, tag=tag, config_only=config_only, timeout=timeout, dry_run=dry_run
    )
    _report_detached(detached, output, dry_run)


def _report_detached(detached: Detached, output: str, dry_run: bool) -> None:
    """Print what a detach did, or would do."""
    where = " and ".join(map(str, detached.definitions))
    if output == "json":
        print_result(detached)
    elif detached.removed is not None:
        would = "would be" if dry_run else "was"
        click.echo(f"the attach of {detached.label} had been interrupted; its image {detached.removed} {would} removed")
    elif dry_run:
        rest = "forget what is recorded about" if not where else "detach"
        click.echo(f"would {rest} {detached.label}{f' from {where}' if where else ''}; nothing was changed")
        for controller in detached.went:
            click.echo(f"with it would go {controller}")
    elif detached.definitions:
        click.echo(f"detached {detached.label} from {where}")
    else:
        click.echo(f"{detached.label} is in neither document; its record is gone now, too")
    for controller in () if dry_run or output == "json" else detached.went:
        click.echo(f"with it went {controller}")
    _note(detached.notes, output)


def _note(notes: tuple[str, ...], output: str) -> None:
    for note in notes if output == "table" else ():
        click.echo(f"note: {note}")


def report_devices(devices: list[Device], output: str, fields: list[str]) -> None:
    """Print a list of devices: all that is known as JSON, the columns ``fields`` as a table."""
    if output == "json":
        print_envelope(devices=devices)
        return
    rows = [[getattr(device, field) for field in fields] for device in devices]
    heads = {"tag": "DEVICE", "label": "NAME", "model": "MODEL", "waits": "WAITS FOR"}
    click.echo(columns([heads.get(field, field.upper()) for field in fields], rows))
