"""What one document says by itself: findings that need neither the domain nor any other document.

Documents that differ only in names, UUIDs, MACs and paths are judged once
(:mod:`holdfast.domainxml.compare.document_pattern`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from holdfast.domainxml.compare.document_pattern import fill_pattern, pattern_of
from holdfast.domainxml.describe.unknown_parts import unknown_parts
from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.boot import booted_devices
from holdfast.domainxml.elements.disk import host_path, is_shared, source_of, stated_format
from holdfast.domainxml.elements.firmware import Flash, flash_of, is_uefi
from holdfast.domainxml.host.capabilities import CAPABILITIES_UNKNOWN
from holdfast.domainxml.host.machine_type import QemuRelease, dropped_in, released, why_it_ends
from holdfast.domainxml.host.named_provisions import Provision, named_provisions
from holdfast.domainxml.host.outlook import Outlook
from holdfast.domainxml.host.state_files import StateFile
from holdfast.domainxml.make.open_parts import OpenPart, open_parts
from holdfast.domainxml.places.pci import hotplug_places, slot_count
from holdfast.domainxml.platform import Platform
from holdfast.errors import HoldfastError, InvalidDocument, NoConnection
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.report import Finding, FindingKind, Machine, MachineStatus
from holdfast.operations.host.outlook import HostOutlook, KnownGuest
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
    """What was found in one document: findings, images, what it has beside it, what a start needs of the host by name,
    the machine type, and the UEFI firmware. ``by_path``: whether a file is there has decided something.
    """

    findings: tuple[Finding, ...]
    images: tuple[ImageUse, ...]
    state: tuple[StateFile, ...]
    provisions: tuple[Provision, ...]
    machine: Machine
    flash: Flash | None
    by_path: bool = False


class Judge:
    """Judges the documents of one host, whose capabilities it asks once for each kind of domain."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._known: OrderedDict[str, Judgement] = OrderedDict()
        self._host = HostOutlook(connection)
        self.notes: set[str] = set()

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
        return self.judge(parse(document)) if verdict.by_path and values else _filled(verdict, values)

    def judge(self, config: Element, live: Element | None = None) -> Judgement:
        """Judge a document; where the domain runs, ``live`` has the free places and the images."""
        current = config if live is None else live
        machine = self._machine(config)
        stops = self._stops(config)
        findings = [Finding(FindingKind.WOULD_NOT_START, outlook.sentence) for outlook in stops]
        findings += [*self._expiring(config, machine), *_unknown(config), *_no_rng(config), *_no_slot(current)]
        has_no_slot = findings and findings[-1].kind is FindingKind.NO_SLOT
        parts = [part for part in open_parts(config, live) if not (has_no_slot and part.kind == "ports")]
        findings += [Finding(FindingKind.UNSEALED, sentence) for sentence in _merged(parts)]
        images = dict.fromkeys(image for document in (current, config) for image in _images(document))
        state = dict.fromkeys(file for each in (current, config) for file in state_of(self.connection, each))
        needed = tuple(named_provisions(config))
        by_path = any(outlook.part == "firmware" for outlook in stops)
        return Judgement(tuple(findings), tuple(images), tuple(state), needed, machine, flash_of(config), by_path)

    def _machine(self, config: Element) -> Machine:
        emulator, arch, name, virt_type = Platform.of(config)
        status = MachineStatus.UNKNOWN
        machines = self._host.machines(arch, virt_type)
        if name and machines and self._host.speaks_of(emulator):
            found = machines.get(name)
            status = MachineStatus.MISSING if found is None else MachineStatus.OFFERED
            status = MachineStatus.DEPRECATED if found is not None and found.deprecated else status
        return Machine(arch, name, status, released(name), dropped_in(name))

    def _stops(self, config: Element) -> list[Outlook]:
        """Why the domain would not start, of what this host can do; what it provides by name is asked afterwards."""
        try:
            outlooks = list(self._host.hardware(config, KnownGuest()))
        except NoConnection:
            raise
        except HoldfastError as error:
            self.notes.add(f"whether this host can start its domains is not known: {error.message}")
            return []
        if any(outlook.sentence == CAPABILITIES_UNKNOWN for outlook in outlooks):
            self.notes.add(f"whether this host can start its domains is not known: {CAPABILITIES_UNKNOWN}")
        return [outlook for outlook in outlooks if outlook.stops]

    def _expiring(self, config: Element, machine: Machine) -> Iterator[Finding]:
        is_deprecated = machine.status is MachineStatus.DEPRECATED
        if is_deprecated or (machine.status is MachineStatus.OFFERED and _is_past(machine.dropped)):
            word = "deprecated" if is_deprecated else "still offered here, but old"
            sentence = f"the machine type {machine.name} is {word}: {why_it_ends(machine.name)}"
            yield Finding(FindingKind.EXPIRING_MACHINE, sentence)
        model = value_at(config, "cpu/model")
        if model and value_at(config, "cpu@mode") in (None, "custom") and model in self._deprecated_cpus(config):
            yield Finding(
                FindingKind.EXPIRING_CPU, f"the CPU model {model} is deprecated: a later QEMU will not have it"
            )

    def _deprecated_cpus(self, config: Element) -> frozenset[str]:
        platform = Platform.of(config)._replace(machine="")  # the models are the same for all machine types
        try:
            answer = self._host.capabilities(platform)
        except NoConnection:
            raise
        except HoldfastError as error:
            answer = error.message
        if not isinstance(answer, str) and not answer.is_complete:
            answer = CAPABILITIES_UNKNOWN
        if isinstance(answer, str):
            self.notes.add(f"which CPU models expire is not known for {platform.emulator or platform.arch}: {answer}")
            return frozenset()
        return answer.deprecated_models


def _is_past(release: QemuRelease | None) -> bool:
    today = datetime.now(UTC)
    return release is not None and (release.year, release.month) <= (today.year, today.month)


def _unknown(config: Element) -> list[Finding]:
    return [
        Finding(FindingKind.UNKNOWN, f"Holdfast does not know {path}: it counts as seen by the guest")
        for path in unknown_parts(config)
    ]


def _no_rng(config: Element) -> list[Finding]:
    """Since edk2 2025.02 the network drivers of a UEFI firmware need random numbers."""
    boots = any(device.tag == "interface" for device in booted_devices(config))
    if not boots or not is_uefi(config) or config.find("devices/rng") is not None:
        return []
    sentence = "it boots from the network with UEFI but has no RNG device, which edk2 needs for that since 2025.02"
    return [Finding(FindingKind.NO_RNG, sentence)]


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
        tuple([_filled_provision(provision, values) for provision in verdict.provisions]),
        verdict.machine,
        verdict.flash,
        verdict.by_path,
    )


def _filled_provision(provision: Provision, values: list[str]) -> Provision:
    return Provision(fill_pattern(provision.who, values), provision.kind, fill_pattern(provision.name, values))


def _filled_image(image: ImageUse, values: list[str]) -> ImageUse:
    source = fill_pattern(image.source, values)
    path = source if image.path == image.source else image.path and fill_pattern(image.path, values)
    return ImageUse(image.disk, source, path, image.format, image.writes)
