"""``<memory>``, ``<currentMemory>`` and ``<maxMemory>``: the memory a guest is built with, has now, and can grow to.

All sizes are in bytes. What modules and NUMA cells have is part of ``<memory>``.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, child, element, remove_from_parent, text_of
from holdfast.domainxml.number import as_number, number_at
from holdfast.domainxml.units import unit_size


def total_memory(domain: Element) -> int:
    """The memory that the guest is built with, that of modules included."""
    return _size(domain.find("memory"))


def balloon_memory(domain: Element) -> int:
    """The memory that the guest has now: what the balloon leaves it."""
    current = domain.find("currentMemory")
    return total_memory(domain) if current is None else _size(current)


def most_memory(domain: Element) -> int:
    """The memory that the guest can grow to by modules; 0 where it has no slots for them."""
    return _size(domain.find("maxMemory"))


def has_balloon(domain: Element) -> bool:
    """True when the guest has a balloon, by which the host can ask for memory back."""
    return domain.find("devices/memballoon") is not None and domain.find("devices/memballoon[@model='none']") is None


def cells(domain: Element) -> list[str]:
    """The ids of the guest's NUMA cells, among which its memory is divided."""
    return [cell.get("id", "") for cell in domain.iterfind("cpu/numa/cell")]


def set_total_memory(domain: Element, size: int) -> None:
    """Build the guest with ``size`` of memory, and let it have no more than that now."""
    current = min(balloon_memory(domain), size)
    _set(domain, "memory", size)
    _set(domain, "currentMemory", current)


def set_memory_beside_modules(domain: Element, size: int) -> None:
    """Build the guest with ``size`` of memory besides its modules, and let it have all of that."""
    total = size + sum(_size(module.find("target/size")) for module in domain.iterfind("devices/memory"))
    _set(domain, "memory", total)
    _set(domain, "currentMemory", total)


def set_balloon_memory(domain: Element, size: int) -> None:
    """Let the guest have ``size`` of the memory that it is built with."""
    _set(domain, "currentMemory", size)


def free_module_slot(domains: Iterable[Element]) -> int | None:
    """The lowest slot for a module that is free in all ``domains``, the documents of one domain; None without one."""
    documents = list(domains)
    slots = min(number_at(document, "maxMemory@slots") for document in documents)
    taken = {
        address.get("slot") for document in documents for address in document.iterfind("devices/memory/address[@slot]")
    }
    return next((slot for slot in range(slots) if str(slot) not in taken), None)


def new_module(size: int, node: str, slot: int, alias: str) -> Element:
    """A ``<memory>`` module of ``size`` for the NUMA cell ``node``, of the kind that a running guest can be given."""
    return element(
        "memory",
        {"model": "dimm"},
        element(
            "target",
            None,
            element("size", {"unit": "KiB"}, text=str(size // 1024)),
            element("node", text=node),
        ),
        element("alias", {"name": alias}),
        element("address", {"type": "dimm", "slot": str(slot)}),
    )


def missing_module(domain: Element, documents: Iterable[Element], size: int) -> Element | None:
    """A module of ``size`` that one of ``documents`` has and ``domain`` does not have; None when there is none."""
    for document in documents:
        for module in document.iterfind("devices/memory[@model='dimm']"):
            if _size(module.find("target/size")) == size and find_device(domain, module) is None:
                found = copy.deepcopy(module)
                for address in found.iterfind("address[@base]"):  # chosen at each start
                    del address.attrib["base"]
                return found
    return None


def last_module(domain: Element) -> Element:
    """The module that :func:`add_module` has put in last."""
    return domain.findall("devices/memory")[-1]


def add_module(domain: Element, module: Element) -> None:
    """Put ``module`` into ``domain``, and add its size to the guest's memory."""
    size = _size(module.find("target/size"))
    total, current = total_memory(domain) + size, balloon_memory(domain) + size
    child(domain, "devices").append(module)
    _set(domain, "memory", total)
    _set(domain, "currentMemory", current)


def remove_module(domain: Element, module: Element) -> None:
    """Take ``module`` out of ``domain``, and its size off the guest's memory."""
    size = _size(module.find("target/size"))
    total, current = total_memory(domain) - size, balloon_memory(domain) - size
    remove_from_parent(module)
    _set(domain, "memory", total)
    _set(domain, "currentMemory", current)


def _size(found: Element | None) -> int:
    if found is None:
        return 0
    return (as_number(text_of(found)) or 0) * (unit_size(found.get("unit")) or 1024)


def _set(domain: Element, tag: str, size: int) -> None:
    found = child(domain, tag)
    found.set("unit", "KiB")
    found.text = str(size // 1024)
