"""A domain in one line of a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.text import printable

if TYPE_CHECKING:
    from holdfast.operations.vocabulary import NovaInstance


def heading(name: str, uuid: str, instance: NovaInstance | None) -> str:
    """The domain ``name``; with the instance's name and id where OpenStack Nova made it."""
    return printable(name) if instance is None else f"{printable(name)} [{instance.shown_name}, {uuid}]"
