"""What a guest would see differ between two documents, each a domain's or a file's."""

from __future__ import annotations

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse
from holdfast.errors import InvalidDocument, NotFound
from holdfast.errors import look as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.files import is_file, read_document
from holdfast.operations.session import Need, looking

_NEEDS = {Definition.LIVE: Need.RUNNING, Definition.CONFIG: Need.CONFIG}


def diff(connection: Connection | None, before: str, after: str) -> list[Change]:
    """The changes that lead from ``before`` to ``after``; cosmetic ones, which no guest sees, are among them.

    Each side is a domain ("NAME@live"; "NAME@config", what the next start uses; "NAME", its live document while it
    runs and config otherwise) or an XML file (:func:`holdfast.operations.files.is_file`; "-" for standard input). Where
    a domain is itself named "x@live", that is what it means; "UUID@live" is the document of the other. ``connection``
    may be None when both are files. Raises NO_DOMAIN, NOT_RUNNING or TRANSIENT for a document that a domain does not
    have, INPUT_TWICE, NO_CONNECTION_GIVEN, INVALID_FILE, and what :func:`holdfast.operations.files.read_document` does.
    """
    if before == after == "-":
        raise errors.INPUT_TWICE()
    return compare_documents(_read(connection, before), _read(connection, after))


def _read(connection: Connection | None, name: str) -> Element:
    if is_file(name):
        text = read_document(name)
        try:
            return parse(text, "domain")
        except InvalidDocument as error:
            raise errors.INVALID_FILE(path=name, cause=error) from error
    if connection is None:
        raise errors.NO_CONNECTION_GIVEN(name=name)
    return parse(_domain_document(connection, name), "domain")


def _domain_document(connection: Connection, name: str) -> str:
    try:
        domain = looking(connection, name)
    except NotFound:
        stem, _, which = name.rpartition("@")
        if not stem or which not in ("live", "config"):
            raise
        definition = Definition(which)
        return looking(connection, stem, needs=_NEEDS[definition]).xml(definition)
    return domain.xml(Definition.LIVE if domain.is_active() else Definition.CONFIG)
