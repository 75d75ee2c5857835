"""Watching: one look at all domains of a host, which is what a watch costs every few seconds."""

from __future__ import annotations

from collections.abc import Iterator

import libvirt
from bench.measure import Case
from holdfast import operations


def watch_cases(uri: str) -> Iterator[Case]:
    """A watch up to its first word, beside reading every config document over a new connection."""

    def bare() -> None:
        connection = libvirt.open(uri)
        for domain in connection.listAllDomains(0):
            domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        connection.close()

    def ours() -> None:
        notices = operations.watch([uri], interval=3600)
        next(notices)
        notices.close()

    yield Case("watch, one look", bare, ours)
