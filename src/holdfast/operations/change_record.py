"""Recording in the history what became of a config document: at the end of each operation that changed one.

A document that differs from the last entry when an operation finds it was changed by others, and is recorded as that
first. Nothing is decided by what the history says, and nothing stops because it cannot be written: each reason is said
once, and the operation goes on.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.domainxml.compare.apart import all_changes
from holdfast.domainxml.compare.host_changes import host_changes
from holdfast.domainxml.describe.given_at_start import given_at_start
from holdfast.domainxml.document import Element, parse, same
from holdfast.domainxml.secret_parts import kept_of, shown_words
from holdfast.errors import HoldfastError
from holdfast.errors.history import HISTORY_UNUSABLE
from holdfast.errors.programs import DEFECT
from holdfast.history.entry import EntryKind, Happened, KeptDocument
from holdfast.history.repository import Repository
from holdfast.hostfiles.process_owner import process_owner, program_name
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import history_place, keeps_history

_said: set[str] = set()
"""What was said already."""


@dataclass(frozen=True)
class ManagerAct:
    """What a manager does, as a connection says it for a command.

    ``command``  in words; none for what it only meets
    ``asked``    which manager it is, and for whom it acts, as the history has it
    """

    command: tuple[str, ...] = ()
    asked: dict[str, str] = field(default_factory=dict)


def record_change(
    connection: Connection,
    uuid: str,
    before: Element | None,
    after: Callable[[], Element | None],
    live: Callable[[], Element | None] = lambda: None,
    end: EntryKind = EntryKind.DELETED,
) -> None:
    """Record that an operation of Holdfast has made ``after`` of the config document ``before``; it never raises.

    ``before`` is None for a new domain or where it is not known, and ``after`` for one that is gone, which is called
    ``end``; ``live`` is the document that a domain was started with meanwhile, else None. Both are asked for only where
    they are recorded.
    """
    if not keeps_history(connection):
        return
    with said_once():
        now, started = after(), live()
        with Repository.made(history_place(connection)) as repository, repository.writing():
            if before is not None:
                record_found(repository, connection, uuid, before)
            elif (last := repository.last(uuid)) is not None and not last[0].is_end:
                before = past_document(last[1], repository.folder)
            if now is None:
                if before is not None:
                    add_entry(repository, connection, uuid, end, before, before)
            elif before is None or started is not None or not _is_here(repository, uuid) or not same(before, now):
                given = {} if started is None else given_at_start(started)
                add_entry(repository, connection, uuid, EntryKind.CHANGED, before, now, started=given)


def is_recorded(repository: Repository, uuid: str, kept: KeptDocument) -> bool:
    """True where the last entry that this host has made says that the domain is there as ``kept``."""
    last = repository.last_here(uuid)
    return last is not None and not last[0].is_end and last[1] == kept


def record_found(
    repository: Repository, doer: Connection | ManagerAct, uuid: str, found: Element, kept: KeptDocument | None = None
) -> bool:
    """Record that the config document is ``found`` as it is; returns False where it is recorded already.

    What it differs from is the last entry of this host; of another one where the domain has come here since.
    To be called while the repository is being written to.
    """
    kept = kept or kept_document(found)
    if is_recorded(repository, uuid, kept):
        return False
    here = repository.last_here(uuid)
    last = repository.last(uuid) if here is None or here[0].is_end else here
    kind = EntryKind.FIRST_SEEN if here is None else EntryKind.OUTSIDE
    add_entry(
        repository, doer, uuid, kind, None if last is None else past_document(last[1], repository.folder), found, kept
    )
    return True


def record_gone(repository: Repository, connection: Connection, uuid: str) -> str:
    """Record that libvirt does not know a domain any more; returns its name, or "" where that is recorded already.

    The domains of other hosts never were here. To be called while the repository is being written to.
    """
    last = repository.last_here(uuid)
    if last is None or last[0].is_end:
        return ""
    document = past_document(last[1], repository.folder)
    add_entry(repository, connection, uuid, EntryKind.GONE, document, document, last[1])
    return last[0].name


def _is_here(repository: Repository, uuid: str) -> bool:
    """False for a domain that this host has never had, as far as is recorded, or has no more."""
    last = repository.last_here(uuid)
    return last is not None and not last[0].is_end


def add_entry(
    repository: Repository,
    doer: Connection | ManagerAct,
    uuid: str,
    kind: EntryKind,
    before: Element | None,
    after: Element,
    kept: KeptDocument | None = None,
    started: dict[str, str] | None = None,
) -> None:
    """Add an entry: what differs between the two documents, and what a start gave.

    To be called while the repository is being written to.
    """
    changes = [] if before is None else all_changes(before, after)
    happened = Happened(
        kind=kind,
        name=after.findtext("name") or "",
        user=process_owner(),
        command=shown_words(doer.command) or program_name(),
        changes=tuple(change.to_json() for change in changes),
        host=() if before is None or changes else tuple(host_changes(before, after)),
        started=started or {},
        asked=doer.asked if isinstance(doer, ManagerAct) else {},
    )
    repository.add(uuid, kept or kept_document(after), happened)


def past_document(kept: KeptDocument, folder: Path, uuid: str = "") -> Element:
    """The document of an entry of the history in ``folder``, of the domain ``uuid`` where that is given.

    Raises HISTORY_UNUSABLE where it is none.
    """
    try:
        document = parse(kept.document)
    except HoldfastError as error:
        raise HISTORY_UNUSABLE(folder=folder, reason=f"what an entry has is no document: {error.message}") from error
    if uuid and document.findtext("uuid", uuid) != uuid:
        raise HISTORY_UNUSABLE(folder=folder, reason="what an entry has is the document of another domain")
    return document


def kept_document(document: Element) -> KeptDocument:
    """What the history keeps of a config document."""
    return KeptDocument(*kept_of(document))


@contextmanager
def said_once() -> Iterator[None]:
    """Let whatever hinders recording stop nothing: why nothing is recorded is said, once in this process."""
    try:
        yield
    except HoldfastError as error:
        _say(error)
    except Exception as error:  # noqa: BLE001 - what was done is done: a defect in what is said of it does not fail it
        _say(DEFECT(kind=type(error).__name__, error=error))


def _say(error: HoldfastError) -> None:
    """Where nobody has set up logging, it is on standard error."""
    if error.message not in _said:
        _said.add(error.message)
        logging.getLogger("holdfast").warning("not recorded in the history: %s", error.message)
