"""What a watch reports: one change of one domain's state or hardware; and what differs between two looks at it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.compare.changed_sources import changed_sources
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.state_files import StateFile
from holdfast.hostfiles.state_file import Look, is_another
from holdfast.libvirtapi.domain import Definition


class About(StrEnum):
    """What a notice is about."""

    HOST = "host"
    STATE = "state"
    HARDWARE = "hardware"
    SOURCE = "source"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing that happened, or was found to have happened.

    ``time``         when it was noticed (ISO 8601, UTC)
    ``host``         its URI
    ``name``, ``uuid``  the domain's; None for what concerns the host itself
    ``about``        a state; hardware, as the guest sees it; or a source, which the guest does not see
    ``definitions``  the documents that changed: "live" (the guest has it now), "config" (from its next start on)
    ``sentence``     what happened, in words
    ``change``       for hardware: the change, typed
    ``unreached``    True in the first notice about a host that could not be reached
    """

    time: str = field(default_factory=_now)
    host: str
    name: str | None = None
    uuid: str | None = None
    about: About
    definitions: tuple[Definition, ...] = ()
    sentence: str
    change: Change | None = None
    unreached: bool = False

    @classmethod
    def of_host(cls, host: str, sentence: str, unreached: bool = False) -> Notice:
        """A notice on the host itself."""
        return cls(host=host, about=About.HOST, sentence=sentence, unreached=unreached)

    @classmethod
    def of_state(cls, host: str, name: str, uuid: str, sentence: str) -> Notice:
        """A notice on the state of a domain."""
        return cls(host=host, name=name, uuid=uuid, about=About.STATE, sentence=sentence)


@dataclass(frozen=True)
class Observation:
    """One look at a domain: its documents as text, None where it has none. ``last`` is live of the run before.

    ``beside`` is what it has beside its documents; ``known`` what was last there, by path (:attr:`.Look.born`).
    """

    name: str
    state: str
    live: str | None
    config: str | None
    last: str | None = None
    beside: Mapping[StateFile, Look] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)

    def after(self, before: Observation | None) -> Observation:
        """This look, with what is remembered from the look ``before``: the hardware and the state of the last run."""
        there = {file.path: found.born for file, found in self.beside.items() if found.there}
        if before is None:
            return replace(self, known={**there, **self.known})
        last = before.live if self.live is None and before.live is not None else before.last
        return replace(self, last=last, known={**before.known, **there})

    def in_state(self, state: str) -> Observation:
        """As it is, in another state."""
        return replace(self, state=state)


def differences(host: str, uuid: str, before: Observation, after: Observation) -> Iterator[Notice]:
    """What happened between two looks at a domain: its name, its state, then its hardware.

    A change of both documents is reported once. At a start the guest's hardware is compared with that of its last
    run, so that a domain which was generated anew in between shows what its guest lost; with config at its first.
    """
    if before.name != after.name:
        yield Notice.of_state(host, after.name, uuid, f"renamed, it was {before.name!r}")
    if before.state != after.state:
        yield Notice.of_state(host, after.name, uuid, f"{after.state}, it was {before.state}")
    for sentence in _of_state(before, after):
        yield Notice(host=host, name=after.name, uuid=uuid, about=About.SOURCE, sentence=sentence)
    found: dict[tuple[str, Change | None], list[Definition]] = {}
    for definition, old, new in (
        (Definition.LIVE, before.live or before.last or before.config, after.live),
        (Definition.CONFIG, before.config, after.config),
    ):
        if old is None or new is None or old == new:
            continue
        for change in visible(compare(old, new)):
            found.setdefault((str(change), change), []).append(definition)
        for sentence in changed_sources(parse(old), parse(new)):
            found.setdefault((sentence, None), []).append(definition)
    for (sentence, seen), definitions in found.items():
        yield Notice(
            host=host,
            name=after.name,
            uuid=uuid,
            about=About.SOURCE if seen is None else About.HARDWARE,
            definitions=tuple(definitions),
            sentence=sentence,
            change=seen,
        )


def _of_state(before: Observation, after: Observation) -> Iterator[str]:
    """What of its NVRAM and TPM state has gone, or is another file than was last there."""
    for file, now in after.beside.items():
        last, then = before.known.get(file.path), before.beside.get(file)
        if now.there is False and last is not None and (then is None or then.there is not False):
            yield f"its {file} is gone"
        elif now.there and is_another(last or "", now.born):
            yield f"its {file} is another file than before: it was made anew, or somebody put it there"
