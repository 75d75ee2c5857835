"""What a guest would see differ between two documents, each a domain's or a file's."""

from __future__ import annotations

from holdfast.domainxml.compare.change import Change as Change
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse
from holdfast.errors import Failed, InvalidDocument, NotFound, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.files import is_file, read_document
from holdfast.operations.session import OpenDomain, looking


def diff(connection: Connection | None, before: str, after: str) -> list[Change]:
    """The changes that lead from ``before`` to ``after``; cosmetic ones, which no guest sees, are among them.

    Each side is a domain ("NAME@live"; "NAME@config", what the next start uses; "NAME", its live document while it
    runs and config otherwise) or an XML file (:func:`holdfast.operations.files.is_file`; "-" for standard input). Where
    a domain is itself named "x@live", that is what it means; "UUID@live" is the document of the other. ``connection``
    may be None when both are files. Raises NotFound, InvalidDocument, UsageError, and Failed for a document a domain
    does not have.
    """
    if before == after == "-":
        raise UsageError("only one of the two can come from standard input")
    return compare_documents(_read(connection, before), _read(connection, after))


def _read(connection: Connection | None, name: str) -> Element:
    if is_file(name):
        text = read_document(name)
        try:
            return parse(text, "domain")
        except InvalidDocument as error:
            raise InvalidDocument(f"{name}: {error.message}", error.hint, error.line) from error
    if connection is None:
        raise UsageError(
            f"{name!r} names a domain, which needs a connection", "a file's name has a '/' or ends in .xml"
        )
    return parse(_domain_document(connection, name), "domain")


def _domain_document(connection: Connection, name: str) -> str:
    try:
        domain = looking(connection, name)
    except NotFound:
        stem, _, which = name.rpartition("@")
        if not stem or which not in ("live", "config"):
            raise
        return _stated_document(looking(connection, stem), stem, Definition(which))
    return domain.xml(Definition.LIVE if domain.is_active() else Definition.CONFIG)


def _stated_document(domain: OpenDomain, stem: str, which: Definition) -> str:
    if which is Definition.LIVE and not domain.is_active():
        raise Failed(f"the domain {domain.name!r} is not running, so it has no live document", f"try {stem}@config")
    if which is Definition.CONFIG and not domain.is_persistent():
        raise Failed(f"the domain {domain.name!r} is transient, so it has no config document", f"try {stem}@live")
    return domain.xml(which)
