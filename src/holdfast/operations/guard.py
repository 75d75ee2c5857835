"""The guard: what the guest would see differ is looked at before an operation starts, edits, restores or reverts.

What somebody could prevent by acting differently, and nobody asked for, is refused. What nobody can prevent (another
firmware build, host-model expanded anew on this host) is reported and never refused.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, visible
from holdfast.domainxml.document import Element
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.records.garbled import garbled_facts
from holdfast.errors import Condition, HoldfastError
from holdfast.errors.changes import WOULD_NOT_START
from holdfast.errors.guard import UNASKED, UNASKED_AT_START
from holdfast.operations.host.outlook import HostOutlook, known_guest
from holdfast.operations.own_state import refuse_lost_state, refuse_unfit_nvram, state_outlook
from holdfast.operations.session import Need, OpenDomain
from holdfast.operations.waiting import is_asked_for, waiting

Asked = Callable[[Change], bool]
"""True for a change of the guest view that was asked for."""


def nothing_asked(change: Change) -> bool:
    """For an operation that a guest must not notice at all."""
    return False


def refuse_unasked(
    name: str,
    changes: Iterable[Change],
    asked: Asked = nothing_asked,
    *,
    also: Iterable[str] = (),
    condition: Condition[HoldfastError] = UNASKED,
) -> None:
    """Raise ``condition``, listing them, where the guest of ``name`` would see ``changes`` that nobody asked for.

    ``also`` are sentences on what else stands in the way.
    """
    found = [str(change) for change in visible(changes) if not asked(change)]
    if sentences := [*found, *also]:
        raise condition(name=name, changes=sentences)


def refuse_unstartable(domain: OpenDomain, before: Element, after: Element, what: str) -> None:
    """Raise WOULD_NOT_START where ``what`` in ``after`` keeps ``domain`` from starting here, which started ``before``.

    Both are config documents, or as much of them as matters: the platform, and the devices that are changed.
    """
    if reasons := HostOutlook(domain.connection).new_devices_block(before, after):
        raise WOULD_NOT_START(what=what, name=domain.name, reasons=reasons)


@dataclass(frozen=True)
class ColdStart:
    """What a cold start now would bring: what waits in config, and what comes of the host as it is.

    ``notes`` say which facts nobody could read, and what of the guest's state cannot be looked at.
    """

    changes: tuple[Change, ...] = ()
    outlooks: tuple[Outlook, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def sees(self) -> tuple[str, ...]:
        """All of it, in sentences."""
        return (*map(str, self.changes), *map(str, self.outlooks))


def look_before_start(
    domain: OpenDomain,
    *,
    accept: bool = False,
    fresh: Collection[str] = (),
    dry_run: bool = False,
    missing: Iterable[str] = (),
) -> ColdStart:
    """What the guest of ``domain`` will see of a cold start now.

    Raises UNFINISHED, STATE_GONE where NVRAM or TPM state is lost that is not of a kind in ``fresh``, NVRAM_UNFIT, and
    UNASKED_AT_START where there are changes that nobody asked for, or where the domain would not start, unless
    ``accept`` takes them; a ``dry_run`` only lists. Devices that were detached and wait for the guest to release them
    were asked for. Before a start from shut off only CPU and firmware can be compared. ``missing`` are sentences on
    what the host does not provide.
    """
    domain.refuse_unless(Need.WHOLE)
    documents = domain.documents
    if documents.config is None:
        return ColdStart()
    pending = waiting(documents)
    last = known_guest(documents.live, documents.config)
    lacks = [Outlook(Effect.BLOCKS, "host", sentence) for sentence in missing]
    host = [*lacks, *HostOutlook(domain.connection).hardware(documents.config, last)]
    state = list(state_outlook(domain.connection, documents.config, live=documents.live, fresh=fresh))
    if not dry_run:
        refuse_lost_state(domain.connection, domain.name, documents.config, fresh)
        refuse_unfit_nvram(domain.connection, domain.name, documents.config)
    if not accept and not dry_run:
        blocks = [str(outlook) for outlook in host if outlook.stops]
        refuse_unasked(
            domain.name,
            pending,
            is_asked_for(documents),
            also=blocks if domain.is_active() else (),
            condition=UNASKED_AT_START,
        )
    return ColdStart(
        tuple(pending),
        tuple(each for each in (*host, *state) if each.effect in (Effect.BLOCKS, Effect.CHANGES)),
        (*garbled_facts(documents.config), *(str(each) for each in state if each.effect is Effect.UNKNOWN)),
    )
