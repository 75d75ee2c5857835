"""What a guest would see differ between two documents, each a domain's or a file's."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.apart import all_changes
from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.make.identifiers import identifiers, without_identifiers
from holdfast.domainxml.secret_parts import shown
from holdfast.errors import InvalidDocument, LibvirtRefused, NotFound
from holdfast.errors import look as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.asked_of_libvirt import Answer, ask_libvirt
from holdfast.operations.files import is_file, read_document
from holdfast.operations.own_state import lost_state
from holdfast.operations.past.revision import PastDomain, past_domain
from holdfast.operations.session import Need, looking

_MADE_UP = {"uuid": "the UUID", "devices/interface/mac@address": "MAC addresses"}
_NEEDS = {Definition.LIVE: Need.RUNNING, Definition.CONFIG: Need.CONFIG}


@dataclass(frozen=True, kw_only=True)
class DocumentDiff:
    """What differs between two documents.

    ``changes``           those that lead from the one to the other; cosmetic ones, which no guest sees, are among them,
                          and of the two documents of one domain also other images, networks and limits
    ``asked_of_libvirt``  True where a file was compared as libvirt would complete it, False where as it stands (a note
                          says why); None where there was nothing to ask
    ``notes``             what else is worth knowing, in sentences
    """

    changes: tuple[Change, ...]
    asked_of_libvirt: bool | None = None
    notes: tuple[str, ...] = ()


def diff(connection: Connection | None, before: str, after: str) -> DocumentDiff:
    """What leads from ``before`` to ``after``.

    Each side is a domain ("NAME@live"; "NAME@config", what the next start uses; "NAME", its live document while it
    runs and config otherwise), an entry of its history (:mod:`holdfast.operations.past.revision`), beside which "NAME"
    is config, or an XML file (:func:`holdfast.operations.files.is_file`; "-" for standard input). Where
    a domain is itself named "x@live", that is what it means; "UUID@live" is the document of the other. ``connection``
    may be None when both are files, which are then compared as they stand. Beside a domain a file counts as its libvirt
    would complete it.

    Raises NO_DOMAIN, NOT_RUNNING or TRANSIENT for a document that a domain does not have, INPUT_TWICE,
    NO_CONNECTION_GIVEN, INVALID_FILE, and what :func:`holdfast.operations.files.read_document` does.
    """
    if before == after == "-":
        raise errors.INPUT_TWICE()
    past = [_past(connection, name) for name in (before, after)]
    definition = Definition.CONFIG if any(past) else None
    sides = [
        _read(connection, name, definition) if then is None else then.document
        for name, then in zip((before, after), past, strict=True)
    ]
    if any(past):
        sides = [parse(shown(side)) for side in sides]
    files = [is_file(name) for name in (before, after)]
    if connection is None or not any(files) or all(files):
        is_one = not any(files) and sides[0].findtext("uuid") == sides[1].findtext("uuid")
        return DocumentDiff(changes=tuple((all_changes if is_one else compare_documents)(*sides)))
    answer = _ask(connection, sides[files.index(True)])
    if answer.document is not None:
        sides[files.index(True)] = answer.document
    changes = compare_documents(*sides)
    left_open = [change for change in changes if _is_left_open(change, change.after if files[1] else change.before)]
    words = ", ".join(dict.fromkeys(_MADE_UP[change.where] for change in left_open))
    notes = (f"the file leaves open what libvirt then makes up: {words}",) if left_open else ()
    return DocumentDiff(
        changes=tuple(change for change in changes if change not in left_open),
        asked_of_libvirt=answer.was_asked,
        notes=(*answer.notes, *notes),
    )


def _is_left_open(change: Change, said: str | None) -> bool:
    """True for what a file need not say, and a domain always has; ``said`` is what of the change the file says."""
    return said is None and change.where in _MADE_UP


def _ask(connection: Connection, document: Element) -> Answer:
    """What libvirt would make of a file's ``document``, but for what it would choose at random."""
    try:
        answer = ask_libvirt(connection, document)
    except LibvirtRefused as error:
        return Answer(reason=f"it refuses this document: {error}")
    stated = identifiers(document)
    return Answer(tuple(without_identifiers(each, stated) for each in answer.documents), answer.reason)


def lost_state_of(connection: Connection, name: str) -> list[str]:
    """What the domain that one side of a :func:`diff` names has lost of its NVRAM and TPM state, in sentences.

    No document tells of that, and the next start changes it for the guest. Raises as :func:`diff` does.
    """
    if past_domain(connection, name) is not None:
        return []
    domain = looking(connection, _found(connection, name)[0])
    config = domain.documents.config
    lost = [] if config is None else lost_state(connection, config)
    return [f"the next start of {domain.name} finds no {file}: it is gone" for file in lost]


def _past(connection: Connection | None, name: str) -> PastDomain | None:
    return None if connection is None or is_file(name) else past_domain(connection, name)


def _read(connection: Connection | None, name: str, otherwise: Definition | None) -> Element:
    if is_file(name):
        text = read_document(name)
        try:
            return parse(text, "domain")
        except InvalidDocument as error:
            raise errors.INVALID_FILE(path=name, cause=error) from error
    if connection is None:
        raise errors.NO_CONNECTION_GIVEN(name=name)
    return parse(_domain_document(connection, name, otherwise), "domain")


def _domain_document(connection: Connection, name: str, otherwise: Definition | None) -> str:
    """The document of a domain that ``name`` means; where it says not which, ``otherwise``, or the one in force."""
    stem, said = _found(connection, name)
    definition = said or otherwise
    domain = looking(connection, stem, needs=Need.NOTHING if definition is None else _NEEDS[definition])
    if definition is None:
        definition = Definition.LIVE if domain.is_active() else Definition.CONFIG
    return domain.xml(definition)


def _found(connection: Connection, name: str) -> tuple[str, Definition | None]:
    """The domain that ``name`` means, and which of its documents; None for the one that it runs with, or would."""
    try:
        return looking(connection, name).uuid, None
    except NotFound:
        stem, _, which = name.rpartition("@")
        if not stem or which not in ("live", "config"):
            raise
        return stem, Definition(which)
