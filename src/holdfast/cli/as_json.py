"""The JSON of all commands: one envelope, and one form for each kind of value that operations return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING

import click

from holdfast.cli.common import speaks_utf8
from holdfast.cli.hints import hint
from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from holdfast.json_value import Json

VERSION = 1
"""The version of this JSON: raised when a field is removed or changes its meaning, not when one is added."""


def print_result(result: DataclassInstance, **more: object) -> None:
    """Print what an operation returned, and what else the command says of it."""
    print_envelope(**fields_of(result), **more)


def print_envelope(**values: object) -> None:
    """Print one JSON object: ``format`` names the command, ``version`` and ``dry_run`` follow, then ``values``."""
    import json

    click.echo(_printable(json.dumps(as_json(_envelope(values)), indent=2, ensure_ascii=not speaks_utf8())))


def print_line(result: DataclassInstance) -> None:
    """As :func:`print_result`, in one line: for a command that prints many, as they come."""
    click.echo(_in_one_line(_envelope(fields_of(result))))


def print_stream(name: str, items: Iterable[Mapping[str, object]], **values: object) -> None:
    """As :func:`print_envelope`, with the list ``name`` at its end, whose items are printed as they come."""
    head = _in_one_line(_envelope(values)).removesuffix("}")
    click.echo(f'{head}, "{name}": [', nl=False)
    between = "\n"
    for item in items:
        click.echo(between + _in_one_line(item), nl=False)
        between = ",\n"
    click.echo("\n]}")


def _envelope(values: Mapping[str, object]) -> dict[str, object]:
    head = {"format": click.get_current_context().command_path.replace(" ", "."), "version": VERSION}
    if taken := head.keys() & values.keys():
        raise TypeError(f"the envelope's own: {', '.join(sorted(taken))}")
    return {**head, "dry_run": False, **values}


def _in_one_line(value: object) -> str:
    import json

    return _printable(json.dumps(as_json(value), ensure_ascii=not speaks_utf8()))


def _printable(text: str) -> str:
    """JSON as ``text``, in which a terminal obeys nothing: characters that are not printable stand there in JSON's way.

    There are none outside of its strings but line ends.
    """
    if text.replace("\n", " ").isprintable():
        return text
    return "".join(each if each.isprintable() or each == "\n" else _in_json(each) for each in text)


def _in_json(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def as_json(value: object) -> Json:
    """``value`` as JSON: a dataclass by its fields, an enum by its value, a change or an outlook as it says itself."""
    if hasattr(value, "to_json"):
        return as_json(value.to_json())
    if isinstance(value, HoldfastError):
        return {"code": value.code, "message": value.message, "hint": hint(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(fields_of(value))
    if isinstance(value, Mapping):
        return {str(as_json(key)): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(each) for each in value]
    if isinstance(value, Enum):
        return as_json(value.value)
    if hasattr(value, "__fspath__"):  # a Path, whose module 'holdfast list' does without
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"no JSON for {type(value).__name__}")


def fields_of(value: DataclassInstance) -> dict[str, object]:
    """The fields of a dataclass, by name."""
    return {each.name: getattr(value, each.name) for each in fields(value)}
