"""Repairing a domain that does not start: its host side is mended, its hardware stays, and it is started."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from holdfast.domainxml.document import child, text_of
from holdfast.domainxml.host.outlook import Outlook
from holdfast.errors import HoldfastError, NoConnection, power
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.outlook import HostOutlook, KnownGuest
from holdfast.operations.own_state import lost_state
from holdfast.operations.power.mend_host_side import mend_host_side
from holdfast.operations.power.start import start_locked
from holdfast.operations.power_record import record_missing
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing


@dataclass(frozen=True, kw_only=True)
class Repaired(Result):
    """A repair, and the start after it; ``changes`` are those of the start.

    ``mended``    the faults that were mended, in sentences
    ``remains``   those that nothing here can mend, of the hardware too: only a dry run returns them, otherwise they are
                  raised
    ``started``   True when the domain was started
    ``outlooks``  what else the guest sees of the start: it comes of the host
    """

    mended: tuple[str, ...]
    remains: tuple[str, ...] = ()
    started: bool = False
    outlooks: tuple[Outlook, ...] = ()

    @property
    def sees(self) -> tuple[str, ...]:
        """What the guest sees of the start, in sentences."""
        return (*map(str, self.changes), *map(str, self.outlooks))


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
    that is gone is replaced. All of that in config: what runs keeps running. Raises NOT_REPAIRED, or where
    something was mended NOT_WHOLLY_REPAIRED, naming whatever cannot be mended, hardware that this host cannot give
    included, and so where it does not start;
    NO_DISK, TRANSIENT, IN_RESCUE. (see :func:`.mend_host_side.mend_host_side`)
    """
    needs = Need.CONFIG | Need.OWN_HARDWARE
    with changing(connection, name, needs=needs, dry_run=dry_run) as domain:
        side = mend_host_side(domain, sources, dry_run=dry_run)
        remains = (*side.remains, *_host_cannot(domain), *_lost(domain))
        if remains and not dry_run:
            condition = power.NOT_WHOLLY_REPAIRED if side.mended else power.NOT_REPAIRED
            raise condition(name=domain.name, mended=side.mended, why="; ".join(remains))
        result = Repaired(name=domain.name, uuid=domain.uuid, dry_run=dry_run, mended=side.mended, remains=remains)
        if not start or remains:
            return result
        if domain.is_active():
            recorded = record_missing(domain, dry_run=dry_run)
            return replace(result, notes=tuple(f"not recorded before: {each}" for each in recorded))
        try:
            change = start_locked(domain, dry_run=dry_run, mended=True)
        except NoConnection:  # nobody knows whether it runs
            raise
        except HoldfastError as error:
            condition = power.MENDED_NOT_STARTED if side.mended else power.REPAIRED_NOT_STARTED
            raise condition(name=domain.name, mended=side.mended, cause=error) from error
        return replace(result, changes=change.changes, outlooks=change.outlooks, notes=change.notes, started=True)


def _lost(domain: OpenDomain) -> Iterator[str]:
    """What nobody can mend but whoever has a copy of it."""
    config = domain.documents.config
    for file in lost_state(domain.connection, config) if config is not None else ():
        yield f"its {file} is gone: put it back, or start the domain with a new one"


def _host_cannot(domain: OpenDomain) -> Iterator[str]:
    """Why this host cannot give the domain its hardware: that is nothing of the host side, and not mended."""
    config = copy.deepcopy(domain.documents.config)
    assert config is not None  # an operation that needs it refuses a domain without
    for emulator in config.findall("devices/emulator"):
        if domain.connection.is_local and file_exists(text_of(emulator)) is False:
            child(config, "devices").remove(emulator)  # in a dry run it is yet to be replaced
    for outlook in HostOutlook(domain.connection).hardware(config, KnownGuest()):
        if outlook.stops:
            yield outlook.sentence
