"""What libvirt announces of all domains of a connection at once, in words: for whoever watches a host."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec, TypeAlias

import libvirt
from holdfast.errors import LibvirtRefused, NoConnection
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.events import callback, keep_listening
from holdfast.libvirtapi.translate import translated

P = ParamSpec("P")

KEEPALIVE_SECONDS, KEEPALIVE_MISSES = 5, 4
"""A host counts as lost when it answers none of this many requests, this many seconds apart."""


@dataclass(frozen=True)
class Announcement:
    """One announcement: of which domain, what it says, and the state it implies.

    ``sentence`` is empty where the announcement only says that something can be looked at now, ``state`` (in virsh's
    words) where it says nothing of the state. ``uuid`` is empty for the connection itself: it is lost.
    """

    uuid: str
    name: str
    sentence: str = ""
    state: str = ""


Hear: TypeAlias = Callable[[Announcement], None]

_LIFECYCLE = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: ("started", "running"),
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: ("paused", "paused"),
    libvirt.VIR_DOMAIN_EVENT_RESUMED: ("running again", "running"),
    libvirt.VIR_DOMAIN_EVENT_STOPPED: ("stopped", "shut off"),
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: ("suspended by the guest", "pmsuspended"),
    libvirt.VIR_DOMAIN_EVENT_CRASHED: ("crashed", "crashed"),
}
"""virDomainEventType in words. Defined, undefined and in shutdown need none: looking at the domain tells more."""

_DETAILS = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: {
        libvirt.VIR_DOMAIN_EVENT_STARTED_MIGRATED: "it came from another host",
        libvirt.VIR_DOMAIN_EVENT_STARTED_RESTORED: "from saved memory",
        libvirt.VIR_DOMAIN_EVENT_STARTED_FROM_SNAPSHOT: "from a snapshot",
    },
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: {
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR: "an I/O error",
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG: "its watchdog",
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED_FROM_SNAPSHOT: "from a snapshot",
        libvirt.VIR_DOMAIN_EVENT_SUSPENDED_API_ERROR: "a call failed",
    },
    libvirt.VIR_DOMAIN_EVENT_STOPPED: {
        libvirt.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN: "the guest shut down",
        libvirt.VIR_DOMAIN_EVENT_STOPPED_DESTROYED: "destroyed",
        libvirt.VIR_DOMAIN_EVENT_STOPPED_CRASHED: "crashed",
        libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED: "it went to another host",
        libvirt.VIR_DOMAIN_EVENT_STOPPED_SAVED: "its memory is saved",
        libvirt.VIR_DOMAIN_EVENT_STOPPED_FAILED: "it failed",
        libvirt.VIR_DOMAIN_EVENT_STOPPED_FROM_SNAPSHOT: "for a snapshot",
    },
}


@contextlib.contextmanager
def domain_events(connection: Connection, hear: Hear) -> Iterator[None]:
    """Call ``hear`` for each announcement while the block runs, from libvirt's own thread, and when the host is lost.

    What ``hear`` raises goes to the log, and the next announcement to ``hear``.

    (virConnectDomainEventRegisterAny for all domains, virConnectRegisterCloseCallback, virConnectSetKeepAlive)
    """
    handle = connection._handle
    register = handle.domainEventRegisterAny
    keep_listening(handle)
    with contextlib.ExitStack() as undo:
        for registration in (
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, _lifecycle, hear),
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, _rebooted, hear),
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, _refused, hear),
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, _other_device, hear),
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, _other_device, hear),
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_TRAY_CHANGE, _tray, hear),
            lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_BLOCK_JOB_2, _block_job, hear),
        ):
            undo.callback(_forget, handle.domainEventDeregisterAny, translated(registration)())
        with contextlib.suppress(LibvirtRefused):  # qemu:///embed has no connection that could break
            translated(handle.registerCloseCallback)(_lost, hear)
            undo.callback(_forget, handle.unregisterCloseCallback)
            translated(handle.setKeepAlive)(KEEPALIVE_SECONDS, KEEPALIVE_MISSES)
        yield


def _forget(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    with contextlib.suppress(NoConnection, LibvirtRefused):  # a lost connection calls nobody any more
        translated(call)(*args, **kwargs)


def _heard(domain: libvirt.virDomain, sentence: str = "", state: str = "") -> Announcement:
    return Announcement(domain.UUIDString(), domain.name(), sentence, state)


@callback
def _lifecycle(_: libvirt.virConnect, domain: libvirt.virDomain, event: int, detail: int, hear: Hear) -> None:
    sentence, state = _LIFECYCLE.get(event, ("", ""))
    why = _DETAILS.get(event, {}).get(detail)
    hear(_heard(domain, f"{sentence}: {why}" if why else sentence, state))


@callback
def _rebooted(_: libvirt.virConnect, domain: libvirt.virDomain, hear: Hear) -> None:
    hear(_heard(domain, "the guest rebooted"))


@callback
def _refused(_: libvirt.virConnect, domain: libvirt.virDomain, alias: str, hear: Hear) -> None:
    hear(_heard(domain, f"the guest refuses to release {alias}"))


@callback
def _other_device(_: libvirt.virConnect, domain: libvirt.virDomain, _alias: str, hear: Hear) -> None:
    hear(_heard(domain))


@callback
def _tray(_: libvirt.virConnect, domain: libvirt.virDomain, _alias: str, _reason: int, hear: Hear) -> None:
    hear(_heard(domain))


@callback
def _block_job(
    _: libvirt.virConnect, domain: libvirt.virDomain, _disk: str, _kind: int, _status: int, hear: Hear
) -> None:
    hear(_heard(domain))


@callback
def _lost(_: libvirt.virConnect, _reason: int, hear: Hear) -> None:
    hear(Announcement("", ""))
