"""What a power operation did, and which state a domain must be in for one."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.host.outlook import Outlook
from holdfast.errors import NotFound, domains, power
from holdfast.operations.guard import ColdStart
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain

GONE = "gone"
"""The state after a transient domain has stopped: libvirt forgets it."""

OFF = frozenset({"shut off", "crashed", "no state"})
"""The states of a domain without a QEMU."""


@dataclass(frozen=True, kw_only=True)
class PowerChange(Result):
    """A change of a domain's state; ``changes`` are those of a cold start, because config and live differed.

    ``before``, ``after``  the states, in virsh's words (after: read back; also "gone"; in a dry run equal to before)
    ``outlooks``           what else the guest sees of a cold start, or why there would be none: it comes of the host
    ``mended``             what of the host side was mended before a hard reboot, in sentences
    ``restored``           True when the start continues from a managed-save image instead of booting
    ``left_rescue``        True when this ends a rescue: the next start is the domain's own
    """

    before: str
    after: str
    outlooks: tuple[Outlook, ...] = ()
    mended: tuple[str, ...] = ()
    restored: bool = False
    left_rescue: bool = False

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
    mended: tuple[str, ...] = (),
    waits: tuple[str, ...] = (),
    restored: bool = False,
    left_rescue: bool = False,
) -> PowerChange:
    """What was done to ``domain``, whose state was ``before``; the state after it is read now."""
    try:
        after = domain.state()
    except NotFound:
        after = GONE
    brought = start or ColdStart()
    return PowerChange(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=brought.changes,
        waits=waits,
        notes=brought.notes,
        before=before,
        after=after,
        outlooks=brought.outlooks,
        mended=mended,
        restored=restored,
        left_rescue=left_rescue,
    )


def active_state(domain: OpenDomain) -> str:
    """The state of a domain that must have a QEMU. Raises NOT_RUNNING."""
    state = domain.state()
    if state in OFF:
        raise domains.NOT_RUNNING(name=domain.name)
    return state


def hearing_state(domain: OpenDomain) -> str:
    """The state of a domain whose guest can answer a button. Raises NOT_RUNNING, PAUSED, ASLEEP."""
    state = active_state(domain)
    if state == "paused":
        raise power.PAUSED(name=domain.name)
    if state == "pmsuspended":
        raise power.ASLEEP(name=domain.name)
    return state
