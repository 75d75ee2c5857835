"""HTML made of elements, never of text with values in it: whatever is put in is escaped, unless it is an element."""

from __future__ import annotations

from html import escape

_VOID = ("meta", "input")


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: str | None, **attributes: str | float | bool | None) -> Markup:
    """The element ``name``. A content or an attribute that is None or False is left out.

    In names of attributes "_" stands for "-", and one at the end is for words of Python's (``class_``).
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    inside = "".join(part if isinstance(part, Markup) else escape(part) for part in content if part is not None)
    opened = "<" + name + given + ">"
    return Markup(opened if name in _VOID else opened + inside + "</" + name + ">")


def join(*parts: Markup | None) -> Markup:
    """Elements one after the other."""
    return Markup("".join(part for part in parts if part is not None))


def raw(text: str) -> Markup:
    """Text of ours that is not to be escaped: a style sheet, a script."""
    return Markup(text)


def _attribute(name: str, value: str | float | bool) -> str:
    name = name.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{escape(str(value))}"'
