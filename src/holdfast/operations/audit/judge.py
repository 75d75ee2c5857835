"""What one document says by itself: findings that need neither the domain nor any other document.

Documents that differ only in names, UUIDs, MACs and paths are judged once
(:mod:`holdfast.domainxml.compare.document_pattern`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

from holdfast.domainxml.compare.document_pattern import fill_pattern, pattern_of
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.disk import host_path, is_shared, source_of, stated_format
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.domainxml.host.machine_type import MachineType, emulators, read_machine_types, released
from holdfast.domainxml.host.state_files import StateFile
from holdfast.domainxml.make.open_parts import OpenPart, open_parts
from holdfast.domainxml.places.pci import hotplug_places, slot_count
from holdfast.domainxml.platform import Platform
from holdfast.errors import InvalidDocument, LibvirtRefused
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.report import Finding, FindingKind, Machine, MachineStatus
from holdfast.operations.own_state import state_of

_PATTERNS = 512
"""So many patterns are kept for a host: memory does not grow with the number of domains."""


class ImageUse(NamedTuple):
    """A disk's image: ``source`` in one word, and the path where it is a file or block device of the host.

    ``writes`` is False where several domains may have it at once: read-only, shareable, or the base of another image.
    """

    disk: str
    source: str
    path: str | None
    format: str
    writes: bool


@dataclass(frozen=True)
class Judgement:
    """What was found in one document: findings, images, what it has beside it, and the machine type."""

    findings: tuple[Finding, ...]
    images: tuple[ImageUse, ...]
    state: tuple[StateFile, ...]
    machine: Machine


class Judge:
    """Judges the documents of one host, whose capabilities it asks once for each kind of domain."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._known: OrderedDict[str, Judgement] = OrderedDict()
        self._machines: dict[tuple[str, str], dict[str, MachineType]] = {}
        self._cpus: dict[Platform, frozenset[str]] = {}
        self.notes: set[str] = set()

    @cached_property
    def _host(self) -> Element:
        return parse(self.connection.capabilities(), "capabilities")

    @cached_property
    def _emulators(self) -> frozenset[str]:
        return emulators(self._host)

    def judge_text(self, document: str) -> Judgement:
        """Judge a document as libvirt prints it. Raises InvalidDocument."""
        pattern, values = pattern_of(document)
        verdict = self._known.get(pattern)
        if verdict is None:
            try:
                verdict = self.judge(parse(pattern))
            except InvalidDocument:  # what looked like a value was not one
                return self.judge(parse(document))
            self._known[pattern] = verdict
            if len(self._known) > _PATTERNS:
                self._known.popitem(last=False)
        return _filled(verdict, values)

    def judge(self, config: Element, live: Element | None = None) -> Judgement:
        """Judge a document; where the domain runs, ``live`` has the free places and the images."""
        current = config if live is None else live
        machine = self._machine(config)
        findings = [*self._expiring(config, machine), *_unknown(config), *_no_slot(current)]
        has_no_slot = findings and findings[-1].kind is FindingKind.NO_SLOT
        parts = [part for part in open_parts(config, live) if not (has_no_slot and part.kind == "ports")]
        findings += [Finding(FindingKind.UNSEALED, sentence) for sentence in _merged(parts)]
        images = dict.fromkeys(image for document in (current, config) for image in _images(document))
        state = dict.fromkeys(file for each in (current, config) for file in state_of(self.connection, each))
        return Judgement(tuple(findings), tuple(images), tuple(state), machine)

    def _machine(self, config: Element) -> Machine:
        emulator, arch, name, virt_type = Platform.of(config)
        status = MachineStatus.UNKNOWN
        machines = self._machines_for(arch, virt_type)
        if name and machines and emulator in self._emulators:
            found = machines.get(name)
            status = MachineStatus.MISSING if found is None else MachineStatus.OFFERED
            status = MachineStatus.DEPRECATED if found is not None and found.deprecated else status
        return Machine(arch, name, status, released(name))

    def _machines_for(self, arch: str, virt_type: str) -> dict[str, MachineType]:
        key = arch, virt_type
        if key not in self._machines:
            self._machines[key] = read_machine_types(self._host, arch, virt_type)
        return self._machines[key]

    def _expiring(self, config: Element, machine: Machine) -> Iterator[Finding]:
        if machine.status is MachineStatus.DEPRECATED:
            yield Finding(
                FindingKind.EXPIRING_MACHINE,
                f"the machine type {machine.name} is deprecated: a later QEMU does not have it any more",
            )
        if machine.status is MachineStatus.MISSING:
            yield Finding(
                FindingKind.EXPIRING_MACHINE,
                f"this host has no machine type {machine.name} any more: the domain cannot start here",
            )
        model = value_at(config, "cpu/model")
        if model and value_at(config, "cpu@mode") in (None, "custom") and model in self._deprecated_cpus(config):
            yield Finding(
                FindingKind.EXPIRING_CPU, f"the CPU model {model} is deprecated: a later QEMU does not have it any more"
            )

    def _deprecated_cpus(self, config: Element) -> frozenset[str]:
        platform = Platform.of(config)._replace(machine="")  # the models are the same for all machine types
        if platform not in self._cpus:
            try:
                found = read_capabilities(self.connection.domain_capabilities(*platform)).deprecated_models
            except LibvirtRefused as error:
                name = platform.emulator or platform.arch
                self.notes.add(f"which CPU models expire is not known for {name}: {error.message}")
                found = frozenset()
            self._cpus[platform] = found
        return self._cpus[platform]


