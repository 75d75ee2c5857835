"""Facts in our element in ``<metadata>`` that cannot be read, because somebody edited them by hand.

No operation fails because of one. What the fact should say is unknown until Holdfast writes it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import (
    AddedController,
    Adopted,
    AnyFact,
    Attaching,
    BeingMoved,
    Creating,
    Deleting,
    Detaching,
    DiskRecord,
    KeptNvram,
    Pivoting,
    Releasing,
    Rescue,
    RunAgain,
    SeenState,
    Snapshotting,
    Started,
)
from holdfast.domainxml.metadata import OURS, PREFIX, tag_of
from holdfast.domainxml.records.disk_record import ROLES
from holdfast.domainxml.versions import Versions, read_version
from holdfast.errors import InvalidDocument

_LONGEST = 40
"""How many characters of a value are shown."""


def garbled_facts(domain: Element) -> Iterator[str]:
    """The facts of the document ``domain`` that cannot be read, and why, in sentences."""
    for entry in domain.iterfind(f"metadata/{OURS}/*"):
        readable = _READABLE_TAGS.get(str(entry.tag), {})
        wrong = [name for name, is_readable in readable.items() if not is_readable(entry.get(name, ""))]
        if wrong:
            said = ", ".join(f"{name}={entry.get(name, '')[:_LONGEST]!r}" for name in wrong)
            yield f"<{PREFIX}:{str(entry.tag).rpartition('}')[2]}> in its metadata cannot be read: {said}"


def recorded_versions(started: Started) -> Versions:
    """The versions that ``started`` has recorded; None for each that it has not."""
    return Versions(read_version(started.qemu), read_version(started.libvirt))


def recorded_cpu(started: Started) -> Element | None:
    """The ``<cpu>`` that the guest was given at its last start; None where none is recorded, or none can be read."""
    try:
        return parse(started.cpu, "cpu") if started.cpu else None
    except InvalidDocument:
        return None


def _is_not_empty(text: str) -> bool:
    return bool(text)


def _is_time(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_cpu(text: str) -> bool:
    return not text or recorded_cpu(Started(text, "")) is not None


def _is_version(text: str) -> bool:
    return not text or read_version(text) is not None


def _is_os(text: str) -> bool:
    try:
        return parse(text, "os") is not None
    except InvalidDocument:
        return False


def _form(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.fullmatch(pattern, text) is not None


_READABLE: dict[type[AnyFact], dict[str, Callable[[str], bool]]] = {
    Releasing: {"device": _form("[a-z]+"), "alias": _is_not_empty},
    AddedController: {"controller": _is_not_empty},
    Detaching: {"device": _form("[a-z]+"), "label": _is_not_empty},
    Attaching: {"device": _form("[a-z]+"), "alias": _is_not_empty},
    Started: {
        "cpu": _is_cpu,
        "firmware": _form("([0-9a-f]{64})?"),
        "qemu": _is_version,
        "libvirt": _is_version,
    },
    SeenState: {"kind": _form("(nvram|tpm)"), "path": _is_not_empty},
    Adopted: {"since": _is_time, "origin": _is_not_empty},
    Creating: {"since": _is_time},
    Deleting: {"since": _is_time},
    DiskRecord: {
        "target": _is_not_empty,
        "role": _form(f"({'|'.join(ROLES)})?"),
        "delete": _form("(yes|no)?"),
        "size": _form("[0-9]{0,20}"),
    },
    RunAgain: {"since": _is_time, "starting": _form("(yes)?")},
    Rescue: {"since": _is_time, "before": _is_not_empty, "brought": _is_not_empty},
    Snapshotting: {"snapshot": _is_not_empty},
    Pivoting: {"target": _is_not_empty, "old": _is_not_empty, "new": _is_not_empty},
    BeingMoved: {"since": _is_time, "host": _is_not_empty, "uuid": _is_not_empty, "state": _form("((nvram|tpm),?)*")},
    KeptNvram: {"upgrade": _form("(firmware|certificates)"), "since": _is_time, "os": _is_os},
}
"""Fact → field → whether a text can stand there."""

_READABLE_TAGS = {tag_of(kind): readable for kind, readable in _READABLE.items()}
"""The same by the tag of the element, so that the metadata is gone through once."""
