"""What a story has set for the history is not set for the next one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection


@pytest.fixture(autouse=True)
def nothing_is_set(connection: Connection) -> Iterator[None]:
    """The settings go when the test ends."""
    yield
    assert connection.history_settings_file is not None
    Path(connection.history_settings_file).unlink(missing_ok=True)
