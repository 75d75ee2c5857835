"""What the commands share that bring a document of the past back."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable

import click


def secret_option(command: Callable[..., None]) -> Callable[..., None]:
    """``--secret PLACE=FILE``; the command gets what is read, by its place, as ``secrets``."""

    @click.option(
        "--secret",
        "given",
        metavar="PLACE=FILE",
        multiple=True,
        help="Take the secret at PLACE, as 'show NAME@REV' says it, from FILE; - asks for it, or reads standard input.",
    )
    @functools.wraps(command)
    def wrapper(*args: object, given: tuple[str, ...], **kwargs: object) -> None:
        command(*args, secrets=dict(map(_read, given)), **kwargs)

    return wrapper


def _read(given: str) -> tuple[str, str]:
    """The place and its secret, which never comes from the command line: other users of the machine would see it."""
    from holdfast.operations.files import read_password, read_secret

    place, equals, file = given.partition("=")
    if not equals or not file:
        raise click.UsageError(f"--secret {given!r}: say PLACE=FILE")
    if file == "-" and sys.stdin.isatty():
        return place, str(click.prompt(f"Secret at {place}", hide_input=True, confirmation_prompt=True, err=True))
    return place, read_password(file) if "@" in place else read_secret(file)
