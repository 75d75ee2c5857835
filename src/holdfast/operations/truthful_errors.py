"""What an error that leaves an operation may say: no secret of its documents, and the truth about what was changed.

QEMU quotes the arguments that it was given (7.2), and libvirt hands on its words. Which of them are secret is known
here, where the documents are; whoever called prints and logs errors as they are.

Exit codes 1 to 4 say that nothing was changed, whatever the operation ran into. So the domain is looked at once more:
where it is not as it was, the error becomes one that says so. What was taken back does not differ. An error that says
itself what was done is left as it is.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, is_live, same
from holdfast.errors import HoldfastError, NoConnection, PartlyDone
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.errors.disks import CHANGED_WHILE_COPIED, SWITCHED_OFF_WHILE_COPIED
from holdfast.errors.programs import DEFECT
from holdfast.text import HIDDEN

_OF_OTHERS = (SWITCHED_OFF_WHILE_COPIED.code, CHANGED_WHILE_COPIED.code)
"""Errors that say that somebody else has changed the domain meanwhile, and that all our changes were undone."""

_SHORTEST = 3
"""Shorter texts occur in every sentence, and taking them out would give them away."""


@contextmanager
def concealing(secrets: Callable[[], Iterable[str]]) -> Iterator[None]:
    """What is raised within has HIDDEN in place of each of the ``secrets``, which are asked for only then."""
    try:
        yield
    except HoldfastError as error:
        redacted = error.redacted(_hider(secrets()))
        if redacted is error:
            raise
        raise redacted from None  # libvirt's own error says it, too


def _hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """What takes ``secrets`` out of a text; the longest first, for one may be part of another."""
    known = sorted({each for each in secrets if len(each) >= _SHORTEST}, key=len, reverse=True)
    if not known:
        return lambda text: text
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(each)}(?!\w)" for each in known))
    return lambda text: pattern.sub(HIDDEN, text)


@contextmanager
def telling_what_was_done(name: str, done: Callable[[], Sequence[str]]) -> Iterator[None]:
    """What is raised within, by a defect too, is CHANGED_AND_THEN where something was ``done``, which is asked then."""
    try:
        yield
    except (PartlyDone, NoConnection):
        raise
    except Exception as error:
        if getattr(error, "code", "") in _OF_OTHERS or not (what := done()):
            raise
        cause = error if isinstance(error, HoldfastError) else DEFECT(kind=type(error).__name__, error=error)
        raise CHANGED_AND_THEN(name=name, done=what, cause=cause) from error


def change_of_document(which: str, before: Element, after: Element) -> Iterator[str]:
    """A sentence on one document, ``which`` is "live" or "config", where it has changed; none for what a guest does."""
    if not same(_without_guests_doing(before), _without_guests_doing(after)):
        changes = ", ".join(map(str, visible(compare_documents(before, after))))
        yield f"its {which} document has changed{f' ({changes})' if changes else ''}"


def _without_guests_doing(document: Element) -> Element:
    """``document`` without what a guest changes by itself, or libvirt tells of it: balloon, trays, open channels.

    And without an empty <metadata>, which libvirt (9.0) leaves behind where something is removed, and the numbers of
    QEMU's block nodes.
    """
    rest = copy.deepcopy(document)
    for source in rest.iterfind("devices/disk//source[@index]") if is_live(rest) else ():
        del source.attrib["index"]
    for metadata in rest.findall("metadata"):
        if not len(metadata):
            rest.remove(metadata)
    for memory in rest.findall("currentMemory") if is_live(rest) else ():
        rest.remove(memory)
    for target in rest.iterfind("devices/*/target"):
        for name in ("tray", "state"):
            target.attrib.pop(name, None)
    return rest
