"""The ``holdfast`` command: global options, the list of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import logging
import sys

import click

from holdfast import __version__
from holdfast.cli.common import Session
from holdfast.errors import HoldfastError

COMMANDS = {
    "disk": "disk",
    "interface": "interface",
    "device": "device",
}
"""Command name → module of ``holdfast.cli`` that holds it under that name. Imported only when it is called."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed: ``holdfast list`` must not pay for lxml or rich."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None when there is none of this name."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        name = cmd_name.replace("-", "_")
        command = getattr(importlib.import_module(f"holdfast.cli.{module}"), name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-c", "--connect", "uri", metavar="URI", help="libvirt connection URI (default: libvirt's own).")
@click.option("-r", "--readonly", is_flag=True, help="Connect read-only.")
@click.option("-v", "--verbose", is_flag=True, help="Say each libvirt call on standard error.")
@click.version_option(__version__, prog_name="holdfast")
@click.pass_context
def holdfast(ctx: click.Context, uri: str | None, readonly: bool, verbose: bool) -> None:
    """Virtual machines whose hardware never changes unless someone asks for it.

    Exit codes: 0 done, 1 failed with nothing changed, 2 usage, 3 difference found or refused, 4 not found,
    5 partly done, 6 no connection.
    """
    if verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s", stream=sys.stderr)
    ctx.obj = ctx.with_resource(Session(uri, readonly))


def main() -> None:
    """Run the command line and exit with the documented code."""
    try:
        holdfast.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as exit_:
        sys.exit(exit_.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except HoldfastError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        sys.exit(error.exit_code)
