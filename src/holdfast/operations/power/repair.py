"""Repairing a domain that does not start: its host side is mended, its hardware stays, and it is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.errors import Failed, HoldfastError, PartlyDone, Refused
from holdfast.hostfiles.lock import domain_lock
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.power.mend_host_side import HostSide, mend_host_side
from holdfast.operations.power.start import start_locked
from holdfast.operations.rescue_mark import refuse_in_rescue


@dataclass(frozen=True)
class Repaired:
    """What was done, or with ``dry_run`` would be: the faults that were ``mended``, in sentences, and the start.

    ``remains`` are those that nothing here can mend; only a dry run returns them, otherwise they are raised.
    ``guest_changes`` tell what the guest finds changed at this start.
    """

    name: str
    uuid: str
    mended: tuple[str, ...]
    remains: tuple[str, ...]
    started: bool
    guest_changes: tuple[str, ...]
    dry_run: bool


def repair_domain(
    connection: Connection,
    name: str,
    *,
    sources: Mapping[str, str] | None = None,
    start: bool = True,
    dry_run: bool = False,
) -> Repaired:
    """Mend what the host provides to the domain ``name``, and ``start`` it where it is shut off.

    Networks and storage pools are started; an image that has moved is found by the volume recorded of its disk, or
    where ``sources`` says, by target (a path, POOL/VOLUME or URL); permissions of images are mended, and an emulator
    that is gone is replaced. All of that in config: what runs keeps running. Raises Failed, or where something was
    mended PartlyDone, naming whatever cannot be mended or why it does not start; NotFound; Refused for a transient
    domain, and in rescue. (see :func:`.host_side.mend_host_side`)
    """
    domain = connection.find_domain(name)
    with domain_lock(domain.uuid):
        if not domain.is_persistent():
            raise Refused(f"the domain {domain.name!r} is transient: there is no config document to repair")
        if connection.readonly and not dry_run:
            raise Failed("a read-only connection cannot repair a domain", "connect without --readonly")
        refuse_in_rescue(domain)
        side = mend_host_side(connection, domain, sources, dry_run=dry_run)
        if side.remains and not dry_run:
            raise _not_repaired(domain.name, side, "; ".join(side.remains), None)
        if not start or side.remains or domain.is_active():
            return Repaired(domain.name, domain.uuid, side.mended, side.remains, False, (), dry_run)
        try:
            change = start_locked(connection, domain, dry_run=dry_run)
        except HoldfastError as error:
            raise _not_repaired(domain.name, side, f"it does not start: {error.message}", error.hint) from error
        return Repaired(domain.name, domain.uuid, side.mended, (), not dry_run, change.guest_changes, dry_run)


def _not_repaired(name: str, side: HostSide, why: str, hint: str | None) -> HoldfastError:
    hint = hint or f"remove the cause, then repeat 'holdfast repair {name}'"
    if not side.mended:
        return Failed(f"the domain {name!r} cannot be repaired: {why}", hint)
    return PartlyDone(f"the domain {name!r} is not wholly repaired ({'; '.join(side.mended)}): {why}", hint)
