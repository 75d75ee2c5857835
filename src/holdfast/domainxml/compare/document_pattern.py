"""The pattern of a document: its text with placeholders for names, UUIDs, MACs, paths and the like.

Thousands of domains share one pattern, so an audit judges it once, and puts the values of each domain back into the
sentences that it found: ``fill_pattern(judge(pattern), values)`` equals ``judge(document)``, as the tests check for
the whole corpus.

Only here is a document cut up as text: parsing each one would cost an audit more than everything else that it does. The
pattern is then read by the parser; where it is not XML, the document itself is.
"""

from __future__ import annotations

import html
import re

_FIRST, _LAST = 0xE000, 0xF8FF
"""The placeholders are private-use characters, one for each value: no parser objects to them."""

_OWN_VALUES = re.compile(
    r"(<(?:name|uuid|title|description|serial|genid|memory unit='KiB'|currentMemory unit='KiB')>"
    r"|<metadata>(?=.*?</metadata>)"
    r"|<source (?:file|dev|bridge|network|protocol='rbd' name)='|<mac address='|<alias name='ua-"
    r"|<nvram[^<>]*>(?=[^<\s])|<entry name='(?:serial|uuid)'>|<target dev='tap|<log file=')"
    r"((?<=<metadata>).*?(?=</metadata>)|[^<']*)",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")
_PLACEHOLDERS = [chr(number) for number in range(_FIRST, _LAST + 1)]


def pattern_of(document: str) -> tuple[str, list[str]]:
    """The pattern of ``document``, as libvirt writes it, and the values that its placeholders stand for.

    A document with more values than there are placeholders, or with such characters of its own, is its own pattern.
    """
    if not document.isascii() and _PLACEHOLDER.search(document):
        return document, []
    pieces = _OWN_VALUES.split(document)  # the text in between, what announces a value, the value; and so on
    values = pieces[2::3]
    if len(values) > len(_PLACEHOLDERS):
        return document, []
    pieces[2::3] = _PLACEHOLDERS[: len(values)]
    return "".join(pieces), values


def fill_pattern(text: str, values: list[str]) -> str:
    """``text`` with ``values`` in place of the placeholders, and entities resolved as a parser would have done."""
    if text.isascii() or not values:
        return text
    if len(text) == 1:
        return _value(text, values)
    return _PLACEHOLDER.sub(lambda match: _value(match[0], values), text)


def _value(placeholder: str, values: list[str]) -> str:
    number = ord(placeholder) - _FIRST
    return html.unescape(values[number]) if 0 <= number < len(values) else placeholder
