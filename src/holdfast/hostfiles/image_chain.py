"""The files below an image, as its header names them, and its removal. For deciding what may go, never what to open."""

from __future__ import annotations

from pathlib import Path

from holdfast.errors import NotFound, images
from holdfast.hostfiles.image import file_name, named_by, real_path


def files_below(path: str) -> list[str]:
    """The files that the image ``path`` rests on, nearest first; empty when there is no such image.

    Read from their headers; a name that is no file of this host (``nbd://…``) ends the chain. Raises UNREADABLE_IMAGE,
    NOT_AN_IMAGE, HEADER_CUT_OFF, HEADER_DAMAGED for an image of the chain.
    """
    chain: list[str] = []
    waiting = [path]
    while waiting:
        for name in _named_by(waiting.pop()):
            if name not in chain:
                chain.append(name)
                waiting.append(name)
    return chain


def _named_by(path: str) -> list[str]:
    try:
        names = [file_name(named.file) for named in named_by(path)]
    except NotFound:
        return []
    return [str(Path(real_path(path)).parent / name) for name in names if name]


def remove_image_file(path: str) -> None:
    """Remove the file ``path`` (unlink(2)). Raises NO_IMAGE, CANNOT_REMOVE."""
    try:
        Path(path).unlink()
    except FileNotFoundError as error:
        raise images.NO_IMAGE(path=path) from error
    except OSError as error:
        raise images.CANNOT_REMOVE(path=path, reason=error.strerror) from error
