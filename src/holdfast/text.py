"""How values are shown to people, in any layer. Imports nothing: ``holdfast list`` needs it too."""

from __future__ import annotations

HIDDEN = "(not shown)"
"""What stands for a secret."""


def printable(text: str) -> str:
    """``text``, which others wrote, fit for one line of a terminal.

    What a terminal would obey is escaped: line ends, control characters, marks that turn text round.
    """
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


def printable_lines(text: str) -> str:
    """:func:`printable` of each line of ``text``: only its line ends are obeyed."""
    if text.replace("\n", " ").isprintable():
        return text
    return "\n".join(map(printable, text.split("\n")))


def printable_xml(text: str) -> str:
    """An XML document that says the same, with references in place of what a terminal would obey."""
    if text.replace("\n", " ").isprintable():
        return text
    return "".join(each if each.isprintable() or each in "\n\t" else f"&#{ord(each)};" for each in text)


_LONGEST = 400
"""So many characters of a value are shown: that is more than any path or list of features has."""


def shortened(text: str) -> str:
    """``text`` as it is shown: of a longer one only the beginning, with its length."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text)} characters)"


def has_control_characters(text: str) -> bool:
    """True where ``text`` has a line break, a tab or another control character in it."""
    return any(each < " " or "\x7f" <= each <= "\x9f" for each in text)


def plural(number: int, noun: str) -> str:
    """``noun`` as it stands behind ``number``: "domain", "domains"."""
    return noun if number == 1 else f"{noun}s"


def size_in_words(size: int) -> str:
    """A size of so many bytes in the largest unit that needs no fraction: "2 GiB", "1025 KiB"."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size % 1024 or size < 1024:
            return f"{size} {unit}"
        size //= 1024
    return f"{size} TiB"
