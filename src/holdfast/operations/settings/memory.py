"""How much memory a domain is built with, and how much of it its balloon leaves to the guest."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Iterator, Sequence

from holdfast.domainxml.device import USER_ALIAS
from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.elements import memory
from holdfast.errors import Refused, UsageError
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import OpenDomain
from holdfast.operations.settings.apply import NEXT_START, SettingStep, at_next_start, at_once
from holdfast.operations.settings.values import DomainSettings
from holdfast.text import size_in_words

BLOCK = 128 * 1024 * 1024
"""Linux takes memory modules in blocks of this size (x86-64), and leaves what is none unused."""


def memory_steps(domain: OpenDomain, settings: DomainSettings, documents: Sequence[Element]) -> Iterator[SettingStep]:
    """The steps for ``max_memory`` and ``memory`` in these documents of ``domain``, in this order."""
    if settings.max_memory is not None:
        size = settings.max_memory // 1024 * 1024
        yield _by_module(domain, size, documents) if all(map(memory.most_memory, documents)) else _total(domain, size)
    if settings.memory is not None:
        yield _balloon(domain, settings.memory // 1024 * 1024)


def _total(domain: OpenDomain, wanted: int) -> SettingStep:
    def write(document: Element) -> None:
        if memory.cells(document):
            raise Refused(
                f"the memory of {domain.name!r} is divided among NUMA cells",
                f"change <memory> and the cells in one go: 'holdfast edit {domain.name}'",
            )
        memory.set_total_memory(document, wanted)

    def call(_: object, document: Element) -> None:
        domain.set_max_memory(memory.total_memory(document) // 1024)

    return SettingStep("max-memory", wanted, memory.total_memory, write, call, at_next_start, sees=("memory",))


def _by_module(domain: OpenDomain, wanted: int, documents: Sequence[Element]) -> SettingStep:
    """Where there are slots, memory grows by a module: the same one in the same slot of each document."""
    fresh: list[Element] = []

    def write(document: Element) -> None:
        size = wanted - memory.total_memory(document)
        _check_module(domain, document, wanted)
        module = memory.lacking_module(document, documents, size)
        if module is None:
            if not fresh:
                slot = memory.free_module_slot(documents)
                if slot is None:
                    raise Refused(f"all slots for memory modules of {domain.name!r} are taken", "detach a module first")
                alias = f"{USER_ALIAS}{secrets.token_hex(6)}"
                fresh.append(memory.new_module(size, memory.cells(document)[0], slot, alias))
            module = fresh[0]
        memory.add_module(document, copy.deepcopy(module))

    def call(definition: Definition, document: Element) -> None:
        domain.attach(serialize(memory.last_module(document)), definition)

    sees = ("memory", "devices/memory")
    return SettingStep("max-memory", wanted, memory.total_memory, write, call, at_once, sees=sees)


def _check_module(domain: OpenDomain, document: Element, wanted: int) -> None:
    size = wanted - memory.total_memory(document)
    if size < 0:
        raise Refused(
            f"{domain.name!r} has {size_in_words(memory.total_memory(document))}, of which modules can be taken away",
            f"'holdfast device list {domain.name}' names them, 'holdfast device detach' takes one away",
        )
    if wanted > memory.most_memory(document):
        raise Refused(
            f"{domain.name!r} can grow to {size_in_words(memory.most_memory(document))}, not {size_in_words(wanted)}",
            f"<maxMemory> can be raised with 'holdfast edit {domain.name}'",
        )
    if size % BLOCK:
        raise UsageError(
            f"a module of {size_in_words(size)} would be of no use to a Linux guest: it takes memory in blocks of "
            f"{size_in_words(BLOCK)}",
            f"--max-memory {size_in_words(wanted + BLOCK - size % BLOCK).replace(' ', '')}",
        )
    if len(memory.cells(document)) > 1:
        raise Refused(
            f"{domain.name!r} has several NUMA cells, and a module belongs to one of them",
            "attach it with its <node>: 'holdfast device attach NAME FILE.xml'",
        )


def _balloon(domain: OpenDomain, wanted: int) -> SettingStep:
    def write(document: Element) -> None:
        total = memory.total_memory(document)
        if wanted > total:
            raise Refused(
                f"{domain.name!r} is built with {size_in_words(total)}: it cannot have {size_in_words(wanted)}",
                f"add --max-memory {size_in_words(wanted).replace(' ', '')}",
            )
        if wanted < total and not memory.has_balloon(document):
            raise Refused(
                f"{domain.name!r} has no memory balloon: all that it is built with is the guest's",
                f"--max-memory {size_in_words(wanted).replace(' ', '')} builds it with less",
            )
        memory.set_balloon_memory(document, wanted)

    def waits(live: Element) -> str | None:
        total = memory.total_memory(live)
        return f"the running guest is built with {size_in_words(total)}; {NEXT_START}" if wanted > total else None

    return SettingStep(
        "memory",
        wanted,
        memory.balloon_memory,
        write,
        lambda definition, document: domain.set_memory(memory.balloon_memory(document) // 1024, definition),
        waits,
        follows=True,
    )
