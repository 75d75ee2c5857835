"""A domain's console as a stream of bytes in both directions (virDomainOpenConsole)."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable

import libvirt
from holdfast.errors.libvirt import CONNECTION_LOST
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.events import GLANCE, callback, is_lost
from holdfast.libvirtapi.translate import translated

_CHUNK = 65536
_WOULD_BLOCK = -2
_HANGUP = libvirt.VIR_STREAM_EVENT_HANGUP | libvirt.VIR_STREAM_EVENT_ERROR


class Console:
    """An open console. ``output`` is called with what the guest writes, in libvirt's event thread, until it ends."""

    def __init__(self, domain: Domain, output: Callable[[bytes], None], device: str | None, force: bool) -> None:
        self._output = output
        self._pending = b""
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._failure: Exception | None = None
        self._connection = domain._handle.connect()
        self._stream = _opened(domain, device, force)
        translated(self._stream.eventAddCallback)(libvirt.VIR_STREAM_EVENT_READABLE | _HANGUP, _ready, self)

    def send(self, data: bytes) -> None:
        """Type ``data``; what libvirt does not take at once follows as soon as it does."""
        with self._lock:
            self._pending += data
            self._watch_writable()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the domain ends the stream: it stopped, or someone else took the console over.

        Raises what ``output`` raised, which ends the console, too, and CONNECTION_LOST.
        """
        end = math.inf if timeout is None else time.monotonic() + timeout
        while not self._ended.wait(max(0.0, min(GLANCE, end - time.monotonic()))):
            if is_lost(self._connection):  # of that the stream tells nothing (9.0)
                raise CONNECTION_LOST(reason="the connection to libvirt was lost")
            if time.monotonic() >= end:
                break
        if self._failure is not None:
            raise self._failure
        return self._ended.is_set()

    def close(self) -> None:
        """Let go of the console; the domain does not notice."""
        with self._lock, contextlib.suppress(libvirt.libvirtError):  # the connection may be lost
            if not self._ended.is_set():
                self._end()

    def _ready(self, events: int) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            try:
                if events & libvirt.VIR_STREAM_EVENT_READABLE:
                    self._receive()
                if events & libvirt.VIR_STREAM_EVENT_WRITABLE:
                    self._transmit()
            except libvirt.libvirtError:
                events |= _HANGUP
            except Exception as error:  # noqa: BLE001 - it is raised where the end is waited for
                self._failure, events = error, events | _HANGUP
            if events & _HANGUP and not self._ended.is_set():
                self._end()

    def _receive(self) -> None:
        data = self._stream.recv(_CHUNK)
        if data == b"":
            self._end()
        elif isinstance(data, bytes):
            self._output(data)

    def _transmit(self) -> None:
        sent = self._stream.send(self._pending)
        if sent != _WOULD_BLOCK:
            self._pending = self._pending[sent:]
        self._watch_writable()

    def _watch_writable(self) -> None:
        if self._ended.is_set():
            return
        writable = libvirt.VIR_STREAM_EVENT_WRITABLE if self._pending else 0
        self._stream.eventUpdateCallback(libvirt.VIR_STREAM_EVENT_READABLE | _HANGUP | writable)

    def _end(self) -> None:
        self._ended.set()
        self._stream.eventRemoveCallback()
        self._stream.abort()


@translated
def _opened(domain: Domain, device: str | None, force: bool) -> libvirt.virStream:
    stream = domain._handle.connect().newStream(libvirt.VIR_STREAM_NONBLOCK)
    domain._handle.openConsole(device, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE if force else 0)
    return stream


@callback
def _ready(_: libvirt.virStream, events: int, console: Console) -> None:
    console._ready(events)
