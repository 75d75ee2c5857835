"""What holds in every tier: how Hypothesis looks for examples, and that an interrupt interrupts."""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec

# Shells let what they start in the background ignore it, and its children too; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)

if find_spec("hypothesis"):  # not where Nova is installed
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "holdfast",
        database=None,
        deadline=None,
        max_examples=1000 if os.environ.get("HOLDFAST_WHOLE_CORPUS") else 50,
        derandomize=bool(os.environ.get("CI")),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("holdfast")
