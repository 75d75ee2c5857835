"""What holds in every tier: how Hypothesis looks for examples."""

from __future__ import annotations

import os
from importlib.util import find_spec

if find_spec("hypothesis"):  # not where Nova is installed
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "holdfast",
        database=None,
        deadline=None,
        derandomize=bool(os.environ.get("CI")),
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("holdfast")
