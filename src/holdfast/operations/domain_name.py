"""What a domain can be called, and whether a name is still free."""

from __future__ import annotations

from holdfast.domainxml.document import parse
from holdfast.errors import NotFound, Refused, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.unfinished import refuse_unfinished

_BYTES = 240
"""Files are named after a domain (NAME.xml.new, NAME_VARS.fd, NAME-vda.qcow2); a file's name ends at 255 bytes."""


def check_name(name: str) -> None:
    """Raise UsageError when ``name`` cannot be the name of a domain."""
    if not name or name != name.strip() or "/" in name or not name.isprintable() or name in (".", ".."):
        raise UsageError(f"{name!r} cannot be the name of a domain", "letters, digits, dots and dashes are always good")
    if len(name.encode()) > _BYTES:
        raise UsageError(
            f"the name {name[:20]}… is too long for a domain: {len(name.encode())} bytes, "
            f"and {_BYTES} leave room for the names of its files"
        )
    if name.endswith(("@live", "@config")):
        stem, _, which = name.rpartition("@")
        raise UsageError(
            f"{name!r} cannot be the name of a domain: it means the {which} document of {stem!r}",
            "letters, digits, dots and dashes are always good",
        )


def refuse_taken(connection: Connection, name: str) -> None:
    """Raise Refused when there is a domain of this name or UUID."""
    try:
        domain = connection.find_domain(name)
        refuse_unfinished(domain.name, parse(domain.xml(Definition.CONFIG)))
    except NotFound:
        return
    raise Refused(
        f"there is a domain {domain.name!r} already, with the UUID {domain.uuid}",
        f"choose another name, or 'holdfast delete {domain.name}' first",
    )
