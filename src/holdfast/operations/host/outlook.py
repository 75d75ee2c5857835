"""A host as the place of a cold start: what it would make of a domain's config document.

What libvirt says of the host is asked for once per platform (emulator, architecture, machine and virtualisation type)
and kept as long as the object lives, so that thousands of domains cost a few calls.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.elements.firmware import firmware_request, nvram_of, nvram_template
from holdfast.domainxml.fact import Started
from holdfast.domainxml.host.capabilities import CAPABILITIES_UNKNOWN, Capabilities
from holdfast.domainxml.host.cpu_outlook import (
    cpu_difference,
    cpu_mode,
    expand_host_model,
    gains_and_losses,
    model_of,
    same_model,
)
from holdfast.domainxml.host.machine_type import MachineType, emulators, machine_outlook, read_machine_types
from holdfast.domainxml.host.outlook import Effect, Outlook, newly_blocking
from holdfast.domainxml.host.support import QEMU, demands, support_outlook
from holdfast.domainxml.metadata import fact
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.records.garbled import recorded_cpu, recorded_versions
from holdfast.domainxml.versions import NOT_KNOWN, Versions
from holdfast.errors import Failed, LibvirtRefused, NotFound
from holdfast.hostfiles.digest import sha256_of
from holdfast.hostfiles.qemu_models import qemu_models
from holdfast.hostfiles.state_file import look_at
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_capabilities, host_versions
from holdfast.operations.host.cpus import HostCpus, is_unknown
from holdfast.operations.host.name_firmware import name_firmware
from holdfast.operations.host.provides import HostProvides


@dataclass(frozen=True)
class KnownGuest:
    """What is known of the guest as it runs, or last ran. Each is None where nobody knows.

    ``cpu`` is a concrete ``<cpu>``, ``firmware`` the SHA-256 of its loader file, ``loader`` the path of that file,
    ``versions`` those of the programs that started it.
    """

    cpu: Element | None = None
    firmware: str | None = None
    loader: str | None = None
    versions: Versions = NOT_KNOWN


def known_guest(running: Element | None, config: Element) -> KnownGuest:
    """What is known of the guest: from the document that it runs with, else from what its last start recorded.

    A record that is in the running document, too, was copied there when somebody else started it: it is out of date.
    """
    started = fact(config, Started)
    cpu = None if running is None else running.find("cpu")
    if running is None and started is not None:
        cpu = recorded_cpu(started)
    if cpu is not None and not model_of(cpu):
        cpu = None
    loader = None if running is None else (running.findtext("os/loader") or "").strip() or None
    stale = running is not None and fact(running, Started) is not None
    if started is None or stale:
        return KnownGuest(cpu, None, loader)
    return KnownGuest(cpu, started.firmware or None, loader, recorded_versions(started))


class HostOutlook:
    """The outlook for cold starts on the host of ``connection``. Threads may share it: at worst it asks twice."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._root = cache(lambda: parse(connection.capabilities(), "capabilities"))
        self._emulators = cache(lambda: emulators(self._root()))
        self._machines = cache(lambda arch, virt_type: read_machine_types(self._root(), arch, virt_type))
        self._answers = cache(self._ask)
        self._digests = cache(self._digest)
        self._models = cache(self._ask_qemu)
        self._versions = cache(lambda: host_versions(connection))
        self.provides = HostProvides(connection)
        self.cpus = HostCpus(connection)

    def machines(self, arch: str, virt_type: str) -> dict[str, MachineType]:
        """The machine types of this host, by name (virConnectGetCapabilities)."""
        return self._machines(arch, virt_type)

    def speaks_of(self, emulator: str) -> bool:
        """False for an ``emulator`` whose machine types the host does not report: one that only its domain names."""
        return not emulator or emulator in self._emulators()

    def capabilities(self, platform: Platform) -> Capabilities | str:
        """What domains of this platform can have here; a sentence where there can be none."""
        return self._answers(platform)

    @property
    def versions(self) -> Versions:
        """The versions of QEMU and libvirt that would start a domain here."""
        return self._versions()

    def expanded_cpu(self, domain: Element) -> Element | None:
        """The concrete ``<cpu>`` that host-model is here; None where the domain has another, or libvirt cannot say."""
        capabilities = self._answers(Platform.of(domain)) if cpu_mode(domain) == "host-model" else ""
        if isinstance(capabilities, str) or capabilities.host_model is None:
            return None
        return expand_host_model(domain, capabilities)

    def of(self, domain: Element, known: KnownGuest, origin: HostOutlook | None = None) -> Iterator[Outlook]:
        """Everything that a cold start of the config document ``domain`` here would change or lack.

        ``known`` is what the guest has now; ``origin`` the host that the domain is on, if that is another one.
        """
        yield from self.hardware(domain, known, origin)
        yield from self.provides.missing(domain)

    def hardware(self, domain: Element, known: KnownGuest, origin: HostOutlook | None = None) -> Iterator[Outlook]:
        """As :meth:`of`, but not whether what ``domain`` names of the host is there."""
        platform = Platform.of(domain)
        here = self.machines(platform.arch, platform.virt_type)
        if here and self.speaks_of(platform.emulator):
            there = here if origin is None else origin.machines(platform.arch, platform.virt_type)
            yield from machine_outlook(platform.machine, here, there)
            if platform.machine not in here:
                return
        capabilities = self._answers(platform)
        if isinstance(capabilities, str):
            yield Outlook(Effect.BLOCKS, "host", capabilities)
            return
        if capabilities.is_complete:
            # Of this host as it was before an upgrade nothing can be asked any more.
            yield from self._cpu(domain, platform, capabilities, known.cpu, None if origin is self else origin)
        else:
            yield Outlook(Effect.UNKNOWN, "host", CAPABILITIES_UNKNOWN)
        yield from self._firmware(domain, capabilities, known)
        yield from self.support(domain, capabilities)

    def newly_blocks(self, before: Element, after: Element) -> list[str]:
        """Why the document ``after`` would not start here, for reasons that ``before`` did not have; in sentences."""
        return newly_blocking(*(self.of(document, KnownGuest()) for document in (before, after)))

    def new_devices_block(self, before: Element, after: Element) -> list[str]:
        """As :meth:`newly_blocks`, where only devices differ; nothing is asked where they demand nothing new.

        Images and networks are not looked at: whoever changes them refuses those that are not there.
        """
        found: list[str] = []
        if demands(after) - demands(before):
            capabilities = self._answers(Platform.of(before))
            if not isinstance(capabilities, str):
                found = newly_blocking(*(self.support(document, capabilities) for document in (before, after)))
        return sorted({*found, *newly_blocking((), self.provides.newly_missing(before, after))})

    def support(self, domain: Element, capabilities: Capabilities) -> Iterator[Outlook]:
        """What of ``domain`` this host, whose ``capabilities`` these are, cannot give."""
        asks_qemu = any((demand.section, demand.enum) == QEMU for demand in demands(domain))
        return support_outlook(domain, capabilities, self._models(capabilities.emulator) if asks_qemu else None)

    def _ask_qemu(self, emulator: str) -> frozenset[str] | None:
        return qemu_models(emulator) if self._connection.is_local and self.speaks_of(emulator) else None

    def _cpu(
        self,
        domain: Element,
        platform: Platform,
        capabilities: Capabilities,
        before: Element | None,
        origin: HostOutlook | None,
    ) -> Iterator[Outlook]:
        mode = cpu_mode(domain)
        if mode in ("host-model", "host-passthrough", "maximum") and mode not in capabilities.cpu_modes:
            yield _cpu(Effect.BLOCKS, f"the host cannot give the CPU {mode} with {platform.virt_type}")
        elif mode == "host-model":
            after = expand_host_model(domain, capabilities)
            names = capabilities.canonical_models
            if lack := self._own_features_lack(domain, after, platform):
                yield _cpu(Effect.BLOCKS, f"the host {lack}")
            if before is None:
                sentence = f"host-model becomes {model_of(after)}; which CPU the guest had before is not known"
                yield _cpu(Effect.UNKNOWN, sentence)
            elif difference := cpu_difference(before, after, names):
                yield _cpu(Effect.CHANGES, f"host-model is expanded anew: the CPU {difference}")
                if not same_model(before, after, names):
                    yield from self._lost_features(before, platform)
        elif mode == "host-passthrough":
            sentence = "the CPU is the host's own (host-passthrough): it follows its processor, microcode and QEMU"
            yield _cpu(Effect.NOTE, sentence)
        elif mode == "maximum":
            sentence = "the CPU is all that QEMU offers (maximum): it follows QEMU, and no document says what it is"
            yield _cpu(Effect.UNKNOWN, sentence)
        elif mode == "minimum":
            yield _cpu(Effect.UNKNOWN, "the CPU has match='minimum': it follows what the host has beyond its model")
            yield from self._lost_features(before, platform)
        else:
            yield from self._custom_cpu(domain, platform, capabilities, before, origin)

    def _own_features_lack(self, domain: Element, expanded: Element, platform: Platform) -> str | None:
        """What stands in the way of the single features that are asked for beside host-model."""
        if domain.find("cpu/feature") is None:
            return None
        try:
            return self.cpus.lack(expanded, platform)
        except LibvirtRefused as error:
            return f"cannot give them: {error.message}" if is_unknown(error) else None

    def _custom_cpu(
        self,
        domain: Element,
        platform: Platform,
        capabilities: Capabilities,
        before: Element | None,
        origin: HostOutlook | None,
    ) -> Iterator[Outlook]:
        cpu = domain.find("cpu")
        if cpu is None or not model_of(cpu):
            return
        if model_of(cpu) in capabilities.deprecated_models:
            yield _cpu(Effect.NOTE, f"the CPU model {model_of(cpu)} is deprecated: a later QEMU will not have it")
        optional = [node.get("name", "") for node in cpu.iterfind("feature[@policy='optional']")]
        if optional:
            yield _cpu(Effect.NOTE, f"these CPU features depend on the host (optional): {', '.join(optional)}")
        try:
            if cpu.get("check") == "none":
                yield from self._unchecked_cpu(cpu, platform, before, origin)
            elif lack := self.cpus.lack(cpu, platform):
                yield _cpu(Effect.BLOCKS, f"the host {lack}")
        except LibvirtRefused as error:
            yield self._not_comparable(error, cpu, capabilities)

    def _unchecked_cpu(
        self, cpu: Element, platform: Platform, before: Element | None, origin: HostOutlook | None
    ) -> Iterator[Outlook]:
        """A CPU that is started with less than its model has, where the host lacks something of it."""
        missing = self.cpus.lacking(cpu, platform)
        lacked: list[str] = []
        if origin is not None:
            try:
                lacked = origin.cpus.lacking(cpu, platform)
            except LibvirtRefused:  # it does not know what the guest is said to have
                origin = None
        if before is not None and same_model(before, cpu):
            lost = self.cpus.lacking(before, platform)
        elif origin is not None:
            lost = origin.cpus.available([name for name in missing if name not in lacked], cpu, platform)
        else:
            if missing:
                words = f"the host lacks {', '.join(missing)} of {model_of(cpu)}"
                yield _cpu(Effect.UNKNOWN, f"{words}; whether the guest had them before is not known")
            return
        gained = self.cpus.available([name for name in lacked if name not in missing], cpu, platform)
        if words := gains_and_losses(gained, lost):
            yield _cpu(Effect.CHANGES, f"the CPU {words}")

    def _lost_features(self, before: Element | None, platform: Platform) -> Iterator[Outlook]:
        """The features of the CPU ``before`` that a domain would lose here."""
        if before is None:
            return
        try:
            missing = self.cpus.lacking(before, platform)
        except LibvirtRefused as error:
            yield _cpu(Effect.UNKNOWN, f"libvirt cannot compare the CPU: {error.message}")
            return
        if missing:
            yield _cpu(Effect.CHANGES, f"the CPU {gains_and_losses([], missing)}")

    @staticmethod
    def _not_comparable(error: LibvirtRefused, cpu: Element, capabilities: Capabilities) -> Outlook:
        if is_unknown(error):
            reason = error.message.removeprefix("internal error: ")
            return _cpu(Effect.BLOCKS, f"libvirt cannot give the CPU {model_of(cpu)}: {reason}")
        usable = capabilities.cpu_models.get(model_of(cpu))
        if usable is False:
            return _cpu(Effect.BLOCKS, f"the host cannot run the CPU model {model_of(cpu)}")
        return _cpu(Effect.UNKNOWN, f"libvirt cannot compare the CPU: {error.message}")

    def _firmware(self, domain: Element, capabilities: Capabilities, known: KnownGuest) -> Iterator[Outlook]:
        loader = (domain.findtext("os/loader") or "").strip()
        if firmware_request(domain) is not None:
            if not self._connection.is_local:
                sentence = "libvirt chooses the UEFI files at each start (firmware='efi'): not readable from here"
                yield _firmware(Effect.UNKNOWN, sentence)
                return
            chosen = copy.deepcopy(domain)
            try:
                name_firmware(self._connection, chosen, capabilities)
            except NotFound as error:
                yield _firmware(Effect.BLOCKS, error.message)
                return
            loader = chosen.findtext("os/loader") or ""
            if known.loader not in (None, loader):
                yield _firmware(Effect.CHANGES, f"the firmware becomes {loader}, was {known.loader}")
                return
        if loader:
            yield from self._loader(loader, capabilities, known)
            yield from self._variables(domain, loader, capabilities)
        elif domain.findtext("os/type") == "hvm":
            sentence = "the BIOS comes with QEMU: whether it is the same build as before is recorded nowhere"
            yield _firmware(Effect.UNKNOWN, sentence)

    def _loader(self, loader: str, capabilities: Capabilities, known: KnownGuest) -> Iterator[Outlook]:
        if not self._connection.is_local:
            listed = loader in capabilities.loaders
            sentence = (
                f"{loader} exists; its content cannot be read from here"
                if listed
                else (f"{loader} is not among the firmware that libvirt lists, and cannot be looked for from here")
            )
            yield _firmware(Effect.UNKNOWN, sentence)
            return
        try:
            now = self._digests(loader)
        except NotFound:
            listed_words = ", ".join(capabilities.loaders)
            hint = f" (the host has {listed_words})" if listed_words else ""
            yield _firmware(Effect.BLOCKS, f"there is no firmware file {loader}{hint}")
            return
        except Failed as error:
            yield _firmware(Effect.UNKNOWN, error.message)
            return
        if known.firmware is None:
            sentence = f"which build of {loader} the guest started with before is not known"
            yield _firmware(Effect.UNKNOWN, sentence)
        elif known.firmware != now:
            yield _firmware(Effect.CHANGES, f"{loader} is another build than at the last start")

    def _variables(self, domain: Element, loader: str, capabilities: Capabilities) -> Iterator[Outlook]:
        """Whether the UEFI variables would have to be made, and libvirt knows no template for them."""
        path, has_template = nvram_of(domain), nvram_template(domain) is not None or loader in capabilities.loaders
        if path is None or has_template or not capabilities.is_complete:
            return
        if self._connection.is_local and self._connection.is_usual and look_at(path).there is False:
            sentence = f"there is no NVRAM {path}, and libvirt knows no template for {loader} to make it from"
            yield _firmware(Effect.BLOCKS, sentence)

    def _ask(self, platform: Platform) -> Capabilities | str:
        try:
            return host_capabilities(self._connection, platform)
        except (LibvirtRefused, NotFound) as error:
            return error.message

    @staticmethod
    def _digest(path: str) -> str:
        return sha256_of(path)


def _cpu(effect: Effect, sentence: str) -> Outlook:
    return Outlook(effect, "cpu", sentence)


def _firmware(effect: Effect, sentence: str) -> Outlook:
    return Outlook(effect, "firmware", sentence)
