"""What operations return, as JSON: one envelope for all commands, and one form for each kind of value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import click

from holdfast.cli.hints import hint
from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    from holdfast.operations.results import Result

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

VERSION = 1
"""Of the JSON of all commands; raised when a field goes or changes its meaning, not when one is added."""


def print_result(result: Result) -> None:
    """Print what an operation returned."""
    print_envelope(**_fields(result))


def print_envelope(**values: object) -> None:
    """Print one JSON object: ``format`` names the command, ``version`` and ``dry_run`` follow, then ``values``."""
    import json

    name = click.get_current_context().command_path.replace(" ", ".")
    envelope = {"format": name, "version": VERSION, "dry_run": False, **values}
    click.echo(json.dumps(as_json(envelope), indent=2, ensure_ascii=False))


def as_json(value: object) -> Json:
    """``value`` as JSON: a dataclass by its fields, an enum by its value, a change or an outlook as it says itself."""
    if hasattr(value, "to_json"):
        return as_json(value.to_json())
    if isinstance(value, HoldfastError):
        return {"code": value.code, "message": value.message, "hint": hint(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(_fields(value))
    if isinstance(value, Mapping):
        return {str(as_json(key)): as_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_json(each) for each in value]
    if isinstance(value, Enum):
        return as_json(value.value)
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise TypeError(f"no JSON for {type(value).__name__}")


def _fields(value: object) -> dict[str, object]:
    return {each.name: getattr(value, each.name) for each in fields(value)}  # type: ignore[arg-type]
