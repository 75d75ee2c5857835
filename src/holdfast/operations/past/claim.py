"""Telling the remote who has which domain: at a push, and when a domain goes from one host to another.

It is the one thing of the history that decides something: whether ``resume-host`` starts a domain, and which of two
evacuations gets it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from holdfast.errors import HoldfastError
from holdfast.history.claims import NOBODY, Claims
from holdfast.history.repository import Repository
from holdfast.hostfiles.process_owner import process_owner
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.history_place import claims_of, history_place


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the remote was told.

    ``known``      the domain → how its claim stands there, where that is no news any more
    ``refused``    the domain → why the remote did not take it
    ``elsewhere``  the domains that are here, and that another host has by the remote: a sentence for each
    """

    known: dict[str, str] = field(default_factory=dict)
    refused: dict[str, HoldfastError] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()


def moved_on(source: Connection, target: Connection, uuid: str) -> Iterator[str]:
    """Let the remote know that a domain which it says the host of ``source`` has went to that of ``target``.

    What that host is called is known where its history is here; else nobody has the domain until that host pushes.
    Nothing stops because of it: yields what is left to do, in a sentence.
    """
    try:
        claims = claims_of(source)
        if claims is None:
            return
        here = history_place(source).host
        there = NOBODY if target.history_folder is None else history_place(target).host
        now = claims.read([uuid]).get(uuid)
        refused = {} if now is None or now.host != here else claims.move([uuid], here, there, process_owner())
    except HoldfastError as error:
        refused = {uuid: error}
    for why in refused.values():
        yield f"the remote of the history says still that it is here, until the next push from here: {why.message}"


def tell_who_has(
    connection: Connection,
    repository: Repository,
    claims: Claims,
    there: Mapping[str, str],
    known: Mapping[str, str],
) -> Told:
    """Tell the remote of the domains that are here and nobody has by it, and of those that were deleted here.

    ``there`` are the claims that the remote has, and ``known`` those of them that were looked at before. Raises
    HISTORY_REMOTE where nothing was changed, and CLAIM_UNKNOWN where that is not known. (virConnectListAllDomains)
    """
    host, lines = history_place(connection).host, {*repository.uuids()}
    listed = inventory(connection)
    here = {each.domain.uuid: each.domain.name for each in listed if each.persistent and each.domain.uuid in lines}
    absent = lines - {each.domain.uuid for each in listed}
    now = {uuid: f"{'gone ' * (uuid in absent)}{there[uuid]}" for uuid in lines & there.keys()}
    news = {uuid for uuid in lines if uuid not in now or now[uuid] != known.get(uuid)}
    gone = {uuid for uuid in news & absent & there.keys() if _was_deleted(repository, uuid)}
    asked = news & (here.keys() | gone)
    found = claims.read(asked & there.keys()) if asked & there.keys() else {}
    hosts = {uuid: found[uuid].host if uuid in found else NOBODY for uuid in asked}
    refused: dict[str, HoldfastError] = {}
    for old, new, uuids in ((NOBODY, host, here.keys()), (host, NOBODY, gone)):
        if moving := [uuid for uuid in sorted(asked & uuids) if hosts[uuid] == old]:
            refused |= claims.move(moving, old, new, process_owner())
    elsewhere = {uuid: found[uuid] for uuid in sorted(asked & here.keys()) if hosts[uuid] not in (NOBODY, host)}
    return Told(
        known={uuid: how for uuid, how in now.items() if uuid not in elsewhere and uuid not in refused},
        refused=refused,
        elsewhere=tuple(
            f"{here[uuid]} is here, but {each.host} has it since {each.since}" for uuid, each in elsewhere.items()
        ),
    )


def _was_deleted(repository: Repository, uuid: str) -> bool:
    last = repository.last_here(uuid)
    return last is not None and last[0].is_end
