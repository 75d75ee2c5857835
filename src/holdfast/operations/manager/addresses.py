"""Before a manager switches a guest off: it comes back with its devices where they are now."""

from __future__ import annotations

from dataclasses import dataclass, replace

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.document import Element
from holdfast.domainxml.manager.take_addresses import AddressesTaken, take_addresses
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.session import changing


@dataclass(frozen=True)
class KeptAddresses:
    """Addresses of a guest that config has taken over: the ``changes`` of config, and the devices that ``stay`` where
    config has them, because it lacks the place that live has for them.
    """

    changes: tuple[Change, ...] = ()
    stay: tuple[str, ...] = ()


def keep_addresses(connection: Connection, name: str) -> KeptAddresses:
    """Let config have each device that it shares with live where live has it, for the document that runs is to go.

    They differ where somebody has attached or detached past Holdfast. Whatever else differs was asked for, waits for
    the next start, and stays. Nothing is done while the domain is off, in a rescue, or transient.

    Raises NO_DOMAIN, and what the proved edit raises; config is then as it was. (virDomainDefineXMLFlags)
    """
    with changing(connection, name) as domain:
        live = domain.documents.live
        if live is None or domain.documents.config is None or domain.in_rescue:
            return KeptAddresses()
        moved = AddressesTaken([], [], [])

        def touch(config: Element) -> None:
            nonlocal moved
            moved = take_addresses(config, live)

        edit = plan_edit(domain, touch, lambda change: change.kind is ChangeKind.MOVED)
        if not edit.is_empty:
            apply_edit(domain, replace(edit, left_open=frozenset(moved.left)))
    return KeptAddresses(tuple(visible(edit.changes)), tuple(moved.stay))
