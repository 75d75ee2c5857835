"""What a story has recorded in the history, or set for it, is nothing to the next one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection


@pytest.fixture(autouse=True)
def nothing_stays(connection: Connection) -> Iterator[None]:
    """The history and its settings go when the test ends."""
    yield
    assert connection.history_settings_file is not None
    Path(connection.history_settings_file).unlink(missing_ok=True)
    shutil.rmtree(str(connection.history_folder), ignore_errors=True)
