"""Files that a person names, to be read, written or edited: a document, a password, a page."""

from __future__ import annotations

from holdfast.hostfiles.document_file import read_document as read_document
from holdfast.hostfiles.document_file import read_password as read_password
from holdfast.hostfiles.editor import Draft as Draft
from holdfast.hostfiles.new_file import new_file as new_file


def is_file(name: str) -> bool:
    """True where ``name`` means a file and not a domain or a device: "-", or with a "/" in it or ".xml" at its end.

    A domain with such a name is still found by its UUID, or as ``NAME@config``.
    """
    return name == "-" or "/" in name or name.endswith(".xml")
