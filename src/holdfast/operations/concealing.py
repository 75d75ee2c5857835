"""An error of an operation tells nothing secret of the documents that the operation handled.

QEMU quotes the arguments that it was given (7.2), and libvirt hands on its words. Which of them are secret is known
here, where the documents are; whoever called prints and logs errors as they are.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from holdfast.errors import HoldfastError
from holdfast.text import HIDDEN

_SHORTEST = 3
"""Fewer characters are in every sentence, and taking them out would tell what they are."""


@contextmanager
def concealing(secrets: Callable[[], Iterable[str]]) -> Iterator[None]:
    """What is raised within has HIDDEN in place of each of the ``secrets``, which are asked for only then."""
    try:
        yield
    except HoldfastError as error:
        told = error.told(_hider(secrets()))
        if told is error:
            raise
        raise told from None  # libvirt's own error says it, too


def _hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """What takes ``secrets`` out of a text; the longest first, for one may be part of another."""
    known = sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True)
    if not known:
        return lambda text: text
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in known))
    return lambda text: pattern.sub(HIDDEN, text)
