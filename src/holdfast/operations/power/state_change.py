"""What a power operation did, and which state a domain must be in for one."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.host.outlook import Outlook
from holdfast.errors import NotFound, domains, power
from holdfast.libvirtapi.domain import PAUSED, SHUT_OFF
from holdfast.operations.guard import ColdStart
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain

GONE = "gone"
"""The state after a transient domain has stopped: libvirt forgets it."""

OFF = frozenset({SHUT_OFF, "crashed", "no state"})
"""The states of a domain without a QEMU."""


@dataclass(frozen=True, kw_only=True)
class PowerChange(Result):
    """A change of a domain's state; ``changes`` are those of a cold start, because config and live differed.

    ``before``, ``after``  the states, in virsh's words, or "gone". A dry run's ``after`` is None where nobody can tell:
                           what is restored comes back running, or paused where it was saved so
    ``outlooks``           what else the guest sees of a cold start, or why there would be none, because of the host
    ``mended``             what of the host side was mended before a hard reboot, in sentences
    ``restored``           True when the start continues from a managed-save image instead of booting
    ``recorded_now``       what the record lacked where the domain ran, or was off, already: nothing else was done
    ``left_rescue``        True when this ends a rescue: the next start is the domain's own
    """

    before: str
    after: str | None
    outlooks: tuple[Outlook, ...] = ()
    mended: tuple[str, ...] = ()
    restored: bool = False
    left_rescue: bool = False
    recorded_now: tuple[str, ...] = ()

    @property
    def sees(self) -> tuple[str, ...]:
        """What the guest sees of a cold start, in sentences."""
        return (*map(str, self.changes), *map(str, self.outlooks))


def power_change(
    domain: OpenDomain,
    before: str,
    dry_run: bool,
    start: ColdStart | None = None,
    *,
    foreseen: str | None,
    mended: tuple[str, ...] = (),
    waits: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
    restored: bool = False,
    left_rescue: bool = False,
    recorded_now: tuple[str, ...] = (),
) -> PowerChange:
    """What was done to ``domain``, whose state was ``before``; the state after it is read now.

    In a dry run that is ``foreseen``: the state that the operation would leave; None where nobody can tell.
    """
    after = _foreseen(domain, foreseen) if dry_run else _state_now(domain)
    brought = start or ColdStart()
    return PowerChange(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=brought.changes,
        waits=waits,
        notes=(*brought.notes, *notes),
        before=before,
        after=after,
        outlooks=brought.outlooks,
        mended=mended,
        restored=restored,
        left_rescue=left_rescue,
        recorded_now=recorded_now,
    )


def _foreseen(domain: OpenDomain, state: str | None) -> str | None:
    return GONE if state == SHUT_OFF and not domain.is_persistent() else state


def _state_now(domain: OpenDomain) -> str:
    try:
        return domain.state()
    except NotFound:
        return GONE


def active_state(domain: OpenDomain) -> str:
    """The state of a domain that must have a QEMU. Raises NOT_RUNNING."""
    state = domain.state()
    if state in OFF:
        raise domains.NOT_RUNNING(name=domain.name)
    return state


def answering_state(domain: OpenDomain) -> str:
    """The state of a domain whose guest can answer a button. Raises NOT_RUNNING, PAUSED, ASLEEP."""
    state = active_state(domain)
    if state == PAUSED:
        raise power.PAUSED(name=domain.name)
    if state == "pmsuspended":
        raise power.ASLEEP(name=domain.name)
    return state
