"""Defects that are planted to prove that the matrix finds such."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from holdfast.hostfiles.images.for_qemu_img import QemuImgImage


def _record_after_the_deed() -> None:
    """The record of an image in making is written when it is made."""
    from holdfast.operations.disks import keep_record

    nothing = lambda *_args, **_options: None  # noqa: E731
    mock.patch.object(keep_record, "record_disk", nothing).start()


def _leftover() -> None:
    """A file is made for a moment, under a name that is recorded nowhere."""
    from holdfast.hostfiles.images import new_image

    create_image = new_image.create_image

    def create(image: QemuImgImage, size: int) -> None:
        draft = Path(tempfile.gettempdir(), "draft")
        draft.touch()
        create_image(image, size)
        draft.unlink()

    mock.patch.object(new_image, "create_image", create).start()


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
