"""Writing facts to our element in a domain's metadata, in every document that the domain has."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.domainxml import metadata
from holdfast.domainxml.metadata import Fact
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import OpenDomain


def record_fact(domain: OpenDomain, new: Fact, only: Definition | None = None) -> None:
    """Record ``new``, in ``only`` one document or in all; the caller holds the domain's lock (virDomainSetMetadata)."""
    rewrite(domain, lambda ours: metadata.with_fact(ours, new), only)


def forget_fact(domain: OpenDomain, old: Fact, only: Definition | None = None) -> None:
    """Remove ``old``, and with the last fact our element itself; nothing is written where it was not there."""
    rewrite(domain, lambda ours: metadata.without_fact(ours, old), only)


def forget_all(domain: OpenDomain) -> None:
    """Remove our element, whatever it holds: from config first, so that live tells of it until both are done."""
    for definition in sorted(domain.documents.present, key=lambda each: each is Definition.LIVE):
        rewrite(domain, lambda ours: None, definition)


def rewrite(domain: OpenDomain, change: Callable[[str | None], str | None], only: Definition | None = None) -> None:
    """Make of our element what ``change`` makes of it, in ``only`` one document or in all that the domain has."""
    there = {definition: metadata.ours_in(document) for definition, document in domain.documents.present.items()}
    for definition in (each for each in there if only in (None, each)):
        new = change(there[definition])
        if new != there[definition]:
            domain.set_metadata(new, metadata.PREFIX, metadata.URI, definition)
