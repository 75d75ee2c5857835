"""How much memory a domain is built with, and how much of it its balloon leaves to the guest."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import count

from holdfast.domainxml.device import USER_ALIAS, alias
from holdfast.domainxml.document import Element, devices, serialize
from holdfast.domainxml.elements import memory
from holdfast.errors import settings as errors
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import OpenDomain
from holdfast.operations.settings.apply import NEXT_START, SettingStep, at_once
from holdfast.operations.settings.values import DomainSettings
from holdfast.text import size_in_words

BLOCK = 128 * 1024 * 1024
"""Linux uses memory modules in blocks of this size (x86-64), and leaves a rest unused."""


def memory_steps(domain: OpenDomain, settings: DomainSettings, documents: Sequence[Element]) -> Iterator[SettingStep]:
    """The steps for ``max_memory`` and ``memory`` in these documents of ``domain``, in this order."""
    if settings.max_memory is not None:
        size = settings.max_memory // 1024 * 1024
        yield (
            _by_module(domain, size, documents)
            if all(map(memory.most_memory, documents))
            else _total(domain, size, documents)
        )
    if settings.memory is not None:
        yield _balloon(domain, settings.memory // 1024 * 1024)


def _total(domain: OpenDomain, size: int, documents: Sequence[Element]) -> SettingStep:
    def write(document: Element) -> None:
        if memory.cells(document):
            raise errors.MEMORY_IN_CELLS(name=domain.name)
        memory.set_total_memory(document, size)

    def call(_: object, document: Element) -> None:
        domain.set_max_memory(memory.total_memory(document) // 1024)

    has_cells = any(map(memory.cells, documents))  # libvirt's call refuses those, whatever the size
    sees = ("memory",)
    return SettingStep("max-memory", size, memory.total_memory, write, call, sees=sees, early=not has_cells)


def _by_module(domain: OpenDomain, size: int, documents: Sequence[Element]) -> SettingStep:
    """Where there are slots, memory grows by a module: the same one in the same slot of each document."""

    def write(document: Element) -> None:
        _check_module(domain, document, size)
        growth = size - memory.total_memory(document)
        module = memory.missing_module(document, documents, growth)
        if module is None:
            module = _new_module(domain, growth, memory.cells(document)[0], documents)
        memory.add_module(document, copy.deepcopy(module))

    def call(definition: Definition, document: Element) -> None:
        domain.attach(serialize(memory.last_module(document)), definition)

    sees = ("memory", "devices/memory")
    return SettingStep("max-memory", size, memory.total_memory, write, call, at_once, sees=sees)


def _new_module(domain: OpenDomain, size: int, cell: str, documents: Sequence[Element]) -> Element:
    """A module in the lowest slot and with the first alias that are free, so that a dry run can promise both."""
    slot = memory.free_module_slot(documents)
    if slot is None:
        raise errors.NO_MODULE_SLOT(name=domain.name)
    taken = {alias(device) for document in domain.documents.present.values() for device in devices(document)}
    names = (f"{USER_ALIAS}memory{number}" for number in count())
    return memory.new_module(size, cell, slot, next(name for name in names if name not in taken))


def _check_module(domain: OpenDomain, document: Element, size: int) -> None:
    built, most = memory.total_memory(document), memory.most_memory(document)
    growth = size - built
    if growth < 0:
        raise errors.MODULES_TOO_LARGE(name=domain.name, built=size_in_words(built))
    if size > most:
        raise errors.BEYOND_MODULES(name=domain.name, most=size_in_words(most), asked=size_in_words(size))
    if growth % BLOCK:
        possible = size + BLOCK - growth % BLOCK
        raise errors.ODD_MODULE(size=size_in_words(growth), block=size_in_words(BLOCK), next=_in_one_word(possible))
    if len(memory.cells(document)) > 1:
        raise errors.MODULE_FOR_WHICH_CELL(name=domain.name)


def _balloon(domain: OpenDomain, size: int) -> SettingStep:
    def write(document: Element) -> None:
        total = memory.total_memory(document)
        if size > total:
            raise errors.BEYOND_MAX_MEMORY(name=domain.name, built=size_in_words(total), asked=_in_one_word(size))
        if size < total and not memory.has_balloon(document):
            raise errors.NO_BALLOON(name=domain.name, asked=_in_one_word(size))
        memory.set_balloon_memory(document, size)

    def call(definition: Definition, document: Element) -> None:
        domain.set_memory(memory.balloon_memory(document) // 1024, definition)

    def later(live: Element) -> str | None:
        total = memory.total_memory(live)
        return f"the running guest is built with {size_in_words(total)}; {NEXT_START}" if size > total else None

    return SettingStep("memory", size, memory.balloon_memory, write, call, later, follows=True, early=True)


def _in_one_word(size: int) -> str:
    """A size as somebody would type it: "384MiB"."""
    return size_in_words(size).replace(" ", "")