def _unknown(config: Element) -> list[Finding]:
    return [
        Finding(FindingKind.UNKNOWN, f"Holdfast does not know {path}: it counts as seen by the guest")
        for path in unknown_parts(config)
    ]


def _no_slot(current: Element) -> list[Finding]:
    if hotplug_places(current) or not (slots := slot_count(current)):
        return []
    taken = "its one hot-plug place is" if slots == 1 else f"all {slots} hot-plug places are"
    return [Finding(FindingKind.NO_SLOT, f"{taken} taken: nothing can be attached while it runs")]


def _merged(parts: Iterable[OpenPart]) -> Iterator[str]:
    """One sentence for each kind: thirty devices without an alias are one finding."""
    for kind, group in groupby(sorted(parts, key=lambda part: part.kind), key=lambda part: part.kind):
        sentences = [part.sentence for part in group]
        more = f" (and {len(sentences) - 1} more of this kind)" if len(sentences) > 1 else ""
        yield f"{kind}: {sentences[0]}{more}"


def _images(document: Element) -> Iterator[ImageUse]:
    for disk in document.iterfind("devices/disk"):
        source = source_of(disk)
        if source is not None:
            host = value_at(disk, "source/host@name")
            name = value_at(disk, "target@dev") or "disk"
            where = f"{source} at {host}" if host and "://" not in source else source
            yield ImageUse(name, where, host_path(disk), stated_format(disk), not is_shared(disk))
        for base in disk.iterfind(".//backingStore/source"):
            path = base.get("file") or base.get("dev")
            if path is not None:
                yield ImageUse(value_at(disk, "target@dev") or "disk", path, None, "", False)


def _filled(verdict: Judgement, values: list[str]) -> Judgement:
    """The verdict on a pattern with the values of one document."""
    if not values:
        return verdict
    findings = [
        finding if finding.sentence.isascii() else Finding(finding.kind, fill_pattern(finding.sentence, values))
        for finding in verdict.findings
    ]
    return Judgement(
        tuple(findings),
        tuple([_filled_image(image, values) for image in verdict.images]),
        tuple([replace(file, path=fill_pattern(file.path, values)) for file in verdict.state]),
        verdict.machine,
    )


def _filled_image(image: ImageUse, values: list[str]) -> ImageUse:
    source = fill_pattern(image.source, values)
    path = source if image.path == image.source else image.path and fill_pattern(image.path, values)
    return ImageUse(image.disk, source, path, image.format, image.writes)
