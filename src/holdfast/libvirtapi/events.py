"""libvirt's event loop, and waiting for what libvirt announces. The waiter exists before the call it waits for."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, ParamSpec

import libvirt
from holdfast.errors.libvirt import CONNECTION_LOST
from holdfast.libvirtapi.translate import keep_errors, translated

if TYPE_CHECKING:
    import logging

P = ParamSpec("P")

GLANCE = 1.0
"""Seconds after which whoever waits for libvirt looks whether it is still there."""

_started = threading.Lock()
_loop: threading.Thread | None = None
_keeping = threading.Lock()
_kept: dict[libvirt.virConnect, int] = {}


def ensure_event_loop() -> None:
    """Start the process's one libvirt event loop, in a daemon thread.

    It must run before the first connection is opened (virEventRegisterDefaultImpl); ``qemu:///embed`` and keepalive
    need it as much as events do.
    """
    global _loop
    with _started:
        if _loop is None:
            keep_errors()
            libvirt.virEventRegisterDefaultImpl()
            _loop = threading.Thread(target=_run, name="libvirt-events", daemon=True)
            _loop.start()


def _run() -> None:
    while True:
        try:
            libvirt.virEventRunDefaultImpl()
        except Exception:  # noqa: BLE001 - it goes to the log
            _logger().exception("libvirt's event loop failed, and goes on")
            time.sleep(1)  # it may fail again at once, and again


def callback(function: Callable[P, object]) -> Callable[P, None]:
    """``function`` as libvirt may call it in the thread of its events: what it raises goes to the log.

    Without this the binding prints a traceback on standard error (9.0). The next event comes either way.
    """

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except Exception:  # noqa: BLE001 - it goes to the log
            _logger().exception("%s failed on an event of libvirt", function.__qualname__)

    return wrapper


def _logger() -> logging.Logger:
    import logging  # takes longer than libvirt needs to list domains

    # Where nobody has set up logging, Python prints errors on standard error.
    return logging.getLogger("holdfast.libvirt")


def is_lost(conn: libvirt.virConnect) -> bool:
    """True once the connection is broken; libvirt then calls nobody any more. (virConnectIsAlive, which asks nobody)"""
    return not translated(conn.isAlive)()


class Wait:
    """What a waiter saw over one connection: ``outcome`` is None until the event has come."""

    def __init__(self, conn: libvirt.virConnect) -> None:
        self.outcome: str | None = None
        self._conn = conn
        self._seen = threading.Event()

    def settle(self, outcome: str) -> None:
        """Record the outcome and wake whoever waits."""
        self.outcome = outcome
        self._seen.set()

    def wait(self, timeout: float) -> str | None:
        """Wait up to ``timeout`` seconds; return the outcome, None when nothing came.

        Raises CONNECTION_LOST when nothing can come any more.
        """
        end = time.monotonic() + timeout
        while not self._seen.wait(max(0.0, min(GLANCE, end - time.monotonic()))) and time.monotonic() < end:
            if is_lost(self._conn):
                raise CONNECTION_LOST(reason="the connection to libvirt was lost")
        return self.outcome


@contextlib.contextmanager
def device_removal(domain: libvirt.virDomain, alias: str) -> Iterator[Wait]:
    """Listen for the guest's answer to a detach of device ``alias``: "removed" or "refused".

    Rests on VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED and _DEVICE_REMOVAL_FAILED. Register first, then ask for the detach.
    """
    conn = domain.connect()
    wait = Wait(conn)

    @callback
    def answered(_conn: libvirt.virConnect, _domain: libvirt.virDomain, device: str, outcome: str) -> None:
        if device == alias:
            wait.settle(outcome)

    register = conn.domainEventRegisterAny
    with (
        _listening(conn, lambda: register(domain, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, answered, "removed")),
        _listening(
            conn, lambda: register(domain, libvirt.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVAL_FAILED, answered, "refused")
        ),
    ):
        yield wait


@contextlib.contextmanager
def domain_stop(domain: libvirt.virDomain) -> Iterator[Wait]:
    """Listen for the domain to stop running, for whatever reason (VIR_DOMAIN_EVENT_ID_LIFECYCLE, STOPPED)."""
    conn = domain.connect()
    wait = Wait(conn)

    @callback
    def changed(_conn: libvirt.virConnect, _domain: libvirt.virDomain, event: int, _detail: int, outcome: str) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_STOPPED:
            wait.settle(outcome)

    register = conn.domainEventRegisterAny
    with _listening(conn, lambda: register(domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, changed, "stopped")):
        yield wait


def keep_listening(conn: libvirt.virConnect) -> None:
    """Have one callback registered until :func:`stop_listening`, so that no later one of ``conn`` waits in vain.

    An event that comes while the last callback goes can stay in libvirt's queue, whose timer has gone with the
    callback; the next callback brings a new one, which only the first event of a queue starts: nothing is announced
    any more (virObjectEventStateQueueRemote, 9.0).
    """
    register = conn.domainEventRegisterAny
    with _keeping:
        if conn not in _kept:
            # Something rare that nobody else listens to: libvirt takes one callback of each kind for all domains.
            _kept[conn] = translated(lambda: register(None, libvirt.VIR_DOMAIN_EVENT_ID_CONTROL_ERROR, _ignore, None))()


def stop_listening(conn: libvirt.virConnect) -> None:
    """Before ``conn`` is closed, which a callback would keep open (virConnectDomainEventDeregisterAny)."""
    number = _kept.pop(conn, None)
    if number is not None and not is_lost(conn):
        translated(conn.domainEventDeregisterAny)(number)


def _ignore(*_: object) -> None: ...


@contextlib.contextmanager
def _listening(conn: libvirt.virConnect, register: Callable[[], int]) -> Iterator[None]:
    """What ``register`` has registered is called while the block runs (virConnectDomainEventRegisterAny)."""
    keep_listening(conn)
    number = translated(register)()
    try:
        yield
    finally:
        if not is_lost(conn):
            translated(conn.domainEventDeregisterAny)(number)
