"""What a domain can be called, and whether a name is still free."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from holdfast.errors import LibvirtRefused, NotFound, creation
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.power_record import unfinished_start
from holdfast.operations.session import Need, looking

_BYTES = 240
"""Files are named after a domain (NAME.xml.new, NAME_VARS.fd, NAME-vda.qcow2); a file's name ends at 255 bytes."""


def check_name(name: str) -> None:
    """Raise BAD_NAME, LONG_NAME or NAME_OF_DOCUMENT when ``name`` cannot be the name of a domain."""
    if (
        not name
        or name != name.strip()
        or name in (".", "..")
        or name[0] == "-"
        or "/" in name
        or not name.isprintable()
    ):
        raise creation.BAD_NAME(name=name)
    if len(name.encode()) > _BYTES:
        raise creation.LONG_NAME(start=name[:20], bytes=len(name.encode()), most=_BYTES)
    stem, at, definition = name.rpartition("@")
    if at and definition in ("live", "config"):
        raise creation.NAME_OF_DOCUMENT(name=name, definition=definition, stem=stem)


def refuse_taken(connection: Connection, name: str, *, to_start: bool = False) -> None:
    """Raise DOMAIN_EXISTS when there is a domain of this name or UUID, and UNFINISHED while it is being created.

    With ``to_start``, DOMAIN_EXISTS_UNSTARTED for a domain of which only the start is missing.
    """
    try:
        domain = looking(connection, name, needs=Need.WHOLE)
    except NotFound:
        return
    if to_start and (state := unfinished_start(domain.documents)):
        raise creation.DOMAIN_EXISTS_UNSTARTED(name=domain.name, uuid=domain.uuid, state=state)
    raise creation.DOMAIN_EXISTS(name=domain.name, uuid=domain.uuid)


@contextmanager
def taking_name(connection: Connection, *names: str) -> Iterator[None]:
    """Wraps the libvirt call that takes a name, or a name and a UUID, after a check by :func:`refuse_taken`.

    If libvirt refuses because somebody else was faster, what :func:`refuse_taken` raises is raised instead.
    """
    try:
        yield
    except LibvirtRefused:
        for name in names:
            refuse_taken(connection, name)
        raise
