"""Mediated devices (vGPUs) of domains that are kept: Nova takes one for given as long as a document names it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


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
