"""Who made a domain, whom it belongs to there, and what its disks are for, as far as its maker left traces."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import replace

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts, same_subject
from holdfast.domainxml.number import number_at
from holdfast.domainxml.records.disk_record import (
    has_recorded_volume,
    left_in_making,
    new_record,
    recorded_disk,
    target_of,
    usual_role,
)

_NAMESPACES = (
    ("http://openstack.org/xmlns/libvirt/nova/", "nova"),
    ("https://holdfast.dev/xmlns/domain/", "holdfast"),
    ("http://www.vagrantup.com/", "vagrant"),
    ("https://github.com/vagrant-libvirt/", "vagrant"),
    ("https://github.com/cockpit-project/cockpit/", "cockpit"),
    ("https://wiki.gnome.org/Apps/Boxes", "gnome-boxes"),
    ("http://libosinfo.org/xmlns/libvirt/domain/", "virt-manager"),
)
"""Beginnings of namespaces in <metadata>, and whose they are. Several tools leave libosinfo's, so it comes last."""

_NOVA_NAMES = (("disk.config", "config"), ("disk.swap", "swap"), ("disk.eph", "ephemeral"), ("disk", "root"))
"""How Nova's image backend names its files, and their roles (nova/virt/libvirt/blockinfo.py); the longer first."""


def origin(domain: Element) -> str:
    """The tool that made ``domain``: "nova", "virt-manager", "vagrant" …; "unknown" where none left a trace."""
    namespaces = [str(item.tag).removeprefix("{").partition("}")[0] for item in domain.iterfind("metadata/*")]
    for prefix, tool in _NAMESPACES:
        if any(namespace.startswith(prefix) for namespace in namespaces):
            return tool
    return "vagrant" if "Vagrantfile" in domain.findtext("description", "") else "unknown"


def owner(domain: Element) -> str:
    """Whom ``domain`` belongs to where it came from: Nova's project, as UUID or name; empty where nothing says."""
    project = domain.find("metadata/{*}instance/{*}owner/{*}project")
    return "" if project is None else project.get("uuid") or (project.text or "")


def guess_records(domain: Element) -> list[DiskRecord]:
    """A record of each disk of ``domain``, with what can be guessed: its role, and the id of its volume.

    The disk that boots first is the root disk. Nova gives a volume's UUID to its disk as serial, and its own images
    have fixed names.
    """
    disks = domain.findall("devices/disk")
    hard = [disk for disk in disks if disk.get("device", "disk") in ("disk", "lun")]
    order = {id(disk): _boot_order(disk, place) for place, disk in enumerate(hard)}
    first = min(hard, key=lambda disk: order[id(disk)], default=None)
    is_nova = origin(domain) == "nova"
    return [
        new_record(disk, role=_role(disk, disk is first, is_nova), id=_volume_id(disk) if is_nova else "")
        for disk in disks
        if target_of(disk)
    ]


def complete_records(domain: Element) -> list[DiskRecord]:
    """The records that ``domain`` should have: for each disk what it records already, else what can be guessed.

    Images that are being made stay recorded. A record of a disk that is not there goes.
    """
    left = left_in_making(domain)
    records = []
    for guess in guess_records(domain):
        known = next((old for old in facts(domain, DiskRecord) if same_subject(old, guess)), guess)
        records.append(known if known in left else _agreeing(replace(known.settled, id=guess.id or known.id), domain))
    return [*records, *(record for record in left if record not in records)]


def _agreeing(record: DiskRecord, domain: Element) -> DiskRecord:
    """``record`` without the volume, where the disk has another image by now."""
    disk = recorded_disk(domain, record)
    agrees = disk is None or not record.path or has_recorded_volume(record, disk)
    return record if agrees else replace(record, volume="", path="")


def _volume_id(disk: Element) -> str:
    serial = disk.findtext("serial", "")
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(serial))
    return ""


def _role(disk: Element, is_first: bool, is_nova: bool) -> str:
    name = (source_of(disk) or "").rpartition("/")[2]
    for ending, role in _NOVA_NAMES if is_nova else ():
        if name == ending or name.endswith(f"_{ending}") or (role == "ephemeral" and ending in name):
            return role
    return "root" if is_first else usual_role(disk)


def _boot_order(disk: Element, place: int) -> tuple[int, int]:
    return number_at(disk, "boot@order", 1_000_000), place
