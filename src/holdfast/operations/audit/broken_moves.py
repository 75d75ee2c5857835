"""Guests of which a post-copy that broke off has left one half here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from holdfast.errors import HoldfastError, NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain_list import paused
from holdfast.libvirtapi.migration import is_stuck_in_post_copy
from holdfast.operations.audit.report import Finding, FindingKind

_STUCK = (
    "a post-copy of it broke off, with half of its memory on another host: migrate it there again, or destroy it where "
    "that half is lost"
)


def broken_moves(connection: Connection) -> Iterator[tuple[str, Finding]]:
    """The name of each domain that stands still since, with the finding.

    (virConnectListAllDomains, virDomainGetState)
    """
    with suppress(HoldfastError):
        for domain in paused(connection):
            with suppress(NotFound):
                if is_stuck_in_post_copy(domain):
                    yield domain.name, Finding(FindingKind.UNFINISHED, _STUCK)
