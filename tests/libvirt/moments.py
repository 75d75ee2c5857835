"""The moments at which a test acts: an operation waits for its guest, or for the lock of its domain."""

from __future__ import annotations

import contextlib
import fcntl
import threading
from collections.abc import Callable, Iterator

import pytest

from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.events import Wait
from holdfast_lab.patience import PATIENCE


@contextlib.contextmanager
def once_it_waits(deed: Callable[[], object]) -> Iterator[None]:
    """Inside, ``deed`` is done in a thread of its own as soon as an operation waits for an event of libvirt."""
    real, deeds = Wait.wait, [threading.Thread(target=deed)]

    def wait(self: Wait, timeout: float) -> str | None:
        if deeds:
            deeds.pop().start()
        return real(self, timeout)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wait, "wait", wait)
        yield
    assert not deeds, "nothing has waited"


@contextlib.contextmanager
def a_lock_waited_for() -> Iterator[Callable[[], None]]:
    """Gives a function that returns once somebody in this process has found a lock taken."""
    real, taken = fcntl.flock, threading.Event()

    def flock(file: int, operation: int) -> None:
        try:
            real(file, operation)
        except BlockingIOError:
            taken.set()
            raise

    def wait() -> None:
        assert taken.wait(PATIENCE), "nobody has waited for a lock"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fcntl, "flock", flock)
        yield wait


@contextlib.contextmanager
def broken_off(method: str, at: int) -> Iterator[None]:
    """Inside, the ``at``-th call of this method of a domain is interrupted, before it does anything."""
    real, calls = getattr(Domain, method), iter(range(1, 100))

    def call(*args: object, **options: object) -> object:
        if next(calls) == at:
            raise KeyboardInterrupt
        return real(*args, **options)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Domain, method, call)
        yield
