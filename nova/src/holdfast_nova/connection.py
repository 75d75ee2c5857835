"""Holdfast's operations over the connection that Nova has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from nova import exception

from holdfast.errors import HoldfastError, remedy_in
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast_nova.remedies import REMEDIES

if TYPE_CHECKING:
    from nova.virt.libvirt.host import Host


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
        self._host = host

    def define(self, document: str) -> Domain:
        """Define a whole document (virDomainDefineXML); raises libvirt's own error, as Nova expects it."""
        return Domain(self._host.write_instance_config(document)._domain)

    def close(self) -> None:
        """Nothing: the connection is Nova's."""


@contextmanager
def in_nova_terms() -> Iterator[None]:
    """Let Holdfast's errors come out as Nova's: the sentence, and what an operator can do about it."""
    try:
        yield
    except HoldfastError as error:
        remedy = remedy_in(REMEDIES, error)
        remedy = f" ({remedy})" if remedy else ""
        raise HardwareNotKept(reason=f"{error.message}{remedy}") from error
