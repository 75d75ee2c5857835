"""What a remote has of the domains of a host that is down: which those are, and the last document of each.

The lines are joined with the history here first; what is not the remote's to say is not believed: each commit is
checked as it is taken.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from holdfast.errors import HoldfastError
from holdfast.errors.hosts import (
    DELETED_AT_REMOTE,
    NOT_AT_REMOTE,
    NOTHING_TO_EVACUATE,
    SEVERAL_AT_REMOTE,
    SOURCE_MAY_RUN,
)
from holdfast.history.claims import NOBODY, Claim, Claims
from holdfast.history.entry import Entry, KeptDocument
from holdfast.history.exchange import pull
from holdfast.history.remote import Remote
from holdfast.history.repository import Repository
from holdfast.operations.change_record import past_document

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_NAMED = 5
"""So many domains of a host are named in a sentence."""


@dataclass(frozen=True, kw_only=True)
class RecordedDomain:
    """A domain as it was recorded.

    ``uuid``, ``name``  its own; the name is the UUID where no entry can be read
    ``host``      who has it: by its claim, else where its last entry was made
    ``claimed``   who has it by its claim alone; "" where nobody does
    ``entry``, ``kept``  the last entry with a document that can be read, and that; None where there is none
    ``lost``      why a later one cannot be read; "" where this is the last one
    ``deleted``   when it was deleted on ``host``; "" where it was not
    """

    uuid: str
    name: str
    host: str
    claimed: str
    entry: Entry | None = None
    kept: KeptDocument | None = None
    lost: str = ""
    deleted: str = ""


class RecordedDomains:
    """What the remote ``where`` has recorded; ``here`` is the host that asks.

    Raises NOT_A_REMOTE, HISTORY_REMOTE, and what is wrong with the history.
    """

    def __init__(self, repository: Repository, where: str, here: str) -> None:
        self._repository = repository
        self.claims = Claims(where)
        self.remote = self.claims.name
        self._here = here
        self._claimed: dict[str, Claim] = self.claims.read()
        self._lines = Remote(where)

    def of_host(self, down: str, known: Collection[str]) -> list[RecordedDomain]:
        """The domains that the host ``down`` has, and those that an evacuation that was cut off has left claimed here.

        ``known`` are the domains that libvirt has here. Raises NOTHING_TO_EVACUATE, SOURCE_MAY_RUN where no host is
        said to be down.
        """
        others = {uuid for uuid, claim in self._claimed.items() if claim.host not in (down, self._here, NOBODY)}
        every = [each for each in self._read(_NotIn(others if down else set())) if not each.deleted]
        hosts = {each.host for each in every if each.host not in (self._here, NOBODY)}
        if not down:
            self.refuse_running(every)
        found = [each for each in every if each.host == down or (each.claimed == self._here and each.uuid not in known)]
        if not any(each.host == down for each in every) and not found:
            others_have = {claim.host for claim in self._claimed.values()} | hosts
            raise NOTHING_TO_EVACUATE(
                remote=self.remote, host=down, hosts=sorted(others_have - {NOBODY, self._here}) or ["none"]
            )
        return sorted(found, key=lambda each: each.name)

    def named(self, names: Collection[str]) -> list[RecordedDomain]:
        """The domains of these names or UUIDs. Raises NOT_AT_REMOTE, SEVERAL_AT_REMOTE, DELETED_AT_REMOTE."""
        are_uuids = all(_UUID.fullmatch(name) for name in names)
        every = self._read(frozenset(names) if are_uuids else None)
        found = [self._one(name, every) for name in dict.fromkeys(names)]
        return list({each.uuid: each for each in found}.values())

    def refuse_running(self, domains: Collection[RecordedDomain], down: str = "") -> None:
        """Raise SOURCE_MAY_RUN where another host than ``down`` has one of these ``domains``."""
        hosts: dict[str, list[str]] = {}
        for each in domains:
            if each.host not in (NOBODY, self._here, down):
                hosts.setdefault(each.host, []).append(each.name)
        if hosts:
            said = [f"{host} has {_some(names)}" for host, names in sorted(hosts.items())]
            raise SOURCE_MAY_RUN(remote=self.remote, hosts=said, host=shlex.quote(min(hosts)))

    def _one(self, name: str, every: Collection[RecordedDomain]) -> RecordedDomain:
        found = [each for each in every if name in (each.uuid, each.name)]
        there = [each for each in found if not each.deleted]
        if len(there) > 1:
            raise SEVERAL_AT_REMOTE(remote=self.remote, name=name, uuids=[each.uuid for each in there])
        if not found:
            raise NOT_AT_REMOTE(remote=self.remote, name=name)
        if not there:
            gone = found[-1]
            raise DELETED_AT_REMOTE(name=gone.name, host=gone.host, time=gone.deleted)
        return there[0]

    def _read(self, uuids: Collection[str] | _NotIn | None) -> list[RecordedDomain]:
        """Take the lines of these domains, and say what each has."""
        refused = pull(self._repository, self._lines, uuids).refused
        with_line = self._lines.seen()
        wanted = [uuid for uuid in sorted({*with_line, *self._claimed}) if uuids is None or uuid in uuids]
        gone = f"{self.remote} has nothing of it that can be read"
        return [self._recorded(uuid, refused.get(uuid, "" if uuid in with_line else gone)) for uuid in wanted]

    def _recorded(self, uuid: str, why_not: str) -> RecordedDomain:
        claim = self._claimed.get(uuid)
        claimed = NOBODY if claim is None else claim.host
        try:
            entries = list(self._repository.entries(uuid))
        except HoldfastError as error:
            return RecordedDomain(uuid=uuid, name=uuid, host=claimed, claimed=claimed, lost=error.message)
        host = claimed or next((each.made_on for each in entries if not each.is_end), NOBODY)
        # What this host claimed and does not have is on its way here: the host before has the last word on it.
        is_coming = host == self._here
        of_host = [each for each in entries if each.made_on == host and not is_coming] or entries
        if not of_host:
            why = why_not or "it has no entry"
            return RecordedDomain(uuid=uuid, name=uuid, host=host, claimed=claimed, lost=why)
        deleted = of_host[0].time if of_host[0].is_end and not why_not else ""
        entry, kept, lost = next(self._readable(uuid, of_host, why_not), (None, None, why_not or "it is damaged"))
        name = (entry or of_host[0]).name
        return RecordedDomain(
            uuid=uuid, name=name, host=host, claimed=claimed, entry=entry, kept=kept, lost=lost, deleted=deleted
        )

    def _readable(
        self, uuid: str, entries: Collection[Entry], why_not: str
    ) -> Iterator[tuple[Entry, KeptDocument, str]]:
        for entry in entries:
            try:
                kept = self._repository.kept(entry)
                past_document(kept, self._repository.folder, uuid)
            except HoldfastError as error:
                why_not = why_not or error.message
                continue
            yield entry, kept, why_not


class _NotIn:
    """All domains but some."""

    def __init__(self, uuids: Collection[str]) -> None:
        self._uuids = uuids

    def __contains__(self, uuid: object) -> bool:
        return uuid not in self._uuids


def _some(names: Collection[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join([*sorted(names)[:_NAMED], *([f"and {more} more"] if more > 0 else [])])
