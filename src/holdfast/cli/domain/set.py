"""``holdfast set``: change the settings of a domain."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session
from holdfast.cli.devices.device import config_option
from holdfast.cli.devices.options import split
from holdfast.cli.settings import report_settings
from holdfast.cli.size import parse_size

if TYPE_CHECKING:
    from holdfast.operations.vocabulary import Topology


def parse_topology(text: str) -> Topology:
    """Read "sockets=1,cores=4,threads=2"; what is left out is 1. A click option takes it as its ``type``."""
    from holdfast.operations.vocabulary import Topology

    counts = {}
    for key, value in split(text):
        if key not in ("sockets", "dies", "cores", "threads") or not re.fullmatch("[0-9]{1,9}", value or ""):
            raise click.BadParameter(
                f"{text!r} is not a topology: say sockets=1,dies=1,cores=4,threads=2, or some of it"
            )
        counts[key] = int(value or "")
    return Topology(**counts)


def parse_names(text: str) -> tuple[str, ...]:
    """Read "vda,sda". A click option takes it as its ``type``."""
    return tuple(part.strip() for part in text.split(","))


@click.command("set")
@domain_argument
@click.option("--vcpus", type=int, metavar="N", help="vCPUs that are online, up to --max-vcpus.")
@click.option("--max-vcpus", type=int, metavar="N", help="How many vCPUs there can be, from the next start on.")
@click.option(
    "--cpu-topology", type=parse_topology, metavar="TOPOLOGY", help="sockets=1,dies=1,cores=4,threads=2, or some of it."
)
@click.option(
    "--memory", type=parse_size, metavar="SIZE", help="How much memory the balloon leaves to the guest: 2GiB."
)
@click.option(
    "--max-memory", type=parse_size, metavar="SIZE", help="How much memory it is built with, from the next start on."
)
@click.option("--title", metavar="TEXT", help="One line for people; '' removes it.")
@click.option("--description", metavar="TEXT", help="A longer text for people; '' removes it.")
@click.option("--autostart/--no-autostart", default=None, help="Start it with the host, or not.")
@click.option("--boot", type=parse_names, metavar="DEVICES", help="What to boot from, in order: vda,52:54:00:12:34:56.")
@click.option("--cpu-shares", type=int, metavar="N", help="Its weight on a busy host (the usual one is 1024 or 100).")
@click.option("--cpu-quota", type=int, metavar="µS", help="CPU time that each vCPU may use in a period; -1: no limit.")
@click.option("--cpu-period", type=int, metavar="µS", help="How long a period is.")
@click.option(
    "--graphics-password",
    metavar="FILE",
    help="Take the password for VNC or SPICE from FILE; - asks for it, or reads standard input.",
)
@click.option("--no-graphics-password", is_flag=True, help="Let anybody in who can reach the port.")
@config_option
@dry_run_option
@output_option
@pass_session
def set_(
    session: Session,
    /,
    name: str,
    graphics_password: str | None,
    no_graphics_password: bool,
    config_only: bool,
    dry_run: bool,
    output: str,
    **options: Any,  # noqa: ANN401 - the other options, which click has converted for DomainSettings
) -> None:
    """Change settings of a domain: at once where its guest can follow, and for its next start.

    What a running guest cannot have yet waits in config, and the command says so. Nothing else changes.

    \b
    holdfast set web --vcpus 4 --memory 4GiB
    holdfast set web --max-memory 8GiB --memory 8GiB
    holdfast set web --max-vcpus 8 --cpu-topology sockets=1,cores=4,threads=2
    holdfast set web --boot vda,sda --autostart
    """
    from holdfast.operations.settings.domain import set_domain
    from holdfast.operations.settings.values import DomainSettings

    if graphics_password is not None and no_graphics_password:
        raise click.UsageError("--graphics-password and --no-graphics-password exclude each other")
    password = "" if no_graphics_password else _password(graphics_password)
    settings = DomainSettings(graphics_password=password, **options)
    change = set_domain(session.connection, name, settings, config_only=config_only, dry_run=dry_run)
    report_settings(change, output, change.name)


def _password(file: str | None) -> str | None:
    """The password, never from the command line, where other users of the machine would see it."""
    if file is None:
        return None
    if file == "-" and sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    from holdfast.operations.files import read_password

    return read_password(file)
