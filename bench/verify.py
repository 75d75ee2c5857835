"""Verifying: the live document, and three questions to the agent of a guest that boots for it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import libvirt_qemu

from bench.measure import Case
from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.daemon import Host
from holdfast_lab.guest import Guest
from holdfast_lab.probe_image import probe_image

NAME = "asked"
COMMANDS = ("guest-get-disks", "guest-network-get-interfaces", "guest-get-osinfo")


def verify_cases(host: Host, connection: Connection) -> Iterator[Case]:
    """Asking and comparing, beside asking alone."""
    guests: list[Guest] = []

    def boot() -> None:
        if guests:
            return
        image = str(host.images / "asked.img")
        root = DiskSpec(path=image, format="raw", copy_from=str(probe_image().disk), source_format="raw", serial="root")
        spec = DomainSpec(memory=256 << 20, disks=(root,), interfaces=(InterfaceSpec(kind="user"),), graphics="none")
        operations.create_domain(connection, NAME, spec, start=True)
        guest = Guest(connection.find_domain(NAME))
        guest.wait_for_boot()
        guest.start_agent()
        guests.append(guest)

    def bare() -> None:
        domain = connection._handle.lookupByName(NAME)
        domain.XMLDesc(0)
        for command in COMMANDS:
            libvirt_qemu.qemuAgentCommand(domain, json.dumps({"execute": command}), 5, 0)

    yield Case("verify", bare, lambda: operations.verify_domain(connection, NAME), before=boot)
    for guest in guests:
        guest.close()
        operations.delete_domain(connection, NAME, force=True, storage=True)
