"""A domain as it was: its hardware at an entry of its history, and what that entry tells."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.describe.hardware_tree import Part, hardware_tree
from holdfast.domainxml.describe.identity import Identity, identity_of
from holdfast.history.entry import Entry
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.past.revision import past_domain


@dataclass(frozen=True, kw_only=True)
class PastView:
    """What ``show`` says of a domain as it was.

    ``uuid``      the domain's
    ``entry``     the entry of its history
    ``identity``  what a guest started then would have read about itself
    ``hardware``  what it would have met
    ``omitted``   where the document of then has secrets, which the history does not keep, as XPaths
    """

    uuid: str
    entry: Entry
    identity: Identity
    hardware: tuple[Part, ...]
    omitted: tuple[str, ...]


def show_past(connection: Connection, name: str) -> PastView | None:
    """The domain as NAME@REV names it; None for a ``name`` of another form. Raises as ``past_domain`` does."""
    past = past_domain(connection, name)
    if past is None:
        return None
    document = past.document
    return PastView(
        uuid=past.uuid,
        entry=past.entry,
        identity=identity_of(document),
        hardware=tuple(hardware_tree(document)),
        omitted=past.kept.omitted,
    )
