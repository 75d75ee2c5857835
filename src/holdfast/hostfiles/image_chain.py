"""The files below an image, as its header names them, and its removal. For deciding what may go, never what to open."""

from __future__ import annotations

import re
from pathlib import Path

from holdfast.errors import NotFound, images
from holdfast.hostfiles.image import detect_format, qcow2_references, read_header, real_path

_JSON_FILE = re.compile(r'"(?:file\.)?filename"\s*:\s*"([^"]+)"')


def files_below(path: str) -> list[str]:
    """The files that the image ``path`` rests on, nearest first; empty when there is no such image.

    Read from qcow2 headers; a name that is no file of this host (``nbd://…``) ends the chain. Raises UNREADABLE_IMAGE,
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
        header = read_header(path)
    except NotFound:
        return []
    if detect_format(header) not in ("qcow", "qcow2"):
        return []
    references = qcow2_references(path, header)
    names = [_file_name(name) for name in (references.backing_file, references.data_file) if name]
    return [str(Path(real_path(path)).parent / name) for name in names if name]


def _file_name(name: str) -> str | None:
    """The path in QEMU's notation for an image; None for one that is reached by a protocol ("nbd:…", "rbd:…")."""
    if name.startswith("json:"):
        found = _JSON_FILE.search(name)
        return found.group(1) if found else None
    name = name.removeprefix("file:")
    return None if ":" in name.split("/", 1)[0] else name


def remove_image_file(path: str) -> None:
    """Remove the file ``path`` (unlink(2)). Raises NO_IMAGE, CANNOT_REMOVE."""
    try:
        Path(path).unlink()
    except FileNotFoundError as error:
        raise images.NO_IMAGE(path=path) from error
    except OSError as error:
        raise images.CANNOT_REMOVE(path=path, reason=error.strerror) from error
