"""Sizes with units on the command line: ``2GiB`` becomes bytes."""

from __future__ import annotations

import re

import click

_UNITS = {"b": 0, "kib": 10, "mib": 20, "gib": 30, "tib": 40, "k": 10, "m": 20, "g": 30, "t": 40}
_SIZE = re.compile(r"^\s*([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([A-Za-z]+)\s*$")
MAX_BYTES = 1 << 60
"""Nothing in libvirt or QEMU goes beyond an exbibyte; a typing error does."""


def parse_size(text: str) -> int:
    """Read "512MiB", "1.5GiB", "20G" (binary, as qemu-img means it) as bytes. Raises click.BadParameter.

    A click option takes it as its ``type``.
    """
    match = _SIZE.match(text)
    shift = _UNITS.get(match[2].lower()) if match else None
    if match is None or shift is None:
        raise click.BadParameter(f"{text!r} is not a size: give a number with KiB, MiB, GiB or TiB, such as 2GiB")
    size = int(float(match[1]) * (1 << shift)) if "." in match[1] else int(match[1]) << shift
    if not 0 < size <= MAX_BYTES:
        raise click.BadParameter(f"{text!r} is not a possible size")
    return size
