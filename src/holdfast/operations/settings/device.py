"""Changing the settings of one disk or one interface: how it is provided, and whether its cable is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from holdfast.domainxml.device import find_device, label, lookup
from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.elements.disk import driver_word, set_driver_word
from holdfast.domainxml.elements.interface import connect_interface, connected_to, link_state, set_link
from holdfast.domainxml.elements.iotune import LIMITS, io_limit, io_parameters, set_io_limit
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.settings.apply import (
    SettingsChange,
    SettingStep,
    Value,
    at_next_start,
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
    the running guest as it is. Raises NotFound (4), Failed (1) where libvirt or QEMU refuses.
    (virDomainSetBlockIoTune; virDomainUpdateDeviceFlags)
    """

    def steps(domain: OpenDomain, found: _Find) -> Iterator[SettingStep]:
        def limit(definition: Definition, document: Element) -> None:
            device = found(document)
            assert device is not None
            domain.set_io_limits(label(device), io_parameters(device), definition)

        update = _update(domain, found)
        for key in ("cache", "discard"):
            if (word := getattr(settings, key)) is not None:
                sees = (f"devices/disk/driver@{key}",)
                yield _step(key, word, found, driver_word, set_driver_word, update, at_next_start, sees)
        for key in LIMITS:
            if (value := getattr(settings, key)) is not None:
                yield _step(key, value, found, io_limit, set_io_limit, limit)

    return _set(connection, name, disk, "disk", steps, config_only, dry_run)


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

    Both for live and config; ``config_only`` leaves the running guest as it is. The address never changes.
    Raises NotFound (4), Failed (1) where libvirt or QEMU refuses. (virDomainUpdateDeviceFlags)
    """
    kind, source = ("network", settings.network) if settings.network is not None else ("bridge", settings.bridge)
    if settings.network is not None:
        connection.check_network(settings.network)

    def steps(domain: OpenDomain, found: _Find) -> Iterator[SettingStep]:
        update = _update(domain, found)
        if settings.link is not None:
            yield _step(
                "link",
                settings.link,
                found,
                lambda device, _: link_state(device),
                lambda device, _, value: set_link(device, value),
                update,
                sees=("devices/interface/link",),
            )
        if source is not None:
            yield _step(
                kind,
                f"{kind} {source}",
                found,
                lambda device, _: connected_to(device),
                lambda device, *_: connect_interface(device, kind, source),
                update,
            )

    return _set(connection, name, interface, "interface", steps, config_only, dry_run)


_Find = Callable[[Element], Element | None]
"""The device in question in a document; None where somebody has taken it away meanwhile."""


def _set(
    connection: Connection,
    name: str,
    device: str,
    tag: str,
    steps: Callable[[OpenDomain, _Find], Iterator[SettingStep]],
    config_only: bool,
    dry_run: bool,
) -> SettingsChange:
    with changing(connection, name, needs=Need.OWN_HARDWARE, dry_run=dry_run) as domain:
        before = domain.documents
        possible = domain.targets(config_only)
        there = (lookup(before.present[each], device, tag) for each in possible)
        wanted = next((each for each in there if each is not None), None)
        if wanted is None:
            raise NotFound(
                f"the domain {domain.name!r} has no {tag} {device!r}{' in config' if config_only else ''}",
                f"'holdfast {tag} list {domain.name}' shows what it has",
            )
        definitions = [each for each in possible if before.find(each, wanted) is not None]
        found = partial(find_device, like=wanted)
        return change_settings(connection, domain, list(steps(domain, found)), definitions, before, dry_run=dry_run)


def _update(domain: OpenDomain, found: _Find) -> Callable[[Definition, Element], None]:
    """libvirt's update of the whole device, with its address: without one it would be given another."""

    def update(definition: Definition, document: Element) -> None:
        device = found(document)
        assert device is not None
        domain.update(serialize(device), definition)

    return update


def _step(
    name: str,
    value: Value,
    found: _Find,
    reads: Callable[[Element, str], Value],
    write: Callable[..., None],
    call: Callable[[Definition, Element], None],
    waits: Callable[[Element], str | None] = at_once,
    sees: tuple[str, ...] = (),
) -> SettingStep:
    return SettingStep(
        name.replace("_", "-"),
        value,
        lambda document: None if (device := found(document)) is None else reads(device, name),
        lambda document: write(found(document), name, value),
        call,
        waits,
        sees,
    )
