"""Changing the settings of one disk or one interface: how it is provided, and whether its cable is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from holdfast.domainxml.device import find_device, label, lookup
from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.elements.disk import driver_word, set_driver_word
from holdfast.domainxml.elements.interface import connect_interface, connected_to, link_state, set_link
from holdfast.domainxml.elements.iotune import LIMITS, io_limit, io_parameters, set_io_limit
from holdfast.errors import HoldfastError
from holdfast.errors.devices import NO_DEVICE, NO_DEVICE_OF_KIND
from holdfast.errors.settings import NOT_IN_CONFIG
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.documents import Documents
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.settings.apply import (
    SettingsChange,
    SettingStep,
    Value,
    at_once,
    change_settings,
)
from holdfast.operations.settings.values import DiskSettings, InterfaceSettings


def set_disk(
    connection: Connection,
    name: str,
    disk: str,
    settings: DiskSettings,
    *,
    config_only: bool = False,
    dry_run: bool = False,
) -> SettingsChange:
    """Change what ``settings`` asks for at ``disk`` (its target, alias or PCI address) of the domain ``name``.

    Limits are for live and config alike, ``cache`` and ``discard`` wait for the next start; ``config_only`` leaves
    the running guest as it is. Raises IN_RESCUE, NO_DEVICE and the like, and as :func:`.apply.change_settings` does.
    (virDomainSetBlockIoTune; virDomainUpdateDeviceFlags)
    """
    return _set(connection, name, disk, "disk", partial(_disk_steps, settings), config_only, dry_run)


def set_interface(
    connection: Connection,
    name: str,
    interface: str,
    settings: InterfaceSettings,
    *,
    config_only: bool = False,
    dry_run: bool = False,
) -> SettingsChange:
    """Change what ``settings`` asks for at ``interface`` of the domain ``name``: its MAC, alias or PCI address.

    Both for live and config; ``config_only`` leaves the running guest as it is. The address never changes. Raises
    NO_NETWORK, IN_RESCUE, NO_DEVICE and the like, and as :func:`.apply.change_settings` does.
    (virDomainUpdateDeviceFlags)
    """
    if settings.network is not None:
        connection.check_network(settings.network)
    return _set(connection, name, interface, "interface", partial(_interface_steps, settings), config_only, dry_run)


@dataclass(frozen=True)
class _Device:
    """A device of ``domain``, the same one in whichever document: how its settings are read, written and made.

    ``example`` is the device as one of the documents has it.
    """

    domain: OpenDomain
    example: Element

    def find(self, document: Element) -> Element | None:
        """The device in ``document``; None where somebody has removed it in the meantime."""
        return find_device(document, self.example)

    def reader(self, read: Callable[[Element], Value]) -> Callable[[Element], Value]:
        """What ``read`` says of the device, as a question to a document."""

        def reads(document: Element) -> Value:
            device = self.find(document)
            return None if device is None else read(device)

        return reads

    def writer(self, write: Callable[[Element], None]) -> Callable[[Element], None]:
        """What ``write`` does to the device, as something done to a document."""

        def writes(document: Element) -> None:
            write(self._device_in(document))

        return writes

    def update(self, definition: Definition, document: Element) -> None:
        """libvirt's update of the whole device, with its address: without one it would be given another."""
        self.domain.update(serialize(self._device_in(document)), definition)

    def set_io_limits(self, definition: Definition, document: Element) -> None:
        """libvirt's call for all the limits of a disk."""
        device = self._device_in(document)
        self.domain.set_io_limits(label(device), io_parameters(device), definition)

    def _device_in(self, document: Element) -> Element:
        device = self.find(document)
        assert device is not None  # the documents that are written to are those that have it
        return device


def _disk_steps(settings: DiskSettings, device: _Device) -> Iterator[SettingStep]:
    for key, word in (("cache", settings.cache), ("discard", settings.discard)):
        if word is not None:
            yield SettingStep(
                name=key,
                value=word,
                read=device.reader(partial(driver_word, key=key)),
                write=device.writer(partial(set_driver_word, key=key, word=word)),
                call=device.update,
                sees=(f"devices/disk/driver@{key}",),
            )
    for limit in LIMITS:
        value: int | None = getattr(settings, limit)
        if value is not None:
            yield SettingStep(
                name=limit.replace("_", "-"),
                value=value,
                read=device.reader(partial(io_limit, name=limit)),
                write=device.writer(partial(set_io_limit, name=limit, value=value)),
                call=device.set_io_limits,
                later=at_once,
                early=True,
            )


def _interface_steps(settings: InterfaceSettings, device: _Device) -> Iterator[SettingStep]:
    if settings.link is not None:
        yield SettingStep(
            name="link",
            value=settings.link,
            read=device.reader(link_state),
            write=device.writer(partial(set_link, state=settings.link)),
            call=device.update,
            later=at_once,
            sees=("devices/interface/link",),
        )
    for kind, source in (("network", settings.network), ("bridge", settings.bridge)):
        if source is not None:
            yield SettingStep(
                name=kind,
                value=f"{kind} {source}",
                read=device.reader(connected_to),
                write=device.writer(partial(connect_interface, kind=kind, source=source)),
                call=device.update,
                later=at_once,
            )


def _set(
    connection: Connection,
    name: str,
    device: str,
    kind: str,
    steps: Callable[[_Device], Iterator[SettingStep]],
    config_only: bool,
    dry_run: bool,
) -> SettingsChange:
    """Apply ``steps`` to a device of this ``kind``, "disk" or "interface", wherever it is."""
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = domain.documents
        possible = domain.targets(config_only)
        there = (lookup(before.present[each], device, kind) for each in possible)
        example = next((each for each in there if each is not None), None)
        if example is None:
            raise _no_device(domain.name, before, device, kind, config_only)
        found = _Device(domain, example)
        definitions = [each for each in possible if found.find(before.present[each]) is not None]
        return change_settings(domain, list(steps(found)), definitions, before, dry_run=dry_run)


def _no_device(name: str, documents: Documents, device: str, kind: str, config_only: bool) -> HoldfastError:
    if config_only:
        return NOT_IN_CONFIG(name=name, kind=kind, device=device)
    found = {label(each) for document in documents.present.values() for each in document.iterfind(f"devices/{kind}")}
    if found:
        return NO_DEVICE_OF_KIND(name=name, kind=kind, device=device, names=sorted(found))
    return NO_DEVICE(name=name, kind=kind, device=device)
