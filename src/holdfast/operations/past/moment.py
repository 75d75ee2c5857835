"""A moment in the past, as somebody writes it: an age, a date, or a date with a time, of this machine's time zone."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from holdfast.errors.history import NOT_A_TIME, NOT_AN_AGE

_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}
_LONG_AGE = re.compile(rf"(\d{{1,5}}) ({'|'.join(_DAYS)})s?")
_AGE = re.compile(r"(\d{1,6}) (minute|hour|day|week)s? ago")


def moment_in(text: str) -> datetime:
    """The moment that ``text`` means: "2 days ago", "2026-11-30", "2026-11-30 14:05". Raises NOT_A_TIME."""
    age = _AGE.fullmatch(text.strip())
    try:
        if age is not None:
            return datetime.now().astimezone() - timedelta(**{f"{age[2]}s": int(age[1])})
        return datetime.fromisoformat(text.strip()).astimezone()
    except (ValueError, OverflowError) as error:
        raise NOT_A_TIME(text=text) from error


def age_in(text: str) -> timedelta:
    """The age that ``text`` means: "90 days", "5 years"; a month has 30 days, a year 365. Raises NOT_AN_AGE."""
    age = _LONG_AGE.fullmatch(text.strip())
    if age is None:
        raise NOT_AN_AGE(text=text)
    return timedelta(days=int(age[1]) * _DAYS[age[2]])
