"""The ``holdfast`` command: global options, the list of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from holdfast import __version__
from holdfast.cli.common import Seconds, Session, log_to_stderr
from holdfast.cli.hints import hint
from holdfast.cli.streams import OutputLostError, standard_output
from holdfast.errors import HoldfastError
from holdfast.errors.programs import DEFECT, OUTPUT_LOST, OUTPUT_LOST_AFTERWARDS

COMMANDS = {
    "Domains": {
        "create": "domain.create",
        "list": "look.list",
        "show": "look.show",
        "set": "domain.set",
        "edit": "domain.edit",
        "diff": "look.diff",
        "verify": "look.verify",
        "audit": "audit.command",
        "watch": "look.watch",
        "xml": "look.document",
        "rename": "domain.rename",
        "clone": "domain.clone",
        "delete": "domain.delete",
    },
    "Power": {
        "start": "power.power",
        "shutdown": "power.power",
        "reboot": "power.power",
        "reset": "power.power",
        "destroy": "power.power",
        "suspend": "power.power",
        "resume": "power.power",
        "rescue": "power.rescue",
        "unrescue": "power.rescue",
        "resume-host": "power.resume_host",
        "repair": "power.repair",
        "console": "look.console",
    },
    "Hardware": {
        "disk": "devices.disk",
        "interface": "devices.interface",
        "device": "devices.device",
    },
    "State": {
        "save": "power.save",
        "restore": "power.save",
        "discard-save": "power.save",
        "snapshot": "power.snapshot",
    },
    "History": {
        "log": "past.log",
        "rollback": "past.rollback",
        "history": "past.history",
    },
    "Hosts": {
        "export": "hosts.archive",
        "import": "hosts.archive",
        "evacuate": "hosts.evacuate",
        "migrate": "hosts.migrate",
    },
    "Foresight": {
        "plan": "hosts.plan_hosts",
        "upgrade": "domain.upgrade",
        "seal": "domain.seal",
        "unseal": "domain.seal",
        "adopt": "domain.adopt",
        "release": "domain.adopt",
    },
    "Lab": {
        "demo": "demo",
    },
}
"""Section of the help → command → module of ``holdfast.cli`` that holds it. Imported only when it is called.

The command object has the command's name, a "_" for each "-", and one behind it where that is a word of Python's
(``list_``).
"""

_MODULES = {command: module for section in COMMANDS.values() for command, module in section.items()}


INTERRUPTED = 130
"""The exit code after Ctrl-C, as shells have it."""

NO_READER = 141
"""The exit code when the reader has gone (``| head``), as shells have it after SIGPIPE."""


class HoldfastGroup(click.Group):
    """Imports a command when it is called (``holdfast list`` must not pay for lxml or rich) and reports every error."""

    verbose = False
    words: Sequence[str] = ()
    called = ""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, in the order of COMMANDS."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command; None when there is none of this name."""
        if cmd_name not in _MODULES:
            return None
        module = importlib.import_module(f"holdfast.cli.{_MODULES[cmd_name]}")
        name = cmd_name.replace("-", "_")
        command = getattr(module, f"{name}_", None) or getattr(module, name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Print the commands by section."""
        for section, names in COMMANDS.items():
            commands = [(name, command) for name in names if (command := self.get_command(ctx, name))]
            with formatter.section(section):
                formatter.write_dl([(name, command.get_short_help_str(120)) for name, command in commands])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is called, whose name is kept: the next step after an error may be another one."""
        found = super().resolve_command(ctx, args)
        self.called = found[0] or ""
        return found

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - whatever click's own takes
        """Run the command line and exit with the documented code; 130 after Ctrl-C, 141 when the reader has gone."""
        self.verbose = False
        self.called = ""
        self.words = list((args[0] if args else extra.get("args")) or sys.argv[1:])
        try:
            code = super().main(*args, **{**extra, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except HoldfastError as error:
            if self.verbose and error.cause is not None and error.cause.code == DEFECT.code:
                _print_traceback()
            code = report(error, self.words, self.called)
        except (click.Abort, KeyboardInterrupt) as error:
            notes = getattr(error.__cause__ or error, "__notes__", ())  # click raises its Abort from the interrupt
            for sentence in ("interrupted", *notes, "'holdfast show NAME' shows the domain as it is now"):
                click.echo(sentence, err=True)
            code = INTERRUPTED
        except OutputLostError:
            code = 0
        except Exception as error:  # noqa: BLE001 - a defect of ours: said in one sentence, in full with -v
            if self.verbose:
                _print_traceback()
            code = report(DEFECT(kind=type(error).__name__, error=error))
        sys.exit(_code_of_output(code if isinstance(code, int) else 0))


def _print_traceback() -> None:
    import traceback

    traceback.print_exc()


def report(error: HoldfastError, words: Sequence[str] = (), command: str = "") -> int:
    """Say an error of ``command``, in the line ``words``, and its hint on standard error; returns its exit code."""
    click.echo(f"error: {error.message}", err=True)
    hints = [hint(error, command), *getattr(error, "__notes__", ())]
    if error.code == "no-history-for":
        from holdfast.cli.own_host import asked_there

        hints = [asked_there(str(error.fields["uri"]), words)]
    if any(hints):
        click.echo(f"hint: {'; '.join(filter(None, hints))}", err=True)
    return error.exit_code


def _code_of_output(code: int) -> int:
    """The exit code of the process: that of the command, unless it succeeded and its output is lost."""
    output = standard_output()
    if output is None or output.failure is None or code:
        return code
    if isinstance(output.failure, BrokenPipeError):
        return NO_READER
    condition = OUTPUT_LOST_AFTERWARDS if output.after_change else OUTPUT_LOST
    return report(condition(reason=output.failure.strerror))


@click.group(cls=HoldfastGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("-c", "--connect", "uri", metavar="URI", help="libvirt connection URI (default: libvirt's own).")
@click.option("-r", "--readonly", is_flag=True, help="Connect read-only.")
@click.option(
    "--lock-timeout",
    type=Seconds(),
    default=60,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for another command on the same domain; 0 does not wait.",
)
@click.option("-v", "--verbose", is_flag=True, help="Print each libvirt call on standard error.")
@click.version_option(__version__, prog_name="holdfast")
@click.pass_context
def holdfast(ctx: click.Context, uri: str | None, readonly: bool, lock_timeout: float, verbose: bool) -> None:
    """Virtual machines whose hardware never changes unless someone asks for it.

    Exit codes: 0 done, 1 failed with nothing changed, 2 usage, 3 difference found or refused, 4 not found,
    5 partly done, 6 no connection.
    """
    if verbose:
        log_to_stderr()
        holdfast.verbose = True
    ctx.obj = ctx.with_resource(Session(uri, readonly, lock_timeout, holdfast.words))
