"""Numbers in documents: the one place that reads them.

libvirt checks a document that it is given; what stands in a file, in metadata or in a fragment can be anything.
Python's own ``int`` takes more than libvirt does ("1_000", "٣"), and ``str.isdigit`` more than ``int`` ("²").
"""

from __future__ import annotations

import functools
import re

from holdfast.domainxml.document import Element, value_at
from holdfast.errors.documents import NOT_A_NUMBER

_DECIMAL = re.compile(r"-?[0-9]{1,20}")
_C = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,22}|[1-9][0-9]{0,19}")
"""As in C: 0x1f, 017 (which is 15), 15."""


def as_number(text: str) -> int | None:
    """``text`` as a decimal number; None for other text, and for more digits than libvirt's largest has."""
    text = text.strip(" \t\r\n")
    return int(text) if _DECIMAL.fullmatch(text) else None


@functools.lru_cache(maxsize=4096)
def as_c_number(text: str) -> int | None:
    """``text`` as the parts of addresses are written: 0x1f, 31; None for other text. (virStrToLong_uip, base 0)"""
    if not _C.fullmatch(text):
        return None
    return int(text, 8) if text[0] == "0" and text[1:2] not in ("x", "X") else int(text, 0)


def number_at(element: Element, path: str, default: int = 0) -> int:
    """The number at ``path`` below ``element`` ("@index", "target@busNr"); ``default`` where none is given.

    Raises NOT_A_NUMBER, which names the place, for other text.
    """
    text = value_at(element, path)
    if text is None:
        return default
    number = as_number(text)
    if number is None:
        raise NOT_A_NUMBER(place=_place(element, path), text=text[:40], line=element.sourceline)
    return number


def _place(element: Element, path: str) -> str:
    """Where ``path`` below ``element`` is in its document: "devices/controller[3]@index"."""
    tree = element.getroottree()
    above = tree.getelementpath(element)
    names = [str(tree.getroot().tag) if above == "." else above, path]
    return "/".join(filter(None, names)).replace("/@", "@")
