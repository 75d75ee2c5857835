"""What one operation makes of a domain's config document, from the first reading on: for the history."""

from __future__ import annotations

from collections.abc import Callable

from holdfast.domainxml.document import Element, parse
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.change_record import record_change


class ConfigChange:
    """The change that one operation makes. It is told of each step, and asks libvirt for nothing by itself.

    ``is_new``   True where the operation is still making the domain
    ``is_gone``  True where it has undefined it
    ``end``      how the history calls that
    """

    def __init__(self) -> None:
        self.is_new = self.is_gone = False
        self.end = EntryKind.DELETED
        self._begin()

    def _begin(self) -> None:
        self._first: str | None = None
        self._last: str | None = None
        self._is_changed = self._is_started = False

    def read(self, text: str) -> None:
        """The config document was read, with its secrets."""
        self._first = self._first or text
        self._last = text

    def changed(self) -> None:
        """The config document was changed, or may have been."""
        self._is_changed, self._last = True, None

    def started(self) -> None:
        """The domain was started from its config document."""
        self._is_started = True

    def as_read(self) -> Element | None:
        """The config document as it was read last; None where it was not, or was changed since."""
        return None if self._last is None else parse(self._last)

    def record(
        self,
        connection: Connection,
        uuid: str,
        config: Callable[[], Element | None],
        live: Callable[[], Element | None],
    ) -> None:
        """Record in the history what was made of the document (:mod:`.change_record`), and begin anew.

        ``config`` and ``live`` read both documents as they are now; neither is called where nothing is to be recorded.
        """
        if self._is_changed or self._is_started:
            before = None if self._first is None or self.is_new else parse(self._first)
            after = (lambda: None) if self.is_gone else config
            record_change(connection, uuid, before, after, live if self._is_started else lambda: None, self.end)
        self._begin()
