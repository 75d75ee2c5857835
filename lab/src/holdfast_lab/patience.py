"""Waiting for what is bound to come. On a busy machine it comes late, so only what hangs is ever given up."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 600.0
"""Seconds. Nothing that works takes as long, however busy the machine is."""


def wait_until(condition: Callable[[], object], otherwise: str) -> None:
    """Look until ``condition`` holds. Raises TimeoutError, which says ``otherwise``, when it never does."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.02)
