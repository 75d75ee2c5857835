"""What the tests of following share: the instance, defined, and its manager's wishes followed."""

from __future__ import annotations

from holdfast import operations
from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, devices, parse
from holdfast.domainxml.elements.disk import source_of
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.manager.follow import Followed
from tests.generated import INSTANCE, NAME
from tests.libvirt.domains import CONFIG

ROOT = "/var/lib/nova/instances/7f2c6f9a/disk"


def is_volume(device: Element) -> bool:
    """Nova knows its volumes by the serial, its interfaces by their MAC."""
    mac = device.find("mac")
    return device.find("serial") is not None or (mac is not None and mac.get("address", "").startswith("fa:16:3e"))


def follow(connection: Connection, wanted: str, old: str | None = None, dry_run: bool = False) -> Followed:
    return operations.follow_document(connection, NAME, wanted, is_own=is_volume, old=old, dry_run=dry_run)


def defined(connection: Connection, document: str = INSTANCE) -> Domain:
    return connection.define(document)


def config(domain: Domain) -> Element:
    return parse(domain.xml(CONFIG))


def lines(domain: Domain) -> list[str]:
    return sorted(domain.xml(CONFIG).splitlines())


def seats(domain: Domain) -> dict[str, str | None]:
    """Where each device is in config: disks by their images, for their names are the manager's to give."""
    return {source_of(device) or label(device): describe_address(device) for device in devices(config(domain))}
