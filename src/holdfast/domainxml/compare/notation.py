"""Values that can be written in more than one way: numbers, MAC addresses and WWNs, UUIDs."""

from __future__ import annotations

import re

_NOTATIONS = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2})+|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|[0-9]+")
"""MAC addresses and WWNs, UUIDs, numbers: values that can be written in more than one way."""

_IS_READ = re.compile(r"@|(uuid|genid)\]?$")
"""Where libvirt itself reads the value: in attributes and UUIDs. Any other text the guest reads, letter by letter."""


def same_value(path: str, one: str | None, other: str | None) -> bool:
    """True when two values at ``path`` mean the same, whatever their notation."""
    if one == other or one is None or other is None:
        return one == other
    return in_one_notation(path, one) == in_one_notation(path, other)


def in_one_notation(path: str, value: str) -> str | int:
    """``value``, which stands at ``path``: equal for two values that mean the same."""
    if not _IS_READ.search(path) or not _NOTATIONS.fullmatch(value.lower()):
        return value
    number = _number(value.lower())
    return value.lower() if number is None else number


def _number(text: str) -> int | None:
    """``text`` as a number; None for one that is too long, or has leading zeros as a serial may, and for other text."""
    if text.startswith("0x"):
        return int(text, 16)
    return int(text) if text.isdigit() and (text == "0" or text[0] != "0") and len(text) <= 20 else None
