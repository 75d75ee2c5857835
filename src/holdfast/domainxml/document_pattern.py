"""A document without what is its own: names, UUIDs, MACs, image paths … each become a placeholder.

Domains of one kind have the same pattern, so what depends on nothing else need be found out only once for all of them.
The values come back into what was said of the pattern: ``fill(say(pattern), values)`` equals ``say(document)``.
"""

from __future__ import annotations

import html
import re

_FIRST, _LAST = 0xE000, 0xF8FF
"""Private-use characters stand for values: one character each, which no parser objects to."""

_OWN = re.compile(
    r"(<(?:name|uuid|title|description|serial|genid|memory unit='KiB'|currentMemory unit='KiB')>"
    r"|<metadata>(?=.*?</metadata>)"
    r"|<source (?:file|dev|bridge|network)='|<mac address='|<alias name='ua-|<nvram[^<>]*>)"
    r"((?<=<metadata>).*?(?=</metadata>)|[^<']*)",
    re.DOTALL,
)
_PLACEHOLDER = re.compile(f"[{chr(_FIRST)}-{chr(_LAST)}]")


def abstract(document: str) -> tuple[str, list[str]]:
    """The pattern of a document as libvirt writes it, and the values of its placeholders.

    A document with more values than there are placeholders, or with such characters of its own, is its own pattern.
    """
    values: list[str] = []

    def placeholder(match: re.Match[str]) -> str:
        values.append(match[2])
        return match[1] + chr(min(_FIRST + len(values) - 1, _LAST))

    if not document.isascii() and _PLACEHOLDER.search(document):
        return document, []
    pattern = _OWN.sub(placeholder, document)
    return (document, []) if len(values) > _LAST - _FIRST else (pattern, values)


def fill(text: str, values: list[str]) -> str:
    """``text`` with the values in place of their placeholders, entities resolved as a parser would have."""
    if text.isascii() or not values:
        return text
    return _PLACEHOLDER.sub(lambda match: html.unescape(values[ord(match[0]) - _FIRST]), text)
