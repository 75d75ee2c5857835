"""Proving that a domain that has arrived on another host is what it was, for its guest."""

from __future__ import annotations

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.errors.hosts import MOVED_OTHERWISE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.documents import Documents, read


def refuse_other_guest(there: Domain, target: Connection, before: Documents) -> None:
    """Raise MOVED_OTHERWISE where a document that the domain has at ``target`` is not what it was ``before``."""
    after = read(there)
    found = [
        f"{definition}: {change}"
        for definition, old in before.present.items()
        if (new := after.get(definition)) is not None
        for change in visible(compare_documents(old, new))
    ]
    if found:
        raise MOVED_OTHERWISE(name=there.name, uri=target.uri, changes=found)
