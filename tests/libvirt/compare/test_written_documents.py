"""Documents as people write them, beside what libvirt makes of each: only what libvirt chooses is told, no constant of
its own.
"""

from __future__ import annotations

import re

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare
from tests.libvirt.compare.judged import completed, written

CHOSEN = {
    "os/type@machine": "an alias becomes a version",
    "cpu/model": "QEMU's default for the machine type",
    "cpu/numa/cell@cpus": "the vCPUs that no cell has go to the first one",
    "devices/controller": "more controllers, as the devices need them",
    "devices/controller@model": "one for a SCSI device without a controller comes before one without an index",
    "devices/controller/address@multifunction": "of ports that share a slot",
    "devices/controller/model@name": "QEMU's device for a bridge or port",
    "devices/controller/target@*": "the number of a bridge or port",
    "devices/hostdev": "one that is named by an adapter becomes one of its own",
    "devices/interface/mac@address": "at random",
    "devices/serial/target*": "the port that a machine has, other than a PC",
    "devices/tpm*": "what swtpm can do",
    "devices/video/model@*": "which card QEMU has, and its memory",
    "features/gic@version": "the interrupt controller that QEMU can give",
    "memory": "rounded, or the sum of modules and cells",
}
"""Path → what libvirt chooses there, where a document leaves it open."""


def is_chosen(change: Change) -> bool:
    where = re.sub(r"\[[^]]*\]|#\d+", "", change.where)
    if change.kind is ChangeKind.MOVED:
        return change.before is None
    return any(re.fullmatch(re.escape(path).replace(r"\*", ".*"), where) for path in CHOSEN)


def test_of_a_written_document_only_what_libvirt_chooses_differs_from_what_it_makes_of_it() -> None:
    texts = written()
    made = completed(texts)
    found = {
        str(change)
        for text, complete in zip(texts, made, strict=True)
        for change in visible(compare(text, complete or text))
        if not is_chosen(change)
    }
    assert found == set()
    assert None not in made


def test_a_document_that_libvirt_printed_is_not_completed() -> None:
    made = [text for text in completed(written()) if text is not None]
    assert [str(change) for text in made for change in visible(compare(text, text + "\n"))] == []
