"""A history for the embedded libvirt."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection
from holdfast.operations import change_record


@pytest.fixture(autouse=True)
def history(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the history, set up and empty; gone after the test, with what was said of it."""
    monkeypatch.setattr(change_record, "_said", set())
    assert connection.history_folder is not None
    folder = Path(connection.history_folder)
    folder.mkdir(parents=True)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)
