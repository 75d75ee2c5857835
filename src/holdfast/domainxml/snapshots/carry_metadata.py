"""Title, description and ``<metadata>`` carried from today's document of a domain into an older one.

A revert to a snapshot brings back the document of that time. What people and tools have recorded since must not go.
"""

from __future__ import annotations

import copy

from holdfast.domainxml.document import Element, child, parse, remove_children, serialize
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import DiskRecord, Releasing, RunAgain, Snapshotting, Started
from holdfast.domainxml.metadata import OURS, add_facts, drop_facts, facts, tag_of
from holdfast.domainxml.records.disk_record import record_elements, recorded_disk
from holdfast.domainxml.snapshots.stored import whole_document


def with_metadata_of(text: str, live: Element | None, config: Element | None) -> str:
    """The document ``text`` of a snapshot, with the title, description and metadata that the domain has today.

    ``live`` and ``config`` are today's documents of the domain.
    """
    return serialize(_carried(text, live, config))


def with_metadata_after_revert(text: str, live: Element | None, config: Element | None, wish: RunAgain | None) -> str:
    """As :func:`with_metadata_of`, and with what is recorded then of its running.

    ``wish`` is that where nothing is recorded yet; None where it is off after the revert.
    """
    root = _carried(text, live, config)
    then = whole_document(root.find("inactiveDomain" if root.find("inactiveDomain") is not None else "domain"))
    if then is not None and wish is None:
        drop_facts(then, RunAgain)
    elif then is not None and wish is not None and then.find(f"metadata/{OURS}") is not None:
        add_facts(then, *([] if facts(then, RunAgain) else [wish]))
    return serialize(root)


def _carried(text: str, live: Element | None, config: Element | None) -> Element:
    root = parse(text, "domainsnapshot")
    domain, inactive = whole_document(root.find("domain")), whole_document(root.find("inactiveDomain"))
    today = config if config is not None else live
    for then, now in ((domain, live if inactive is not None and live is not None else today), (inactive, today)):
        if then is not None and now is not None:
            carry_metadata(now, then)
    return root


def carry_metadata(today: Element, then: Element) -> None:
    """Let the older document ``then`` have the title, description and metadata of ``today``.

    Of Holdfast's own facts, those about the hardware or a disk of that time stay; all others are today's.
    """
    ours = _merged(today, then)
    for name in ("title", "description", "metadata"):
        remove_children(then, name)
        then.extend([copy.deepcopy(each) for each in today.findall(name)])
    for old in then.findall(f"metadata/{OURS}"):
        child(then, "metadata").remove(old)
    if ours is not None:
        child(then, "metadata").append(ours)


def _merged(today: Element, then: Element) -> Element | None:
    now, old = today.find(f"metadata/{OURS}"), then.find(f"metadata/{OURS}")
    records = {each: record for domain in (today, then) for each, record in record_elements(domain)}

    def of_then(fact: Element) -> bool:
        """True for a fact that the older document knows better than today's, if that has any facts at all."""
        record = records.get(fact)
        on_another_disk = record is not None and not record.in_making and not _is_same_disk(today, then, record)
        return fact.tag == tag_of(Releasing) or (now is not None and (fact.tag == tag_of(Started) or on_another_disk))

    from_old = [] if old is None else [copy.deepcopy(fact) for fact in old if of_then(fact)]
    kept: list[Element] = []
    for fact in () if now is None else now:
        if fact.tag == tag_of(Started):  # in its old place, so that no byte of the document changes
            kept += [each for each in from_old if each.tag == fact.tag]
        elif not of_then(fact) and fact.tag != tag_of(Snapshotting):
            kept.append(copy.deepcopy(fact))
    kept += [each for each in from_old if each not in kept]
    ours = copy.deepcopy(now if now is not None else old)
    if ours is None or not kept:
        return None
    ours[:] = kept
    return ours


def _is_same_disk(today: Element, then: Element, record: DiskRecord) -> bool:
    """True when both documents have the recorded disk with the same image."""
    now, old = recorded_disk(today, record), recorded_disk(then, record)
    return now is not None and old is not None and source_of(now) == source_of(old)
