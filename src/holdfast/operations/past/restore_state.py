"""Bringing back the NVRAM or TPM state that a domain has lost, from a copy of it. What is there is never replaced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.domainxml.host.state_files import StateFile
from holdfast.errors import NotFound
from holdfast.errors.firmware import (
    IDENTITY_NEEDED,
    NO_STATE_COPY,
    NO_STATE_LOST,
    SEVERAL_STATE_COPIES,
    STATE_ELSEWHERE,
)
from holdfast.history.repository import Repository
from holdfast.hostfiles.state_copies.encryption import decrypted
from holdfast.hostfiles.state_copies.own_files import put_back
from holdfast.hostfiles.state_copies.place import StatePlace
from holdfast.hostfiles.state_copies.state_copy import StateCopy, files_in
from holdfast.hostfiles.state_file import look_at
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import history_place, keeps_history, place_of_copies
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import state_of
from holdfast.operations.past.log import uuid_of
from holdfast.operations.results import Result
from holdfast.operations.session import Need, changing


@dataclass(frozen=True, kw_only=True)
class BroughtBack:
    """State that was brought back: ``what`` and where it is, and the ``copy`` that it was brought back from."""

    what: str
    path: str
    copy: StateCopy


@dataclass(frozen=True, kw_only=True)
class StateRestored(Result):
    """What was brought back of the state of a domain; in a dry run, what would be."""

    restored: tuple[BroughtBack, ...]


def list_state_copies(connection: Connection, name: str) -> tuple[StateCopy, ...]:
    """The copies of the state of the domain ``name``, the last one first; of one that was deleted as well.

    Raises NO_DOMAIN, and what ``copy_state`` does of their place.
    """
    if not connection.is_local:
        raise STATE_ELSEWHERE(uri=connection.uri)
    place, uuid = place_of_copies(connection), _uuid(connection, name)
    return tuple(place.copies(uuid).get(uuid, []))


def restore_state(
    connection: Connection, name: str, *, copy: str = "", identity: str = "", dry_run: bool = False
) -> StateRestored:
    """Bring back the NVRAM and the TPM state that a domain which is shut off has lost, each from its last copy.

    ``copy`` is the id of another one, or its beginning: then that alone is brought back. ``identity`` is the file of
    age's private key; for gpg it is in the user's keyring. Nothing of the document changes.

    Raises STATE_ELSEWHERE, NO_STATE_LOST, NO_STATE_COPY, SEVERAL_STATE_COPIES, IDENTITY_NEEDED, NOT_DECRYPTED,
    COPY_DAMAGED, what the session refuses (RUNNING, TRANSIENT, IN_RESCUE, UNFINISHED), MANAGED_SAVE, and what is wrong
    with the place of the copies, or with the one where the state belongs.
    """
    if not connection.is_local:
        raise STATE_ELSEWHERE(uri=connection.uri)
    needs = Need.OWN_HARDWARE | Need.CONFIG | Need.OFF | Need.WHOLE
    with changing(connection, name, needs=needs, dry_run=dry_run) as domain:
        refuse_with_managed_save(domain, "its saved memory belongs to the state of then")
        config = domain.documents.config
        files = [] if config is None else state_of(connection, config)
        gone = [file for file in files if look_at(file.path).there is False]
        if not gone:
            why = [f"its {file} is there" for file in files] or ["it has neither NVRAM nor TPM"]
            raise NO_STATE_LOST(name=domain.name, why=why)
        place = place_of_copies(connection)
        chosen = _chosen(place, domain.uuid, domain.name, gone, copy)
        if not dry_run:
            content = {
                file: read_copy(connection, domain.uuid, domain.name, each, identity) for file, each in chosen.items()
            }
            for file, each in content.items():
                put_back(file.path, each)
                domain.done_besides.append(f"its {file} is back")
        return StateRestored(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            notes=tuple(f"there is no copy of its {file}" for file in gone if file not in chosen and not copy),
            restored=tuple(BroughtBack(what=str(file), path=file.path, copy=each) for file, each in chosen.items()),
        )


def _chosen(
    place: StatePlace, uuid: str, name: str, gone: Sequence[StateFile], wanted: str
) -> dict[StateFile, StateCopy]:
    """The copy for each state that is gone: the last one, or the one that is ``wanted``."""
    copies = [each for each in place.copies(uuid).get(uuid, []) if each.digest.startswith(wanted)]
    if wanted and len({each.digest for each in copies}) > 1:
        raise SEVERAL_STATE_COPIES(name=name, copy=wanted)
    found = {file: each for file in gone for each in reversed(copies) if each.kind == file.kind}
    if not found:
        what = " and ".join(str(file) for file in gone)
        raise NO_STATE_COPY(place=place.name, name=name, wanted=f"{what}{wanted and f' that begins with {wanted}'}")
    return found


def read_copy(connection: Connection, uuid: str, name: str, copy: StateCopy, identity: str) -> dict[str, bytes]:
    """What is in a ``copy`` of the state of the domain ``uuid``, by the names of its files.

    Raises IDENTITY_NEEDED, NOT_DECRYPTED, COPY_DAMAGED, and what is wrong with the place of the copies.
    """
    if copy.cipher == "age" and not identity:
        raise IDENTITY_NEEDED(copy=copy.id, name=name)
    content = place_of_copies(connection).read(uuid, copy)
    return files_in(decrypted(content, copy.cipher, identity) if copy.cipher else content, copy)


def _uuid(connection: Connection, name: str) -> str:
    try:
        return connection.find_domain(name).uuid
    except NotFound:
        if not keeps_history(connection):
            raise
    with Repository(history_place(connection)) as repository:
        return uuid_of(connection, repository, name)
