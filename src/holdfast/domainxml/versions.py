"""Versions of the programs that give a guest its hardware, as numbers and as they are written."""

from __future__ import annotations

from typing import NamedTuple

Version = tuple[int, ...]


class Versions(NamedTuple):
    """The programs that gave a guest its hardware, or would; None where nobody knows the version."""

    qemu: Version | None = None
    libvirt: Version | None = None


NOT_KNOWN = Versions()


def read_version(text: str) -> Version | None:
    """A version as :func:`dotted` writes it; None for other text, and for none."""
    parts = text.split(".")
    is_version = all(part.isascii() and part.isdigit() and len(part) < 6 for part in parts)
    return tuple(map(int, parts)) if is_version else None


def dotted(version: Version | None) -> str:
    """A version as it is written; "" for none."""
    return ".".join(map(str, version or ()))
