"""Sealing a domain that others created: make concrete what it leaves open, and show what the guest would notice."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change, ChangeKind, visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, child
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.elements.firmware import firmware_request, libvirt_names_nvram
from holdfast.domainxml.host.capabilities import HOST_MODEL_UNKNOWN, Capabilities
from holdfast.domainxml.host.cpu_model import seal_cpu, set_cpu
from holdfast.domainxml.host.cpu_outlook import cpu_mode
from holdfast.domainxml.make.aliases import name_devices
from holdfast.domainxml.make.open_parts import OpenPart, needs_serial, open_parts
from holdfast.domainxml.make.seal import makes_concrete
from holdfast.domainxml.places.root_ports import provide_root_ports
from holdfast.domainxml.platform import Platform
from holdfast.errors.changes import NOT_AS_IT_RUNS, WOULD_NOT_START
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents, saved_memory_notes
from holdfast.operations.domain.common_cpu import common_cpu
from holdfast.operations.domain.spec import check_root_ports
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.name_firmware import name_firmware
from holdfast.operations.host.outlook import HostOutlook
from holdfast.operations.own_state import refuse_state_of_others
from holdfast.operations.proved_edit import Edit, apply_edit, ask_of_edit, plan_edit
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing
from holdfast.operations.waiting import waiting_since


@dataclass(frozen=True, kw_only=True)
class Sealed(Result):
    """A seal. ``changes`` is what the guest sees of what was asked for besides: serials and ports.

    ``closed``         the parts that are concrete now
    ``left``           those that are still open
    ``at_next_start``  True where a guest runs: until its next cold start it runs as it was
    """

    closed: tuple[OpenPart, ...]
    left: tuple[OpenPart, ...]
    at_next_start: bool


def seal_domain(
    connection: Connection,
    name: str,
    *,
    add_serials: bool = False,
    add_ports: int = 0,
    cpu_for: Sequence[Connection] = (),
    dry_run: bool = False,
) -> Sealed:
    """Make concrete what the config document of ``name`` leaves open, exactly as a running guest has it now.

    The CPU and the firmware come from live where it runs, else from what this host would choose at the next start.
    What the guest would see is done only when it is asked for: ``add_serials`` gives disks a serial, ``add_ports``
    provides so many free root ports, ``cpu_for`` gives it the best CPU that these hosts and this one can all run. It
    takes effect at the next cold start.

    Raises TRANSIENT, IN_RESCUE, UNASKED where more than that would change, NO_ROOT_PORTS, TOO_MANY_ROOT_PORTS,
    NO_COMMON_CPU, WOULD_NOT_START where this host cannot give what the guest runs with, and STATE_IN_USE where the
    NVRAM that libvirt finds by its name is that of another domain.
    (virDomainDefineXMLFlags by the proved edit; virConnectGetDomainCapabilities, virConnectBaselineHypervisorCPU)
    """
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG, dry_run=dry_run) as domain:
        documents = domain.documents
        edit = _plan(domain, add_serials, add_ports, cpu_for)
        if libvirt_names_nvram(edit.before):
            refuse_state_of_others(connection, edit.after)
        result = _result(domain, documents, edit, dry_run, has_other_cpu=bool(cpu_for))
        if dry_run:
            return ask_of_edit(domain, edit).noted_in(result)
        if not edit.is_empty:
            apply_edit(domain, edit)
    return result


def _plan(domain: OpenDomain, add_serials: bool, add_ports: int, cpu_for: Sequence[Connection]) -> Edit:
    live, config = domain.documents.live, domain.documents.config
    assert config is not None  # an operation that needs it refuses a domain without
    capabilities = host_capabilities(domain.connection, Platform.of(config))
    if add_ports:
        check_root_ports(capabilities.machine, add_ports)

    def touch(document: Element) -> None:
        _make_concrete(domain.connection, document, live, capabilities)
        if cpu_for:
            set_cpu(document, common_cpu(config, capabilities.machine, [domain.connection, *cpu_for]))
        if add_serials:
            _add_serials(document)
        if add_ports:
            provide_root_ports(document, add_ports)

    edit = plan_edit(domain, touch, _asked(add_serials, add_ports))
    if live is not None:
        _prove_as_running(domain.name, live, edit.after, has_other_cpu=bool(cpu_for))
    if reasons := HostOutlook(domain.connection).newly_blocks(edit.before, edit.after):
        raise WOULD_NOT_START(what="what it leaves open made concrete", name=domain.name, reasons=reasons)
    return edit


def _result(domain: OpenDomain, documents: Documents, edit: Edit, dry_run: bool, *, has_other_cpu: bool) -> Sealed:
    live = documents.live
    left = open_parts(edit.after, live)
    closed = tuple(part for part in open_parts(edit.before, live) if part not in left)
    # What was taken from live the guest has already, whatever config said of it before.
    notes = () if edit.is_empty else saved_memory_notes(domain, documents)
    if domain.connection.readonly and cpu_mode(edit.after) == "host-model":
        notes = (*notes, HOST_MODEL_UNKNOWN)
    if has_other_cpu:
        seen = visible(compare_documents(_as_it_is(domain, edit.before, live), edit.after))
    else:
        seen = [change for change in visible(edit.changes) if live is None or not makes_concrete(change)]
    return Sealed(
        name=domain.name,
        uuid=domain.uuid,
        dry_run=dry_run,
        changes=tuple(seen),
        waits=waiting_since(Documents(live, edit.before), Documents(live, edit.after)),
        notes=notes,
        closed=closed,
        left=tuple(left),
        at_next_start=live is not None and bool(closed or seen),
    )


def _as_it_is(domain: OpenDomain, config: Element, live: Element | None) -> Element:
    """A copy of ``config`` with what the guest has, or would have at its next start, where it is left open."""
    concrete = copy.deepcopy(config)
    capabilities = host_capabilities(domain.connection, Platform.of(config))
    _make_concrete(domain.connection, concrete, live, capabilities)
    return concrete


def _make_concrete(connection: Connection, document: Element, live: Element | None, capabilities: Capabilities) -> None:
    """Write down what a guest that runs does not notice: it has it, or would have it at its next start."""
    if live is None:
        seal_cpu(document, capabilities)
        name_firmware(connection, document, capabilities)
    else:
        _take_over(document, live)
    child(child(document, "os"), "type").set("machine", capabilities.machine)
    name_devices(document)


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
    uuid = document.findtext("uuid") or ""
    for disk in filter(needs_serial, document.iterfind("devices/disk")):
        child(disk, "serial").text = _serial(uuid, disk)


def _serial(uuid: str, disk: Element) -> str:
    """A serial that a dry run can promise: of this domain, this target and this image, and of no other disk."""
    return hashlib.sha256(f"{uuid} {label(disk)} {source_of(disk)}".encode()).hexdigest()[:16]


def _asked(add_serials: bool, add_ports: int) -> Callable[[Change], bool]:
    """What of the edit the guest view may show: what is made concrete, and what the options ask for."""

    def asked(change: Change) -> bool:
        serial = add_serials and change.where == "devices/disk/serial"
        port = bool(add_ports) and change.where == "devices/controller" and change.kind is ChangeKind.ADDED
        return makes_concrete(change) or serial or port

    return asked


def _prove_as_running(name: str, live: Element, after: Element, *, has_other_cpu: bool) -> None:
    """The sealed CPU and firmware must be those of the running guest (its other waiting changes are not ours)."""
    wrong = [
        change
        for change in visible(compare_documents(live, after))
        if change.where.startswith(("os/loader", "os/nvram", "os/type", *(() if has_other_cpu else ("cpu",))))
    ]
    if wrong:
        raise NOT_AS_IT_RUNS(name=name, changes=wrong)
