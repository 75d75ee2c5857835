"""The files below an image, as its header names them, and its removal. For deciding what may go, never what to open."""

from __future__ import annotations

from pathlib import Path

from holdfast.errors import NotFound, images
from holdfast.hostfiles.image import file_name, named_by, real_path


def files_below(path: str, *, elsewhere: bool = False) -> list[str]:
    """The files that the image ``path`` rests on, nearest first; empty when there is no such image.

    Read from their headers; a name that is no file of this host (``nbd://…``) ends the chain, and is in it with
    ``elsewhere`` only. Raises UNREADABLE_IMAGE,
    NOT_AN_IMAGE, HEADER_CUT_OFF, HEADER_DAMAGED for an image of the chain.
    """
    chain: list[str] = []
    waiting = [path]
    while waiting:
        for name, is_file in _named_by(waiting.pop()):
            if name not in chain and (is_file or elsewhere):
                chain.append(name)
                waiting += [name] * is_file
    return chain


def _named_by(path: str) -> list[tuple[str, bool]]:
    """What the image ``path`` names, and whether that is a file."""
    try:
        named = [(file_name(each), each.file) for each in named_by(path)]
    except NotFound:
        return []
    folder = Path(real_path(path)).parent
    return [(str(folder / file), True) if file else (words, False) for file, words in named]


def remove_image_file(path: str) -> None:
    """Remove the file ``path`` (unlink(2)). Raises NO_IMAGE, CANNOT_REMOVE."""
    try:
        Path(path).unlink()
    except FileNotFoundError as error:
        raise images.NO_IMAGE(path=path) from error
    except OSError as error:
        raise images.CANNOT_REMOVE(path=path, reason=error.strerror) from error
