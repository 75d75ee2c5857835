"""Text that others wrote, fit for one line of a terminal. Imports nothing: ``holdfast list`` needs it too."""

from __future__ import annotations


def printable(text: str) -> str:
    """``text`` with what a terminal would obey escaped: line ends, control characters, marks that turn text round."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)
