"""The settings of a history: what a file sets, and which file is not believed."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from tests.raising import raising

from holdfast.errors.history import SETTING, SETTINGS_OF_OTHERS, SETTINGS_UNREADABLE
from holdfast.hostfiles.history_settings import HistorySettings, read_history_settings


def file_with(folder: Path, text: str) -> Path:
    file = folder / "history.toml"
    file.write_text(text)
    file.chmod(0o644)
    return file


def test_nothing_is_set_where_there_is_no_file(tmp_path: Path) -> None:
    assert read_history_settings(tmp_path / "none", of_root=True) == HistorySettings()


def test_each_setting_is_read(tmp_path: Path) -> None:
    text = 'remote = "ssh://backup/hardware.git"\nstate = "/srv/state"\nrecipient = "age1x"\nkeep = "5 years"\n'
    assert read_history_settings(file_with(tmp_path, text), of_root=False) == HistorySettings(
        remote="ssh://backup/hardware.git", state="/srv/state", recipient="age1x", keep=timedelta(days=5 * 365)
    )


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('remotes = "x"', "remotes"),
        ("remote = 1", "remote"),
        ('remote = ""', "remote"),
        ('remote = "-oProxyCommand=x"', "remote"),
        ('state = "a\\nb"', "state"),
        ("[state]", "state"),
        ('keep = "for ever"', "keep"),
        ('keep = "-1 days"', "keep"),
    ],
)
def test_what_is_no_setting_is_named_with_its_file(tmp_path: Path, text: str, key: str) -> None:
    file = file_with(tmp_path, text)
    with raising(SETTING, key=key, file=str(file)):
        read_history_settings(file, of_root=False)


@pytest.mark.parametrize("text", ["remote = ", "\udcff", "remote = " + "[" * 100_000])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "history.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with raising(SETTINGS_UNREADABLE, file=str(file)):
        read_history_settings(file, of_root=False)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write_to_is_not_believed(tmp_path: Path, mode: int) -> None:
    file = file_with(tmp_path, 'remote = "/elsewhere"')
    file.chmod(mode)
    with raising(SETTINGS_OF_OTHERS, file=str(file)):
        read_history_settings(file, of_root=False)


def test_a_pipe_is_not_believed_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "history.toml", 0o600)
    with raising(SETTINGS_OF_OTHERS):
        read_history_settings(tmp_path / "history.toml", of_root=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="a file of somebody else takes root")
def test_a_file_of_somebody_else_is_not_believed(tmp_path: Path) -> None:
    file = file_with(tmp_path, "")
    os.chown(file, 4242, 0)
    for of_root in (True, False):
        with raising(SETTINGS_OF_OTHERS):
            read_history_settings(file, of_root=of_root)
