"""Holdfast's operations over the connection that Nova has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nova import exception
from oslo_log import log as logging

from holdfast.errors import HoldfastError, remedy_in
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast_nova.remedies import REMEDIES, remedy_of, sentence_of

if TYPE_CHECKING:
    from nova.virt.libvirt.host import Host


LOG = logging.getLogger(__name__)
_MOST = 255
"""How many bytes Nova keeps of a fault, and of what it tells of an action (34.0.0); it cuts off the rest."""


class HardwareNotKept(exception.NovaException):
    """What Holdfast refused or could not do; the instance and its domain are as they were."""

    msg_fmt = "%(reason)s"
    safe = True


class NovaConnection(Connection):
    """A connection on Nova's own handle: under eventlet that is the proxy whose calls run in native threads.

    Documents are defined as Nova defines them, without libvirt's schema check.
    """

    def __init__(self, host: Host) -> None:
        """``host`` is Nova's ``nova.virt.libvirt.host.Host``; raises its HypervisorUnavailable."""
        super().__init__(host.get_connection(), readonly=False)
        self.records_changes = False  # the driver records each request as one: holdfast_nova.deed_recorder
        self._host = host

    def define(self, document: str) -> Domain:
        """Define a whole document (virDomainDefineXML); raises libvirt's own error, as Nova expects it."""
        return Domain(self._host.write_instance_config(document)._domain)

    def close(self) -> None:
        """Nothing: the connection is Nova's."""


@contextmanager
def in_nova_terms() -> Iterator[None]:
    """Let Holdfast's errors come out as Nova's: the sentence, and what an operator can do about it.

    What they say of the host is in the log alone, and so is what is more than Nova keeps.
    """
    try:
        yield
    except HoldfastError as error:
        remedy = remedy_of(error)
        remedy = f" ({remedy})" if remedy else ""
        sentence = _shortened(sentence_of(error), _MOST - len(remedy.encode()))
        if sentence != error.message:
            LOG.error("%s (%s)", error.message, remedy_in(REMEDIES, error))
        raise HardwareNotKept(reason=f"{sentence}{remedy}") from error


def _shortened(sentence: str, most: int) -> str:
    """``sentence``, or its beginning, in at most so many bytes."""
    whole = sentence.encode()
    return sentence if len(whole) <= most else whole[: max(most - 3, 0)].decode(errors="ignore") + "…"
