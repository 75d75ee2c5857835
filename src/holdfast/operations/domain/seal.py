"""Sealing a domain that others created: make concrete what it leaves open, and show what the guest would notice."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import Element, child
from holdfast.domainxml.elements.firmware import firmware_request
from holdfast.domainxml.host.capabilities import read_capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu
from holdfast.domainxml.make.open_parts import OpenPart, needs_serial, open_parts
from holdfast.domainxml.make.seal import name_devices
from holdfast.domainxml.places.root_ports import MOST, provide_root_ports
from holdfast.domainxml.platform import Platform, has_root_ports
from holdfast.errors import Failed, NotFound, UsageError
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.name_firmware import name_firmware
from holdfast.operations.proved_edit import apply_edit, plan_edit
from holdfast.operations.session import changing


@dataclass(frozen=True)
class Sealed:
    """What a seal did, or with ``dry_run`` would do.

    ``closed`` are the parts that are concrete now, ``left`` those that are still open. ``changes`` is what the guest
    sees of it, which was asked for; ``waits`` is true while a running guest has not been through a cold start since.
    """

    name: str
    closed: tuple[OpenPart, ...]
    left: tuple[OpenPart, ...]
    changes: tuple[Change, ...]
    waits: bool
    dry_run: bool


def seal_domain(
    connection: Connection, name: str, *, add_serials: bool = False, add_ports: int = 0, dry_run: bool = False
) -> Sealed:
    """Make concrete what the config document of ``name`` leaves open, exactly as a running guest has it now.

    The CPU and the firmware come from live where it runs, else from what this host would choose at the next start.
    What the guest would see is done only when it is asked for: ``add_serials`` gives disks a serial, ``add_ports``
    provides so many free root ports. It takes effect at the next cold start.

    Raises Refused (3) where more than that would change, and UsageError (2) for ports on a machine that has none.
    (virDomainDefineXMLFlags by the proved edit; virConnectGetDomainCapabilities)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        documents = domain.documents
        live = documents.live
        config = documents.config
        if config is None:
            raise NotFound(f"the domain {domain.name!r} is transient: it has no config document")
        capabilities = read_capabilities(connection.domain_capabilities(*Platform.of(config)))
        if add_ports and not (has_root_ports(capabilities.machine) and 0 < add_ports <= MOST):
            raise UsageError(
                f"{capabilities.machine} cannot have {add_ports} spare root ports", f"at most {MOST}, on q35"
            )
        open_before = open_parts(config, live)

        def touch(document: Element) -> None:
            if live is None:
                seal_cpu(document, capabilities)
                name_firmware(connection, document, capabilities)
            else:
                _take_over(document, live)
            child(child(document, "os"), "type").set("machine", capabilities.machine)
            name_devices(document)
            if add_serials:
                _add_serials(document)
            if add_ports:
                provide_root_ports(document, add_ports)

        edit = plan_edit(domain, touch, _asked(live is not None, add_serials, add_ports))
        if live is not None:
            _prove_as_running(live, edit.after)
        left = open_parts(edit.after, live)
        if not dry_run and not edit.is_empty:
            apply_edit(domain, edit)
    closed = tuple(part for part in open_before if part not in left)
    # What was taken from live the guest has already, whatever config said of it before.
    seen = tuple(change for change in visible(edit.changes) if live is None or not _makes_concrete(change))
    return Sealed(domain.name, closed, tuple(left), seen, live is not None and bool(closed), dry_run)


def _take_over(document: Element, live: Element) -> None:
    """Write down what the running guest has where the document leaves it open: CPU, firmware files, vsock CID."""
    cpu, running = document.find("cpu"), live.find("cpu")
    if cpu is not None and cpu.get("mode") == "host-model" and running is not None:
        concrete = copy.deepcopy(running)
        # Live says check='full', with which a later QEMU or libvirt may refuse to start the same CPU.
        concrete.set("check", "partial")
        concrete.tail = cpu.tail
        document.replace(cpu, concrete)
    os, running_os = document.find("os"), live.find("os")
    if os is not None and running_os is not None and firmware_request(document) is not None:
        _take_firmware(document, os, running_os, live)
    for vsock in document.iterfind("devices/vsock/cid[@auto='yes']"):
        cid = live.find("devices/vsock/cid")
        if cid is not None and cid.get("address"):
            vsock.set("auto", "no")
            vsock.set("address", cid.get("address", ""))


def _take_firmware(document: Element, os: Element, running: Element, live: Element) -> None:
    os.attrib.pop("firmware", None)
    for tag in ("firmware", "loader", "nvram"):
        for old in os.findall(tag):
            os.remove(old)
    position = next((index + 1 for index, node in enumerate(os) if node.tag == "type"), 0)
    for tag in ("nvram", "loader"):
        found = running.find(tag)
        if found is not None:
            os.insert(position, copy.deepcopy(found))
    smm = live.find("features/smm")
    if smm is not None:
        child(child(document, "features"), "smm").set("state", smm.get("state", "on"))


def _add_serials(document: Element) -> None:
    for disk in filter(needs_serial, document.iterfind("devices/disk")):
        child(disk, "serial").text = secrets.token_hex(8)


def _asked(runs: bool, add_serials: bool, add_ports: int) -> Callable[[Change], bool]:
    """What of the edit the guest's view may show: the wish made concrete, and what the options ask for."""

    def asked(change: Change) -> bool:
        serial = add_serials and change.where == "devices/disk/serial"
        port = bool(add_ports) and change.where == "devices/controller" and change.kind is ChangeKind.ADDED
        return _makes_concrete(change) or serial or port

    return asked


def _makes_concrete(change: Change) -> bool:
    return change.where.startswith(("cpu", "os", "features/smm", "devices/vsock/cid"))


def _prove_as_running(live: Element, after: Element) -> None:
    """The sealed CPU and firmware must be those of the running guest (its other waiting changes are not ours)."""
    wrong = [
        change
        for change in visible(compare_documents(live, after))
        if change.where.startswith(("cpu", "os/loader", "os/nvram", "os/type"))
    ]
    if wrong:
        raise Failed(f"the sealed document is not what the guest has: {'; '.join(map(str, wrong))}")
