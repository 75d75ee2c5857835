"""JSON as values: what is printed as JSON, and what others say in it. Imports nothing at run time but annotations.

The readers raise TypeError where a value is not what it should be; who reads says what that means.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""Whatever a JSON text can say. What is read of it is narrowed at once."""


def as_object(value: Json) -> Mapping[str, Json]:
    """``value``, which is to be an object."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{type(value).__name__} in place of an object")
    return value


def as_list(value: Json) -> Sequence[Json]:
    """``value``, which is to be a list."""
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} in place of a list")
    return value


def as_text(value: Json) -> str:
    """``value``, which is to be a text."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} in place of a text")
    return value
