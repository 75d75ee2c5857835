"""libvirt's event loop, and waiting for what libvirt announces. The waiter exists before the call it waits for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import libvirt
from holdfast.libvirtapi.translate import translated

_started = threading.Lock()
_loop: threading.Thread | None = None


def ensure_event_loop() -> None:
    """Start the process's one libvirt event loop, in a daemon thread.

    It must run before the first connection is opened (virEventRegisterDefaultImpl); ``qemu:///embed`` and keepalive
    need it as much as events do.
    """
    global _loop
    with _started:
        if _loop is None:
            # Without a handler libvirt prints every error to stderr, beside ours.
            libvirt.registerErrorHandler(lambda *_: None, None)
            libvirt.virEventRegisterDefaultImpl()
            _loop = threading.Thread(target=_run, name="libvirt-events", daemon=True)
            _loop.start()


def _run() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


class Wait:
    """What a waiter saw: ``outcome`` is None until the event has come."""

    def __init__(self) -> None:
        self.outcome: str | None = None
        self._seen = threading.Event()

    def settle(self, outcome: str) -> None:
        """Record the outcome and wake whoever waits."""
        self.outcome = outcome
        self._seen.set()

    def wait(self, timeout: float) -> str | None:
        """Wait up to ``timeout`` seconds; return the outcome, None when nothing came."""
        self._seen.wait(timeout)
        return self.outcome


@contextlib.contextmanager
def device_removal(domain: Any, alias: str) -> Iterator[Wait]:
    """Listen for the guest's answer to a detach of device ``alias``: "removed" or "refused".

    Rests on VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED and _DEVICE_REMOVAL_FAILED. Register first, then ask for the detach.
    """
    wait = Wait()

    def heard(_conn: Any, _dom: Any, dev_alias: str, outcome: str) -> None:
        if dev_alias == alias:
            wait.settle(outcome)

    conn = domain.connect()
    with (
        _registered(conn, domain, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, heard, "removed"),
        _registered(conn, domain, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, heard, "refused"),
    ):
        yield wait


@contextlib.contextmanager
def stopped(domain: Any) -> Iterator[Wait]:
    """Listen for the domain to stop running, for whatever reason (VIR_DOMAIN_EVENT_ID_LIFECYCLE, STOPPED)."""
    wait = Wait()

    def heard(_conn: Any, _dom: Any, event: int, _detail: int, outcome: str) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            wait.settle(outcome)

    with _registered(domain.connect(), domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, heard, "stopped"):
        yield wait


@contextlib.contextmanager
def _registered(conn: Any, domain: Any, event_id: int, callback: Any, opaque: str) -> Iterator[None]:
    register = translated(conn.domainEventRegisterAny)
    handle = register(domain, event_id, callback, opaque)
    try:
        yield
    finally:
        translated(conn.domainEventDeregisterAny)(handle)
