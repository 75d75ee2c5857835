"""Changing the settings of a whole domain: vCPUs, memory, boot order, names, limits, the graphics' password."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.device import describe, label, lookup
from holdfast.domainxml.document import Element, child, serialize
from holdfast.domainxml.elements.boot import BOOTABLE, boot_order, set_boot_order
from holdfast.domainxml.elements.cputune import PARAMETERS, cpu_limit, scheduler_parameters, set_cpu_limit
from holdfast.domainxml.elements.graphics import WITH_PASSWORD, set_password
from holdfast.domainxml.elements.vcpu import pinned_beyond
from holdfast.errors import NotFound, UsageError
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

    Raises Refused (3) where one setting would drag along another that nobody asked for, NotFound (4) for a device to
    boot from, Failed (1) where libvirt or QEMU refuses, PartlyDone (5) where the guest does not let go of a vCPU.
    (virDomainSetVcpusFlags, virDomainSetMemoryFlags, virDomainSetMetadata, virDomainSetAutostart,
    virDomainSetSchedulerParametersFlags, virDomainUpdateDeviceFlags, virDomainAttachDeviceFlags; topology and boot
    order by the proved edit)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = read(domain, secure=settings.graphics_password is not None)
        definitions = domain.targets(config_only)
        documents = [before.present[each] for each in definitions]
        steps = [
            *vcpu_steps(connection, domain, settings),
            *memory_steps(domain, settings, documents),
            *_boot(domain, settings, documents[-1]),
            *_limits(domain, settings),
            *_password(domain, settings, documents),
            *_names(domain, settings),
        ]
        notes = _notes(settings, before)
        return change_settings(connection, domain, steps, definitions, before, notes=notes, dry_run=dry_run)


def _boot(domain: OpenDomain, settings: DomainSettings, document: Element) -> Iterator[SettingStep]:
    if settings.boot is None:
        return
    labels = [label(device) for device in _bootable(domain, document, settings.boot)]

    def write(document: Element) -> None:
        set_boot_order(document, _bootable(domain, document, settings.boot or ()))

    sees = ("os/boot", *(f"devices/{tag}/boot" for tag in BOOTABLE))
    yield SettingStep("boot", ", ".join(labels), lambda document: ", ".join(boot_order(document)), write, sees=sees)


def _bootable(domain: OpenDomain, document: Element, names: tuple[str, ...]) -> list[Element]:
    found = []
    for name in names:
        device = lookup(document, name)
        if device is None:
            raise NotFound(
                f"the next start of {domain.name!r} has no device {name!r}", "'holdfast device list' names them"
            )
        if device.tag not in BOOTABLE:
            raise UsageError(f"nothing can be booted from {describe(device)}", f"from a {', '.join(BOOTABLE)} it can")
        found.append(device)
    return found


def _limits(domain: OpenDomain, settings: DomainSettings) -> Iterator[SettingStep]:
    def call(definition: Definition, document: Element) -> None:
        domain.set_scheduler(scheduler_parameters(document), definition)

    for name in PARAMETERS:
        value = getattr(settings, f"cpu_{name}")
        if value is not None:
            yield SettingStep(
                f"cpu-{name}",
                value,
                lambda document, name=name: cpu_limit(document, name),  # type: ignore[misc]
                lambda document, name=name, value=value: set_cpu_limit(document, name, value),  # type: ignore[misc]
                call,
                at_once,
            )


def _password(domain: OpenDomain, settings: DomainSettings, documents: list[Element]) -> Iterator[SettingStep]:
    wanted = settings.graphics_password
    if wanted is None:
        return
    kinds = {graphics.get("type") for document in documents for graphics in _graphics(document)}
    if not kinds:
        raise NotFound(f"{domain.name!r} has no graphics that ask for a password", f"{' and '.join(WITH_PASSWORD)} do")
    if "vnc" in kinds and len(wanted.encode()) > 8:
        raise UsageError("a VNC password has 8 characters at most", "the protocol knows no more")

    def write(document: Element) -> None:
        for graphics in _graphics(document):
            set_password(graphics, wanted)

    def call(definition: Definition, document: Element) -> None:
        for graphics in _graphics(document):
            domain.update(serialize(graphics), definition)

    def reads(document: Element) -> str | None:
        found = {graphics.get("passwd", "") for graphics in _graphics(document)}
        return found.pop() if len(found) == 1 else None

    def waits(live: Element) -> str | None:
        # QEMU cannot begin to ask for one, nor end it; libvirt 9.0 takes the latter and does nothing.
        if not wanted:
            return "the running guest's graphics ask for the old one until its next start"
        if any(graphics.get("passwd") is None for graphics in _graphics(live)):
            return "the running guest's graphics were started without, and ask for none until its next start"
        return None

    yield SettingStep("graphics-password", wanted, reads, write, call, waits, secret=True)


def _graphics(document: Element) -> list[Element]:
    return [each for each in document.iterfind("devices/graphics") if each.get("type") in WITH_PASSWORD]


def _names(domain: OpenDomain, settings: DomainSettings) -> Iterator[SettingStep]:
    for tag, text, set_text in (
        ("title", settings.title, domain.set_title),
        ("description", settings.description, domain.set_description),
    ):
        if text is not None:
            yield SettingStep(
                tag,
                text,
                lambda document, tag=tag: document.findtext(tag) or "",  # type: ignore[misc]
                lambda document, tag=tag, text=text: _write_text(document, tag, text),  # type: ignore[misc]
                lambda definition, _, set_text=set_text, text=text: set_text(text, definition),  # type: ignore[misc]
                at_once,
            )
    if settings.autostart is not None:
        wanted = settings.autostart
        yield SettingStep(
            "autostart",
            wanted,
            lambda _: domain.autostart(),
            lambda _: None,
            lambda *_: domain.set_autostart(wanted),
            at_once,
            once=True,
        )


def _write_text(document: Element, tag: str, text: str) -> None:
    if text:
        child(document, tag).text = text
    elif (found := document.find(tag)) is not None:
        document.remove(found)


def _notes(settings: DomainSettings, before: Documents) -> list[str]:
    if settings.max_vcpus is None or before.config is None:
        return []
    pinned = pinned_beyond(before.config, settings.max_vcpus)
    return [f"the pinning of vCPU {', '.join(map(str, pinned))} goes with it"] if pinned else []
