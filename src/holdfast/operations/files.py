"""Files that a person or a program names, to be read, written or edited: a document, a password, a page."""

from __future__ import annotations

from holdfast.hostfiles.document_file import read_document, read_password, read_secret
from holdfast.hostfiles.editor import Draft, text_of_left
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.hostfiles.new_file import new_file, remove_file, write_private
from holdfast.hostfiles.permission import make_private

__all__ = [
    "Draft",
    "file_exists",
    "is_file",
    "make_private",
    "new_file",
    "read_document",
    "read_password",
    "read_secret",
    "remove_file",
    "text_of_left",
    "write_private",
]


def is_file(name: str) -> bool:
    """True where ``name`` means a file and not a domain or a device: "-", or with a "/" in it or ".xml" at its end.

    A domain with such a name is still found by its UUID, or as ``NAME@config``.
    """
    return name == "-" or "/" in name or name.endswith(".xml")
