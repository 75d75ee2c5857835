"""Reading what the user names: an XML document or a password, in a file or on standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from holdfast.errors import Failed, InvalidDocument, NotFound, UsageError

MAX_BYTES = 16 * 1024 * 1024


def read_document(path: str) -> str:
    """The text in the file ``path``, "-" for standard input; at most 16 MiB are read.

    Raises NotFound, Failed when it cannot be read, and InvalidDocument when it is no text or too large.
    """
    return _read(path, "an XML document", MAX_BYTES)


def read_password(path: str) -> str:
    """The first line of the file ``path``, "-" for standard input. Raises as :func:`read_document` does.

    An empty one is refused (UsageError): it would look like a password and be none.
    """
    password = _read(path, "a password", 4096).partition("\n")[0].rstrip("\r")
    if not password:
        raise UsageError(f"there is no password in {path}")
    return password


def _read(path: str, what: str, most: int) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(most + 1)
        text = data.decode()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InvalidDocument(f"{path} is not {what}: line {line} is not UTF-8 text", line=line) from error
    if len(data) > most:
        raise InvalidDocument(f"{path} is larger than {most // 1024} KiB")
    return text
