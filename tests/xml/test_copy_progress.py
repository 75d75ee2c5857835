"""The bar of a copy on a terminal."""

from __future__ import annotations

import io

import pytest

from holdfast.cli.devices.copy_progress import progress_bar


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_nothing_is_drawn_before_something_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = _Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress_bar("uploading") as progress:
        assert terminal.getvalue() == ""
        assert progress is not None
        progress(1, 2)
    assert "uploading" in terminal.getvalue()


def test_nothing_is_drawn_elsewhere_than_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with progress_bar("uploading") as progress:
        assert progress is None
