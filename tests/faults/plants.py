"""Defects that are planted to prove that the matrix finds such."""

from __future__ import annotations

from collections.abc import Callable
from unittest import mock


def _record_after_the_deed() -> None:
    """The record of an image in making is written when it is made."""
    from holdfast.operations.disks import keep_record

    nothing = lambda *_args, **_options: None  # noqa: E731
    mock.patch.object(keep_record, "record_disk", nothing).start()


def _leftover() -> None:
    """What could not be made whole is not removed."""
    from holdfast.hostfiles import new_image

    mock.patch.object(new_image, "remove", lambda *_args: None).start()


def _false_exit_code() -> None:
    """What is done in part is said to have changed nothing."""
    from holdfast.errors import Failed, PartlyDone

    mock.patch.object(PartlyDone, "exit_code", Failed.exit_code).start()


PLANTS: dict[str, Callable[[], None]] = {
    "record after the deed": _record_after_the_deed,
    "leftover": _leftover,
    "false exit code": _false_exit_code,
}


def put(name: str) -> None:
    """Plant a defect in this process, for good."""
    PLANTS[name]()
