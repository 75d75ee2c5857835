"""What is set for a history: where it and copies of state are pushed to, and how long it is kept. One file in TOML."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from holdfast.errors.history import SETTING, SETTINGS_OF_OTHERS, SETTINGS_UNREADABLE

_KEYS = ("remote", "state", "recipient", "keep")
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_AGE = re.compile(rf"([1-9]\d{{0,4}}) ({'|'.join(_DAYS)})s?")


@dataclass(frozen=True, kw_only=True)
class HistorySettings:
    """What is set, "" and None for what is not.

    ``remote``     where the history is pushed to: a path or URL of a git repository
    ``state``      where copies of NVRAMs and TPM states go: a path or ssh URL
    ``recipient``  the public key, of age or gpg, that those copies are encrypted to
    ``keep``       how long the history of a deleted domain is kept; for ever where it is None
    """

    remote: str = ""
    state: str = ""
    recipient: str = ""
    keep: timedelta | None = None


def read_history_settings(file: Path, *, of_root: bool) -> HistorySettings:
    """What ``file`` sets; nothing is set where there is none.

    Whoever could write to it could send the history elsewhere: it has to be root's, or unless ``of_root`` this user's,
    and nobody else's to write to. Raises SETTINGS_OF_OTHERS, SETTINGS_UNREADABLE, and SETTING for an unknown key or a
    value that is none.
    """
    import tomllib

    try:
        text = _text(file, of_root)
        said = tomllib.loads(text.decode())
    except FileNotFoundError:
        return HistorySettings()
    except OSError as error:
        raise SETTINGS_UNREADABLE(file=file, reason=error.strerror or str(error)) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise SETTINGS_UNREADABLE(file=file, reason=str(error)) from error
    for key, value in said.items():
        if key not in _KEYS:
            raise SETTING(file=file, key=key, reason=f"it is none of {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value or not value.isprintable() or value.startswith("-"):
            raise SETTING(file=file, key=key, reason="its value is no text of one line that begins without a dash")
    keep = said.pop("keep", None)
    return HistorySettings(**said, keep=None if keep is None else _age(file, keep))


def _text(file: Path, of_root: bool) -> bytes:
    with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as opened:
        found = os.fstat(opened.fileno())
        owners = {0} if of_root else {0, os.geteuid()}
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o022:
            raise SETTINGS_OF_OTHERS(file=file)
        return opened.read()


def _age(file: Path, text: str) -> timedelta:
    said = _AGE.fullmatch(text.strip())
    if said is None:
        raise SETTING(file=file, key="keep", reason=f'{text!r} is no age such as "5 years" (days, weeks, months)')
    return timedelta(days=int(said[1]) * _DAYS[said[2]])
