"""The two guests of the chain: one under Holdfast, and one whose manager writes a fresh document at each start."""

from __future__ import annotations

import shutil
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.document import Element, child, parse, remove_children, serialize
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.guest import Guest
from holdfast_lab.probe_image import probe_image
from holdfast_lab.regenerate import fresh_document
from tests.hosts.chain.sight import Sight, look
from tests.libvirt.domains import image

_ROOT, _DATA = "root", ("one", "two")
_MACS = {"holdfast": "52:54:00:cc:00:01", "regenerated": "52:54:00:cc:00:02"}
LABELS = {**dict.fromkeys(_MACS.values(), "interface"), _ROOT: "root", "two": "volume two"}
"""Serials and MACs of what the guests have → how people call it."""


class Kept:
    """A guest under Holdfast: every step is an operation."""

    name = "holdfast"
    cpu = "Nehalem"
    """One that every QEMU of the chain emulates whole."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is one that every host calls the same; its own is made below it."""
        self._folder = folder / self.name
        self._guest: Guest | None = None

    def create(self, connection: Connection) -> None:
        """A guest that runs, with a gap between its devices where one was detached.

        All its disks are read-only, so that libvirt lets it move without storage that is shared.
        """
        self._folder.mkdir()
        root = self._folder / _ROOT
        shutil.copyfile(probe_image().disk, root)
        disk = DiskSpec(path=str(root), format="raw", readonly=True, serial=_ROOT)
        spec = DomainSpec(
            memory=256 << 20, machine="pc-q35-7.2", cpu=self.cpu, disks=(disk,), graphics="none", virt_type="qemu"
        )
        operations.create_domain(connection, self.name, spec)
        for serial in _DATA:
            data = DiskSpec(path=str(image(self._folder, serial)), format="raw", readonly=True, serial=serial)
            operations.attach_disk(connection, self.name, data)
        mac = f"<mac address='{_MACS[self.name]}'/>"
        interface = f"<interface type='ethernet'>{mac}<model type='virtio'/></interface>"
        operations.attach_device(connection, self.name, interface)
        operations.detach_device(connection, self.name, "vdb")
        operations.start(connection, self.name)
        self._guest = Guest(connection.find_domain(self.name))
        self.guest.wait_for_boot()

    def move(self, here: Connection, there: Connection) -> None:
        """To another host while it runs."""
        operations.migrate_domain(here, self.name, there)
        self.follow(there)

    def follow(self, there: Connection) -> None:
        """It is managed by the libvirt of ``there`` now."""
        self.guest.close()
        self.guest.domain = there.find_domain(self.name)

    def cold_start(self, connection: Connection) -> None:
        """Off, and on again."""
        operations.reboot(connection, self.name, hard=True)
        self.guest.wait_for_boot()

    def cold_move(self, here: Connection, there: Connection) -> None:
        """Off, to another host, and on again there."""
        operations.destroy(here, self.name)
        operations.migrate_domain(here, self.name, there)
        self._start(there)

    def see(self) -> Sight:
        """What the guest sees now."""
        return look(self.guest)

    def end(self, connection: Connection) -> None:
        """Away with it."""
        self.guest.close()
        domain = connection.find_domain(self.name)
        domain.destroy()
        domain.undefine()
        shutil.rmtree(self._folder)

    def _start(self, there: Connection) -> None:
        operations.start(there, self.name)
        self.follow(there)
        self.guest.wait_for_boot()

    @property
    def guest(self) -> Guest:
        """The guest; there is one after :meth:`create`."""
        assert self._guest is not None
        return self._guest


class Regenerated(Kept):
    """The same under a manager that knows its devices, and leaves all else to the host where it starts it.

    While it runs it is moved as the other one: no manager writes a document anew for that.
    """

    name = "regenerated"
    cpu = "qemu64"
    """What a guest has whose document names none."""

    def cold_start(self, connection: Connection) -> None:
        self.cold_move(connection, connection)

    def cold_move(self, here: Connection, there: Connection) -> None:
        domain = here.find_domain(self.name)
        document = stock_document(domain.xml(Definition.CONFIG, secure=True))
        domain.destroy()
        domain.undefine()
        there.define(document)
        self._start(there)


def stock_document(document: str) -> str:
    """``document`` without addresses, version of the machine and CPU."""
    domain = parse(fresh_document(document, (_ROOT, *_DATA)), "domain")
    kind: Element = child(child(domain, "os"), "type")
    kind.set("machine", "q35")
    remove_children(domain, "cpu")
    return serialize(domain)
