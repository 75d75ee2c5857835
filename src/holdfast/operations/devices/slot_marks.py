"""The mark that libvirt (9.0) sets on the first device of a slot, as soon as there is a second: multifunction='on'."""

from __future__ import annotations

from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, child
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.session import OpenDomain


def take_marks_back(domain: OpenDomain, marked: list[Element]) -> None:
    """Let devices be the only ones of their slots again; libvirt (9.0) updates no controller, so that is an edit."""

    def touch(config: Element) -> None:
        for device in marked:
            if (alone := find_device(config, device)) is not None:
                child(alone, "address").attrib.pop("multifunction", None)

    apply_edit(domain, plan_edit(domain, touch, lambda change: change.where.endswith("address@multifunction")))
