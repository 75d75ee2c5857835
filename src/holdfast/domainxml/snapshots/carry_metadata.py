"""Title, description and ``<metadata>``, carried from today's document of a domain into an older one of it."""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, child
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.metadata import URI, DiskRecord, Releasing, Snapshotting, Started, tag_of
from holdfast.domainxml.records.disk_record import record_elements, recorded_disk

_OURS = f"{{{URI}}}domain"


def carry(today: Element, then: Element) -> None:
    """Let the older document ``then`` say what ``today`` says beside the hardware: others' metadata word for word.

    Of our own facts, what tells of the hardware or of a disk of then stays; all else is of today.
    """
    ours = _merged(today, then)
    for name in ("title", "description", "metadata"):
        for old in then.findall(name):
            then.remove(old)
        then.extend([copy.deepcopy(each) for each in today.findall(name)])
    for old in then.findall(f"metadata/{_OURS}"):
        child(then, "metadata").remove(old)
    if ours is not None:
        child(then, "metadata").append(ours)


def _merged(today: Element, then: Element) -> Element | None:
    now, old = today.find(f"metadata/{_OURS}"), then.find(f"metadata/{_OURS}")
    records = {each: record for domain in (today, then) for each, record in record_elements(domain)}

    def of_then(fact: Element) -> bool:
        """True for a fact that the older document tells, not today's; a domain that was released has few of them."""
        record = records.get(fact)
        on_another_disk = record is not None and not record.in_making and not _is_same_disk(today, then, record)
        return fact.tag == tag_of(Releasing) or (now is not None and (fact.tag == tag_of(Started) or on_another_disk))

    from_old = [] if old is None else [copy.deepcopy(fact) for fact in old if of_then(fact)]
    wanted: list[Element] = []
    for fact in () if now is None else now:
        if fact.tag == tag_of(Started):  # in its place, so that the document stays the same to the byte
            wanted += [each for each in from_old if each.tag == fact.tag]
        elif not of_then(fact) and fact.tag != tag_of(Snapshotting):
            wanted.append(copy.deepcopy(fact))
    wanted += [each for each in from_old if each not in wanted]
    ours = copy.deepcopy(now if now is not None else old)
    if ours is None or not wanted:
        return None
    ours[:] = wanted
    return ours


def _is_same_disk(today: Element, then: Element, record: DiskRecord) -> bool:
    """True when both documents have the recorded disk, with the same image."""
    now, old = recorded_disk(today, record), recorded_disk(then, record)
    return now is not None and old is not None and source_of(now) == source_of(old)
