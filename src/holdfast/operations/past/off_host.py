"""Pushing the history of a host to a remote, and pulling what a remote has: off the host, and between hosts."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from holdfast.errors import HoldfastError
from holdfast.errors.history import NO_REMOTE, PUSH_NOT_NOTED
from holdfast.history.claims import CLAIMS, Claims
from holdfast.history.exchange import Taken, pull, push
from holdfast.history.push_note import PushNote, note_push, push_notes
from holdfast.history.remote import Remote, is_elsewhere
from holdfast.history.repository import Repository
from holdfast.hostfiles.network import has_network
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.history_place import history_place, history_settings
from holdfast.operations.past.claim import tell_who_has


@dataclass(frozen=True, kw_only=True)
class ExchangedLine:
    """The history of one domain that was pushed or pulled.

    ``name``, ``uuid``  the domain's; its last name
    ``became``          what became of it here: "new here", "longer", "joined"; "" where it was not taken
    ``refused``         why it was not taken, by the remote or from it; else ""
    """

    name: str
    uuid: str
    became: str = ""
    refused: str = ""


@dataclass(frozen=True, kw_only=True)
class HistoryPush:
    """What a push did.

    ``remote``   where to, without a password
    ``domains``  how many domains' histories the remote has as they are here
    ``pushed``   how many of them it did not have, or not to their end
    ``lines``    those of which the remote had entries that were not here, and those that were refused
    ``elsewhere``  those that are here, and that another host has by the remote: a sentence for each
    """

    remote: str
    domains: int
    pushed: int
    lines: tuple[ExchangedLine, ...] = ()
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class HistoryPull:
    """What a pull did.

    ``remote``  where from, without a password
    ``lines``   the domains' histories that are new or longer here, or were refused
    """

    remote: str
    lines: tuple[ExchangedLine, ...] = ()


def push_history(connection: Connection, remote: str | None = None) -> HistoryPush:
    """Push all entries to ``remote``: a path, ssh://, https:// or USER@HOST:PATH; by default the one that is set.

    Where a domain has entries there that are not here, as it was on another host, both are joined; nothing is
    rewritten. The remote is told which domains this host has, where by it nobody has them, and which were deleted here
    (:mod:`.claim`). Raises NO_REMOTE, NOT_A_REMOTE, HISTORY_REMOTE, REMOTE_KEEPS_MOVING, CLAIM_UNKNOWN,
    PUSH_NOT_NOTED, and what is wrong with the history or its settings.
    """
    where = remote or remote_of(connection)
    to = Remote(where)
    with Repository(history_place(connection)) as repository:
        noted = push_notes(repository).get(to.name, PushNote(time=""))
        try:
            sent = push(repository, to)
            told = tell_who_has(connection, repository, Claims(where), to.seen_besides(CLAIMS), noted.claims)
        except HoldfastError as error:
            with contextlib.suppress(HoldfastError):  # what is wrong is said by the first one
                note_push(repository, to.name, replace(noted, time=_now(), failure=error.message))
            raise
        refused = {**sent.taken.refused, **sent.refused}
        failure = "; ".join(f"{uuid}: {why}" for uuid, why in (*refused.items(), *told.refused.items()))
        tips = {**noted.tips, **{uuid: tip.decode() for uuid, tip in sent.tips.items()}}
        try:
            note_push(repository, to.name, PushNote(time=_now(), failure=failure, tips=tips, claims=told.known))
        except HoldfastError as error:
            raise PUSH_NOT_NOTED(remote=to.name, cause=error) from error
        refused |= {uuid: str(why) for uuid, why in told.refused.items() if uuid not in refused}
        lines = _lines(repository, Taken(sent.taken.became, refused))
    done = HistoryPush(remote=to.name, domains=len(sent.tips), pushed=len(sent.sent), lines=lines)
    return replace(done, elsewhere=told.elsewhere)


def pull_history(connection: Connection, remote: str | None = None) -> HistoryPull:
    """Take from ``remote`` what is not here: the histories of other domains, and entries of other hosts.

    What is here stays; a line that cannot be read, or is of another domain, is refused. Raises as
    :func:`push_history` does.
    """
    of = Remote(remote or remote_of(connection))
    with Repository.made(history_place(connection)) as repository:
        with repository.writing():
            pass  # it is a repository now
        taken = pull(repository, of)
        return HistoryPull(remote=of.name, lines=_lines(repository, taken))


def can_push(connection: Connection) -> bool:
    """False where no remote is set, or one that no network leads to from here. Raises what is wrong with settings."""
    remote = history_settings(connection).remote
    return bool(remote) and (not is_elsewhere(remote) or has_network())


def remote_of(connection: Connection) -> str:
    """The remote that is set. Raises NO_REMOTE, and what is wrong with the settings."""
    remote = history_settings(connection).remote
    if not remote:
        raise NO_REMOTE(file=connection.history_settings_file)
    return remote


def _lines(repository: Repository, taken: Taken) -> tuple[ExchangedLine, ...]:
    return tuple(
        ExchangedLine(
            name=_name(repository, uuid),
            uuid=uuid,
            became=str(taken.became.get(uuid, "")),
            refused=taken.refused.get(uuid, ""),
        )
        for uuid in sorted({*taken.became, *taken.refused})
    )


def _name(repository: Repository, uuid: str) -> str:
    last = repository.last(uuid)
    return uuid if last is None else last[0].name


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
