"""Reading what the user names: an XML document or a password, in a file or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from holdfast.errors import files

MAX_BYTES = 16 * 1024 * 1024


def read_document(path: str) -> str:
    """The text in the file ``path``, "-" for standard input; at most 16 MiB are read.

    Raises NO_FILE, UNREADABLE, NOT_TEXT, FILE_TOO_LARGE.
    """
    return _read(path, "an XML document", MAX_BYTES)


def read_password(path: str) -> str:
    """The first line of the file ``path``, "-" for standard input. Raises what :func:`read_document` does.

    NO_PASSWORD for an empty one, too: it would look like a password and be none.
    """
    password = _read(path, "a password", 4096).partition("\n")[0].rstrip("\r")
    if not password:
        raise files.NO_PASSWORD(path=path)
    return password


def read_secret(path: str) -> str:
    """The text in the file ``path``, "-" for standard input, without the end of its last line.

    Raises what :func:`read_password` does.
    """
    secret = _read(path, "a secret", MAX_BYTES).removesuffix("\n").removesuffix("\r")
    if not secret:
        raise files.NO_PASSWORD(path=path)
    return secret


def _read(path: str, what: str, most: int) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(most + 1)
        text = data.decode()
    except FileNotFoundError as error:
        raise files.NO_FILE(path=path) from error
    except OSError as error:
        raise files.UNREADABLE(path=path, reason=error.strerror) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise files.NOT_TEXT(path=path, what=what, line=line) from error
    except ValueError as error:  # a path with a NUL
        raise files.UNREADABLE(path=path, reason=error) from error
    if len(data) > most:
        raise files.FILE_TOO_LARGE(path=path, most=most // 1024)
    return text
