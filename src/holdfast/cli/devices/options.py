"""``--disk path=/x.qcow2,format=qcow2`` and ``--interface network=default``: how such values are read.

A click option takes :func:`parse_disk` or :func:`parse_interface` as its ``type``.
"""

from __future__ import annotations

import re
from typing import Any

import click

from holdfast.cli.size import parse_size
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec, Place

DISK_HELP = (
    "KEY=VALUE,… (a comma in a value is written twice). An existing image: path=/x.qcow2,format=qcow2 or "
    "volume=POOL/NAME,format=… or source=nbd://HOST:PORT/EXPORT (nbd+unix:, iscsi: and rbd: too); a new one: "
    "size=20GiB, copy-from=/x,source-format=…, or overlay-of=/x,source-format=…, with path=… or volume=POOL/NAME or "
    "pool=… for its place (default: the pool 'default'). Paths are absolute. Also bus=, serial=, target=, cache=, "
    "discard=, device=, readonly, shareable, trust-format (whatever its header says or names). For the record: role=, "
    "id=, delete-with-domain (or delete-with-domain=no: not even with --storage)."
)
INTERFACE_HELP = "network=NAME, bridge=NAME or user; also model= (default virtio) and mac=."

PLACE_HELP = (
    "path=/x.qcow2, pool=NAME or volume=POOL/NAME, where there is nothing yet; also format= (default: as it is)."
)
IMAGE_HELP = (
    "path=/x.qcow2,format=qcow2, volume=POOL/NAME,format=… or source=nbd://HOST:PORT/EXPORT; also trust-format. "
    "For the record: role=, id=, delete-with-domain."
)
MEDIUM_HELP = (
    "path=/x.iso, volume=POOL/NAME or source=nbd://HOST:PORT/EXPORT; also format= (default raw), trust-format."
)

_IMAGE_FLAGS = ("trust-format", "delete-with-domain")
_PLACE_WORDS = ("path", "pool", "volume", "format")
_DISK_WORDS = (
    *_PLACE_WORDS,
    "source",
    "copy-from",
    "overlay-of",
    "source-format",
    "device",
    "bus",
    "target",
    "serial",
    "cache",
    "discard",
    "role",
    "id",
)
_DISK_FLAGS = ("readonly", "shareable", "trust-format", "delete-with-domain")


def split(text: str) -> list[tuple[str, str | None]]:
    """ "a=1,b" → [("a", "1"), ("b", None)]; a doubled comma stands for one. Raises click.BadParameter for a repeat."""
    pairs: list[tuple[str, str | None]] = []
    for part in re.split(r"(?<!,),(?!,)", text):
        key, equals, value = part.replace(",,", ",").partition("=")
        if any(key == other for other, _ in pairs):
            raise click.BadParameter(f"{key!r} is given twice")
        pairs.append((key.strip(), value if equals else None))
    return pairs


def parse_disk(text: str) -> DiskSpec:
    """Read the value of ``--disk``. Raises click.BadParameter, and UsageError for words that make no sense together.

    A value that begins with a slash is a path.
    """
    return DiskSpec(**_disk_fields("a disk", text, (*_DISK_WORDS, "size"), _DISK_FLAGS))


def parse_medium(text: str) -> DiskSpec:
    """Read what goes into a drive; a slash begins a path. Raises click.BadParameter and UsageError."""
    return DiskSpec(device="cdrom", **_disk_fields("a medium", text, (*_PLACE_WORDS, "source"), ("trust-format",)))


def parse_image(text: str) -> DiskSpec:
    """Read which image a disk is to have; a slash begins a path. Raises click.BadParameter and UsageError."""
    return DiskSpec(**_disk_fields("an image", text, (*_PLACE_WORDS, "source", "role", "id"), _IMAGE_FLAGS))


def parse_place(text: str) -> Place:
    """Read where a disk is to go; a slash begins a path. Raises click.BadParameter and UsageError."""
    return Place(**_disk_fields("the place of an image", text, _PLACE_WORDS, ()))


def _disk_fields(what: str, text: str, words: tuple[str, ...], flags: tuple[str, ...]) -> dict[str, Any]:
    pairs = split(text)
    if pairs[0][0].startswith("/") and pairs[0][1] is None:
        pairs[0] = ("path", pairs[0][0])
    fields: dict[str, Any] = {}  # each as its field of DiskSpec has it
    for key, value in pairs:
        if key in flags and value is None:
            fields[key.replace("-", "_")] = True
        elif key == "delete-with-domain" and key in flags and value is not None:
            if value not in ("yes", "no"):
                raise click.BadParameter(f"delete-with-domain is yes or no, not {value!r}")
            fields["delete_with_domain"] = value == "yes"
        elif key in words and value:
            fields[key.replace("-", "_")] = parse_size(value) if key == "size" else value
        else:
            raise _unknown(what, key, value, words, flags)
    if "/" in fields.get("volume", "") and "pool" not in fields:
        fields["pool"], _, fields["volume"] = fields["volume"].partition("/")
    return fields


def parse_interface(text: str) -> InterfaceSpec:
    """Read the value of ``--interface``. Raises click.BadParameter."""
    fields: dict[str, str] = {}
    for key, value in split(text):
        if key in ("network", "bridge", "user") and "kind" in fields:
            raise click.BadParameter(f"an interface is on {fields['kind']} or on {key}, not on both")
        if key == "user" and value is None:
            fields["kind"] = key
        elif key in ("network", "bridge") and value:
            fields["kind"], fields["source"] = key, value
        elif key in ("model", "mac") and value:
            fields[key] = value
        else:
            raise _unknown("an interface", key, value, ("network", "bridge", "model", "mac"), ("user",))
    if "kind" not in fields:
        raise click.BadParameter(f"{text!r} does not say what the interface is on: network=NAME, bridge=NAME or user")
    return InterfaceSpec(**fields)


def _unknown(
    what: str, key: str, value: str | None, words: tuple[str, ...], flags: tuple[str, ...]
) -> click.BadParameter:
    if key in words and not value:
        return click.BadParameter(f"{key} needs a value: {key}=…")
    if key in flags and value is not None:
        return click.BadParameter(f"{key} takes no value")
    known = ", ".join(sorted((*words, *flags)))
    return click.BadParameter(f"{key!r} is not an option of {what}; these are: {known}")
