"""The document that a rescue runs with: a copy of config with one more disk, which is booted first.

All hardware stays, at the same places. Only what would keep that disk from being booted is left out: ``<os><boot>``,
which libvirt does not take beside a boot order of devices, and a kernel that is booted directly.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from holdfast.domainxml.compare.change import Change
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, remove_children
from holdfast.domainxml.elements.boot import booted_devices, set_boot_order
from holdfast.domainxml.fact import Rescue, SeenState, Started
from holdfast.domainxml.metadata import add_facts, drop_facts
from holdfast.domainxml.places.behind_all import add_behind_all

_DIRECT_BOOT = ("kernel", "initrd", "cmdline", "shim")


def rescue_document(config: Element, medium: Element, *, since: str, before: str) -> Element:
    """A copy of ``config`` with the disk ``medium``, marked as a rescue. Neither of the two is changed.

    ``since`` is the time and ``before`` the state of the domain, for the mark (:class:`Rescue`). Raises as
    :func:`add_behind_all` does.
    """
    domain, disk = copy.deepcopy(config), copy.deepcopy(medium)
    brought = add_behind_all(domain, disk)
    others = [device for device in booted_devices(domain) if device is not disk]
    set_boot_order(domain, dict.fromkeys((disk, *others)))
    for os in domain.iterfind("os"):
        remove_children(os, *_DIRECT_BOOT)
    for kind in (Started, SeenState):  # in live they would mean that somebody else had started this
        drop_facts(domain, kind)
    add_facts(domain, Rescue(since, before, ", ".join(f"{device.tag!s} {label(device)}" for device in brought)))
    return domain


def nvram_copy(path: str) -> str:
    """Where a rescue has its copy of the NVRAM that is at ``path``."""
    return f"{path}.rescue"


def without_rescue(changes: Iterable[Change], mark: Rescue) -> list[Change]:
    """Those of ``changes``, between the live document of a rescue and config, that the rescue does not explain."""
    return [change for change in changes if not _is_of_rescue(change, mark)]


def _is_of_rescue(change: Change, mark: Rescue) -> bool:
    section, _, rest = change.where.partition("/")
    is_boot = change.where.endswith("boot@order") or (section == "os" and rest.startswith(("boot@dev", *_DIRECT_BOOT)))
    return is_boot or change.what in mark.devices
