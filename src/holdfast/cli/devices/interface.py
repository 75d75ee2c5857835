"""``holdfast interface``: attach, detach, set and list interfaces."""

from __future__ import annotations

import click

from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session
from holdfast.cli.completion import complete_devices
from holdfast.cli.devices.device import (
    config_option,
    detach_and_report,
    report_attached,
    report_devices,
    timeout_option,
)
from holdfast.cli.devices.options import INTERFACE_HELP, parse_interface
from holdfast.cli.settings import report_settings


@click.group()
def interface() -> None:
    """Attach, detach, set and list interfaces."""


@interface.command(epilog=f"INTERFACE: {INTERFACE_HELP}")
@domain_argument
@click.argument("spec", metavar="INTERFACE")
@config_option
@dry_run_option
@output_option
@pass_session
def attach(session: Session, name: str, spec: str, config_only: bool, dry_run: bool, output: str) -> None:
    """Attach an interface (network=NAME, bridge=NAME or user), in live and config at one address with one MAC."""
    from holdfast import operations

    attached = operations.attach_interface(
        session.connection, name, parse_interface(spec), config_only=config_only, dry_run=dry_run
    )
    report_attached(attached, output, dry_run)


@interface.command()
@domain_argument
@click.argument("mac", metavar="MAC", shell_complete=complete_devices("interface"))
@config_option
@timeout_option
@dry_run_option
@output_option
@pass_session
def detach(
    session: Session, name: str, mac: str, config_only: bool, timeout: float, dry_run: bool, output: str
) -> None:
    """Detach the interface with this MAC address, alias or PCI address.

    A controller that came with an attach is removed with the last device on it.

    Exit code 5 when the guest does not release it in time: it is then out of config, and repeating the command finishes
    it.
    """
    detach_and_report(session, name, mac, "interface", config_only, timeout, dry_run, output)


@interface.command("set")
@domain_argument
@click.argument("mac", metavar="MAC", shell_complete=complete_devices("interface"))
@click.option("--link", type=click.Choice(["up", "down"]), help="down pulls the cable, up puts it in again.")
@click.option("--network", metavar="NAME", help="Plug the cable into this libvirt network.")
@click.option("--bridge", metavar="NAME", help="Plug the cable into this bridge of the host.")
@config_option
@dry_run_option
@output_option
@pass_session
def set_(
    session: Session,
    name: str,
    mac: str,
    link: str | None,
    network: str | None,
    bridge: str | None,
    config_only: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Set link state and network of the interface with this MAC address, alias or PCI address.

    It keeps its MAC address and its place; for the guest, another network is only another socket for the same cable.
    """
    from holdfast import operations

    settings = operations.InterfaceSettings(link=link, network=network, bridge=bridge)
    change = operations.set_interface(session.connection, name, mac, settings, config_only=config_only, dry_run=dry_run)
    report_settings(change, output, f"{change.name} interface {mac}")


@interface.command("list")
@domain_argument
@output_option
@pass_session
def list_(session: Session, name: str, output: str) -> None:
    """List the interfaces, with what they are on, their addresses and what waits for the next start."""
    from holdfast import operations

    report_devices(
        operations.list_devices(session.connection, name, "interface"),
        output,
        ["label", "model", "source", "address", "waits"],
    )
