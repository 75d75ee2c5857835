"""Changing the settings of a whole domain: vCPUs, memory, boot order, names, limits, the graphics' password."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from holdfast.domainxml.device import describe, label, lookup
from holdfast.domainxml.document import Element, child, remove_children, serialize
from holdfast.domainxml.elements.boot import BOOTABLE, boot_order, set_boot_order
from holdfast.domainxml.elements.cputune import PARAMETERS, cpu_limit, scheduler_parameters, set_cpu_limit
from holdfast.domainxml.elements.graphics import WITH_PASSWORD, set_password
from holdfast.domainxml.elements.vcpu import pinned_beyond
from holdfast.errors import settings as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.documents import Documents, read
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.settings.apply import SettingsChange, SettingStep, at_once, change_settings
from holdfast.operations.settings.memory import memory_steps
from holdfast.operations.settings.values import DomainSettings
from holdfast.operations.settings.vcpus import vcpu_steps


def set_domain(
    connection: Connection,
    name: str,
    settings: DomainSettings,
    *,
    config_only: bool = False,
    dry_run: bool = False,
) -> SettingsChange:
    """Change what ``settings`` asks for, in live and config alike; what a running guest cannot have waits in config.

    ``config_only`` leaves the running guest as it is. Where the domain has slots for memory modules, ``max_memory``
    adds one, also while it runs.

    Raises IN_RESCUE, Refused where one setting would drag along another that nobody asked for (BEYOND_MAX_VCPUS and the
    like), NO_BOOT_DEVICE, NOT_BOOTABLE, NO_GRAPHICS, LONG_VNC_PASSWORD, and as :func:`.apply.change_settings` does:
    NOT_LET_GO where the guest keeps a vCPU.
    (virDomainSetVcpusFlags, virDomainSetMemoryFlags, virDomainSetMetadata, virDomainSetAutostart,
    virDomainSetSchedulerParametersFlags, virDomainUpdateDeviceFlags, virDomainAttachDeviceFlags; topology and boot
    order by the proved edit)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = domain.documents if settings.graphics_password is None else read(domain, secure=True)
        definitions = domain.targets(config_only)
        documents = [before.present[each] for each in definitions]
        steps = [
            *vcpu_steps(domain, settings),
            *memory_steps(domain, settings, documents),
            *_boot(domain, settings, documents[-1]),
            *_limits(domain, settings),
            *_password(domain, settings, documents),
            *_names(domain, settings),
        ]
        notes = _notes(settings, before)
        return change_settings(domain, steps, definitions, before, notes=notes, dry_run=dry_run)


def _boot(domain: OpenDomain, settings: DomainSettings, document: Element) -> Iterator[SettingStep]:
    if settings.boot is None:
        return
    names = settings.boot
    labels = ", ".join(label(device) for device in _bootable(domain, document, names))

    def read(document: Element) -> str:
        return ", ".join(boot_order(document))

    def write(document: Element) -> None:
        set_boot_order(document, _bootable(domain, document, names))

    yield SettingStep("boot", labels, read, write, sees=("os/boot", *(f"devices/{tag}/boot" for tag in BOOTABLE)))


def _bootable(domain: OpenDomain, document: Element, names: tuple[str, ...]) -> list[Element]:
    found = []
    for name in names:
        device = lookup(document, name)
        if device is None:
            raise errors.NO_BOOT_DEVICE(name=domain.name, device=name)
        if device.tag not in BOOTABLE:
            raise errors.NOT_BOOTABLE(device=describe(device), kinds=BOOTABLE)
        found.append(device)
    return found


def _limits(domain: OpenDomain, settings: DomainSettings) -> Iterator[SettingStep]:
    def call(definition: Definition, document: Element) -> None:
        domain.set_scheduler(scheduler_parameters(document), definition)

    for name in PARAMETERS:
        value: int | None = getattr(settings, f"cpu_{name}")
        if value is not None:
            write = partial(set_cpu_limit, name=name, value=value)
            yield SettingStep(f"cpu-{name}", value, partial(cpu_limit, name=name), write, call, at_once)


def _password(domain: OpenDomain, settings: DomainSettings, documents: list[Element]) -> Iterator[SettingStep]:
    password = settings.graphics_password
    if password is None:
        return
    kinds = {graphics.get("type") for document in documents for graphics in _graphics(document)}
    if not kinds:
        raise errors.NO_GRAPHICS(name=domain.name, kinds=WITH_PASSWORD)
    if "vnc" in kinds and len(password.encode()) > 8:
        raise errors.LONG_VNC_PASSWORD()

    def write(document: Element) -> None:
        for graphics in _graphics(document):
            set_password(graphics, password)

    def call(definition: Definition, document: Element) -> None:
        for graphics in _graphics(document):
            domain.update(serialize(graphics), definition)

    def read(document: Element) -> str | None:
        found = {graphics.get("passwd", "") for graphics in _graphics(document)}
        return found.pop() if len(found) == 1 else None

    def later(live: Element) -> str | None:
        # QEMU cannot begin to ask for one, nor end it; libvirt 9.0 takes the latter and does nothing.
        if not password:
            return "the running guest's graphics ask for the old one until its next start"
        if any(graphics.get("passwd") is None for graphics in _graphics(live)):
            return "the running guest's graphics were started without, and ask for none until its next start"
        return None

    yield SettingStep("graphics-password", password, read, write, call, later, secret=True)


def _graphics(document: Element) -> list[Element]:
    return [each for each in document.iterfind("devices/graphics") if each.get("type") in WITH_PASSWORD]


def _names(domain: OpenDomain, settings: DomainSettings) -> Iterator[SettingStep]:
    if settings.title is not None:
        yield _text("title", settings.title, domain.set_title)
    if settings.description is not None:
        yield _text("description", settings.description, domain.set_description)
    if settings.autostart is not None:
        yield _autostart(domain, settings.autostart)


def _text(tag: str, text: str, set_text: Callable[[str, Definition], None]) -> SettingStep:
    def read(document: Element) -> str:
        return document.findtext(tag) or ""

    def write(document: Element) -> None:
        if text:
            child(document, tag).text = text
        else:
            remove_children(document, tag)

    def call(definition: Definition, _: Element) -> None:
        set_text(text, definition)

    return SettingStep(tag, text, read, write, call, at_once, early=True)


def _autostart(domain: OpenDomain, autostart: bool) -> SettingStep:
    """No document says it: libvirt is asked."""

    def read(_: Element) -> bool:
        return domain.autostart()

    def write(_: Element) -> None:
        pass

    def call(_: Definition, __: Element) -> None:
        domain.set_autostart(autostart)
        if domain.autostart() != autostart:
            raise errors.AUTOSTART_NOT_SET(name=domain.name, wanted="on" if autostart else "off")

    return SettingStep("autostart", autostart, read, write, call, at_once, once=True)


def _notes(settings: DomainSettings, before: Documents) -> list[str]:
    if settings.max_vcpus is None or before.config is None:
        return []
    pinned = pinned_beyond(before.config, settings.max_vcpus)
    return [f"the pinning of vCPU {', '.join(map(str, pinned))} goes with it"] if pinned else []
