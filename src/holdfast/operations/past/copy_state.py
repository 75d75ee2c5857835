"""Copying the NVRAM and TPM state of domains to where copies are kept: what has changed since the last copy.

For a timer, and for a watch when it sees a domain stop. Nothing of a domain is changed, and none is kept from starting.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.domainxml.host.state_files import StateFile, StateKind
from holdfast.errors import HoldfastError, NotFound
from holdfast.errors.firmware import COPIES_UNUSABLE, STATE_ELSEWHERE
from holdfast.history.repository import Repository
from holdfast.hostfiles.lock import copying_lock
from holdfast.hostfiles.state_copies.encryption import cipher_for, encrypted
from holdfast.hostfiles.state_copies.own_files import read_state
from holdfast.hostfiles.state_copies.place import StatePlace
from holdfast.hostfiles.state_copies.state_copy import StateCopy, archive, compressed, digest_of, superfluous
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.history_place import history_place, history_settings, place_of_copies
from holdfast.operations.own_state import state_of
from holdfast.operations.session import Need, OpenDomain, looking

RUNS = "it runs"
NO_RECIPIENT = "no recipient is set to encrypt it to, and it holds keys of disks"
BETWEEN = "it was started or stopped just now"
IN_RESCUE = "it is in rescue"


@dataclass(frozen=True, kw_only=True)
class CopiedState:
    """A copy that was made: of the NVRAM or TPM state at ``path`` of the domain ``name``."""

    name: str
    uuid: str
    path: str
    copy: StateCopy


@dataclass(frozen=True, kw_only=True)
class LeftState:
    """State of which no copy was made: ``why``, in words; the ``error`` where it should have been."""

    name: str
    uuid: str
    kind: str
    path: str
    why: str
    error: HoldfastError | None = None


@dataclass(frozen=True, kw_only=True)
class StatesCopied:
    """What was copied of a host.

    ``domains``  how many domains were looked at
    ``copied``   the copies that were made: of what is new, or had changed since the last one
    ``left``     what was left out, and why
    """

    domains: int
    copied: tuple[CopiedState, ...] = ()
    left: tuple[LeftState, ...] = ()


def copy_state(connection: Connection, names: Sequence[str] = ()) -> StatesCopied:
    """Copy what has changed of the NVRAM and TPM state of the domains ``names``, or of all: see :class:`StatesCopied`.

    Of a guest that runs only the NVRAM; TPM state only where it is encrypted. One domain that fails stops no other;
    a place that fails ends it. Raises NO_STATE_PLACE, COPIES_UNUSABLE, COPIES_OPEN_TO_OTHERS, STATE_ELSEWHERE, what is
    wrong with the settings, and for one of the ``names`` NO_DOMAIN and TRANSIENT.
    """
    if not connection.is_local:
        raise STATE_ELSEWHERE(uri=connection.uri)
    place, recipient = place_of_copies(connection), history_settings(connection).recipient
    named = [looking(connection, name, needs=Need.CONFIG).uuid for name in names]
    uuids = named or [each.domain.uuid for each in inventory(connection) if each.persistent]
    known = place.copies(uuids[0] if len(uuids) == 1 else "")
    copied: list[CopiedState] = []
    left: list[LeftState] = []
    for uuid in dict.fromkeys(uuids):
        with suppress(NotFound):  # undefined since it was listed
            for each in _of_domain(looking(connection, uuid), place, recipient, known.get(uuid, [])):
                (copied if isinstance(each, CopiedState) else left).append(each)  # type: ignore[arg-type]
            if left and left[-1].error is not None and left[-1].error.code == COPIES_UNUSABLE.code:
                break
    return StatesCopied(domains=len(uuids), copied=tuple(copied), left=tuple(left))


def copy_stopped(connection: Connection, uuid: str) -> None:
    """Copy the state of a domain that has stopped, where a place for that is set; why it could not is logged."""
    try:
        if history_settings(connection).state:
            for each in copy_state(connection, [uuid]).left:
                if each.error is not None:
                    raise each.error
    except NotFound:  # it is gone by now
        return
    except HoldfastError as error:
        logging.getLogger("holdfast").warning("the state of a domain that has stopped was not copied: %s", error)


def _of_domain(
    domain: OpenDomain, place: StatePlace, recipient: str, known: Sequence[StateCopy]
) -> Iterator[CopiedState | LeftState]:
    documents = domain.documents
    document = documents.live if documents.live is not None else documents.config
    for file in [] if document is None else state_of(domain.connection, document):
        copy, why, error = None, "", None
        try:
            copy, why = _copied(domain, file, place, recipient, known)
        except HoldfastError as failed:
            why, error = failed.message, failed
        if copy is not None:
            yield CopiedState(name=domain.name, uuid=domain.uuid, path=file.path, copy=copy)
        elif why:
            yield LeftState(name=domain.name, uuid=domain.uuid, kind=file.kind, path=file.path, why=why, error=error)


def _copied(
    domain: OpenDomain, file: StateFile, place: StatePlace, recipient: str, known: Sequence[StateCopy]
) -> tuple[StateCopy | None, str]:
    """The copy that was made, or why there is none; neither where it has not changed, or there is nothing yet."""
    running = domain.documents.live is not None
    if domain.in_rescue:
        return None, IN_RESCUE
    if file.kind is StateKind.TPM and (running or not recipient):
        return None, RUNS if running else NO_RECIPIENT
    time = datetime.now(UTC).isoformat(timespec="microseconds")
    files = read_state(file.path)
    if files is None:
        return None, ""
    tar = archive(files)
    copy = StateCopy(
        kind=file.kind,
        time=time,
        running=running,
        entry="",
        digest=digest_of(tar),
        cipher=cipher_for(recipient),
    )
    if _is_there(copy, known):
        return None, ""
    if looking(domain.connection, domain.uuid).is_active() != running:
        return None, BETWEEN
    content = encrypted(compressed(tar), recipient) if recipient else compressed(tar)
    with copying_lock(domain.uuid, domain.name, domain.connection.lock_timeout):
        now = place.copies(domain.uuid).get(domain.uuid, [])
        if _is_there(copy, now):
            return None, ""
        copy = replace(copy, entry=_last_entry(domain))
        place.add(domain.uuid, copy, content, superfluous([copy, *(each for each in now if each.kind == copy.kind)]))
    return copy, ""


def _is_there(copy: StateCopy, known: Sequence[StateCopy]) -> bool:
    """True where the last one has the same in it, and tells as much: one that was taken while it was off tells more."""
    last = next((each for each in known if each.kind == copy.kind), None)
    if last is None or (last.digest, last.cipher) != (copy.digest, copy.cipher):
        return False
    return copy.running or not last.running


def _last_entry(domain: OpenDomain) -> str:
    """The id of the last entry of its history, which has its document; "" where there is none."""
    with suppress(HoldfastError), Repository(history_place(domain.connection)) as repository:
        last = repository.last(domain.uuid)
        return "" if last is None else last[0].id
    return ""
