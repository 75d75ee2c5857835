"""Mediated devices (vGPUs) of domains that are kept: Nova takes one for given as long as a document names it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from holdfast.operations.manager.restore import restore_document
from holdfast_nova.connection import NovaConnection, in_nova_terms


class GivenAgain(threading.local):
    """The devices that a domain has and may be given again, for the thread that allocates for it."""

    uuids: frozenset[str] = frozenset()

    @contextmanager
    def allowed(self, uuids: Iterable[str]) -> Iterator[None]:
        """These are free meanwhile, and taken before any other."""
        self.uuids = frozenset(uuids)
        try:
            yield
        finally:
            self.uuids = frozenset()


def replace_mdevs(connection: NovaConnection, guest: Any, others: Iterable[tuple[str, str]]) -> None:
    """Let the domain of ``guest``, which is off, have other devices at the same addresses: pairs of old and new."""
    document: str = guest.get_xml_desc(dump_inactive=True, dump_sensitive=True)
    for old, new in others:
        document = document.replace(old, new)
    with in_nova_terms():
        restore_document(connection, document)
