"""What the versions of a host's QEMU and libvirt are known to change, and which saved memory they do not restore."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.fact import Started
from holdfast.domainxml.host.known_changes import known_changes, memory_lost, memory_refused
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.metadata import fact
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.records.garbled import recorded_versions
from holdfast.domainxml.snapshots.stored import StoredSnapshot
from holdfast.domainxml.versions import NOT_KNOWN, Versions
from holdfast.operations.host.outlook import HostOutlook


def version_outlook(
    domain: Element, before: Versions, host: HostOutlook, origin: HostOutlook | None = None
) -> Iterator[Outlook]:
    """What a cold start of ``domain`` on ``host`` changes that no document tells.

    ``before`` are the versions by which its guest was started. Where nobody knows them, those of ``origin`` count, the
    host that it is on, if that is another one.
    """
    if host.speaks_of(Platform.of(domain).emulator):
        yield from known_changes(domain, _those(before, host, origin), host.versions)


def save_outlook(saved: Element, config: Element, host: HostOutlook, origin: HostOutlook | None) -> Iterator[Outlook]:
    """Why the managed-save image with the document ``saved`` is not restored on ``host``: the domain does not start."""
    if lost := _lost(saved, config, host, origin):
        yield Outlook(Effect.BLOCKS, "managed save", f"its managed-save image: {lost}")


def snapshot_outlook(snapshot: StoredSnapshot, host: HostOutlook, origin: HostOutlook | None) -> Iterator[Outlook]:
    """Why the memory in ``snapshot`` is not restored on ``host``."""
    live, config = snapshot.live, snapshot.config
    if live is not None and config is not None and (lost := _lost(live, config, host, origin)):
        yield Outlook(Effect.NOTE, "snapshot", f"its snapshot {snapshot.name}: {lost}")


def migration_outlook(
    live: Element, config: Element, host: HostOutlook, origin: HostOutlook | None
) -> Iterator[Outlook]:
    """Why the guest of ``live``, which runs at ``origin``, cannot go on under the QEMU of ``host``."""
    if refused := memory_refused(live, _running(live, config, host, origin), host.versions):
        yield Outlook(Effect.BLOCKS, "migration", refused)


def _lost(live: Element, config: Element, host: HostOutlook, origin: HostOutlook | None) -> str | None:
    return memory_lost(live, _running(live, config, host, origin), host.versions)


def _running(live: Element, config: Element, host: HostOutlook, origin: HostOutlook | None) -> Versions:
    """The versions by which the guest of ``live`` was started; a start that is recorded in it is an earlier one."""
    started = fact(config, Started)
    is_known = started is not None and fact(live, Started) is None
    before = recorded_versions(started) if started is not None and is_known else NOT_KNOWN
    return _those(before, host, origin)


def _those(before: Versions, host: HostOutlook, origin: HostOutlook | None) -> Versions:
    return origin.versions if before == NOT_KNOWN and origin is not None and origin is not host else before
