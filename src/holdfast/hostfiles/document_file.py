"""Reading an XML document that the user names: a file, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from holdfast.errors import Failed, InvalidDocument, NotFound

MAX_BYTES = 16 * 1024 * 1024


def read_document(path: str) -> str:
    """The text in the file ``path``, "-" for standard input; at most 16 MiB are read.

    Raises NotFound, Failed when it cannot be read, and InvalidDocument when it is no text or too large.
    """
    try:
        if path == "-":
            data = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                data = file.read(MAX_BYTES + 1)
        text = data.decode()
    except FileNotFoundError as error:
        raise NotFound(f"there is no file {path}") from error
    except OSError as error:
        raise Failed(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidDocument(f"{path} is not an XML document: it is not UTF-8 text") from error
    if len(data) > MAX_BYTES:
        raise InvalidDocument(f"{path} is larger than {MAX_BYTES // 1024 // 1024} MiB")
    return text
