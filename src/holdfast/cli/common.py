"""What the commands share: the session with its connection, and the options that many have."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from holdfast.cli.completion import complete_domains

if TYPE_CHECKING:
    from holdfast.operations.connect import Connection


class Session:
    """One run of the command line: opens the connection when a command first asks for it, closes it at the end."""

    def __init__(self, uri: str | None, readonly: bool, lock_timeout: float, words: Sequence[str] = ()) -> None:
        self.uri = uri
        self.readonly = readonly
        self.lock_timeout = lock_timeout
        self._words = words
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The connection of this run. Raises NoConnection."""
        if self._connection is None:
            from holdfast.operations.connect import connect

            self._connection = connect(self.uri, self.readonly, self.lock_timeout)
            self._connection.command = ("holdfast", *self._words)
        return self._connection

    @property
    def has_connected(self) -> bool:
        """True once a command has asked for the connection: before that it cannot have changed anything."""
        return self._connection is not None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.close()


class Seconds(click.FloatRange):
    """A time to wait: 0 to a week. NaN passes every comparison, so click's own range lets it through."""

    def __init__(self) -> None:
        super().__init__(min=0, max=7 * 24 * 3600)

    def convert(
        self,
        value: Any,  # noqa: ANN401 - a text or the default, as click has it
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> float:
        """The number of seconds; fails with click's own usage error."""
        seconds = float(super().convert(value, param, ctx))
        if seconds != seconds:
            self.fail(f"{value!r} is not a number of seconds.", param, ctx)
        return seconds


class ChangingCommand(click.Command):
    """A command that changes something, though no domain: it has no dry run that would tell so."""


pass_session = click.make_pass_decorator(Session)

domain_argument = click.argument("name", metavar="NAME", shell_complete=complete_domains)
"""The domain a command is about, by name or UUID; completed by the shell."""

output_option = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="How to print the result.",
)
accept_option = click.option(
    "--accept", is_flag=True, help="Accept changes of the guest's hardware that nobody asked for."
)


def fresh_options(command: Callable[..., None]) -> Callable[..., None]:
    """``--fresh-nvram`` and ``--fresh-tpm``; the command gets the kinds of state that were named, as ``fresh``."""

    @click.option("--fresh-nvram", is_flag=True, help="Let a new NVRAM be made where the guest's own is lost.")
    @click.option("--fresh-tpm", is_flag=True, help="Let a new TPM state be made where the guest's own is lost.")
    @functools.wraps(command)
    def wrapper(*args: object, fresh_nvram: bool, fresh_tpm: bool, **kwargs: object) -> None:
        said = {"nvram": fresh_nvram, "tpm": fresh_tpm}
        command(*args, fresh=[kind for kind, is_said in said.items() if is_said], **kwargs)

    return wrapper


dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")


def speaks_utf8() -> bool:
    """True where standard output has all characters."""
    return (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


def local_time(time: str) -> str:
    """A time in ISO 8601, as people here read it."""
    from datetime import datetime

    return datetime.fromisoformat(time).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def log_to_stderr() -> None:
    """Send the log of the libvirt calls to standard error (``-v``)."""
    import logging

    logging.basicConfig(level=logging.DEBUG, format="%(name)s: %(message)s", stream=sys.stderr)
