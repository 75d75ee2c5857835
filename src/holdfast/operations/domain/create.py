"""Creating a domain: the one moment at which its hardware is decided, sealed, and handed to libvirt to be kept.

Everything is checked before anything is made. Then a domain of this name is defined that has no devices yet and records
which images are being made; the images are made; and the whole document takes its place, in one step. A failure on the
way removes all of it again. After a crash libvirt tells which images lie around, and ``delete --storage`` removes them.
"""

from __future__ import annotations

import uuid as uuids
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

from holdfast.domainxml.describe.summary import DeviceLine, device_lines
from holdfast.domainxml.document import Element, child, element, indented, parse, serialize
from holdfast.domainxml.elements.disk import default_bus, file_source, host_path, new_disk, next_target
from holdfast.domainxml.elements.firmware import (
    FIRMWARES,
    ask_for_firmware,
    describe_firmware,
    nvram_of,
)
from holdfast.domainxml.elements.interface import new_interface
from holdfast.domainxml.host.capabilities import Capabilities, read_capabilities
from holdfast.domainxml.host.cpu_model import describe_cpu, new_cpu
from holdfast.domainxml.make.new_domain import boot_from_disk_then_cd, missing_hyperv, new_domain, unfinished_domain
from holdfast.domainxml.make.seal import LOWEST_CID, seal
from holdfast.domainxml.make.virt_install import last_domain
from holdfast.domainxml.metadata import Creating, DiskRecord, facts, same_subject, set_facts
from holdfast.domainxml.places.pci import hotplug_places
from holdfast.domainxml.places.root_ports import MOST, SPARE
from holdfast.domainxml.platform import Platform, has_root_ports
from holdfast.domainxml.records.disk_record import is_of
from holdfast.domainxml.records.origin import guess_records
from holdfast.errors import (
    Failed,
    HoldfastError,
    InvalidDocument,
    LibvirtRefused,
    NoConnection,
    NotFound,
    PartlyDone,
    UsageError,
)
from holdfast.hostfiles.lock import domain_lock
from holdfast.hostfiles.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.disk_source import check_source
from holdfast.operations.disks.new import PlannedDisk, plan_disk, refuse_shared_places
from holdfast.operations.disks.seed import plan_seed
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.adopt import adoption_of, now
from holdfast.operations.domain.delete import take_back
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.domain_name import check_name, refuse_taken
from holdfast.operations.name_firmware import name_firmware
from holdfast.operations.power.start import start
from holdfast.operations.unfinished import is_fully_created


@dataclass(frozen=True)
class Created:
    """A domain that was created, or with ``dry_run`` would be; all but ``images`` is what libvirt made of it.

    ``document`` is its config document, in a dry run the one that would be defined. ``free_places`` counts where
    a PCI device can be attached while it runs. ``images`` were made for it; ``notes`` say in sentences what cannot
    be sealed and what else is worth knowing.
    """

    name: str
    uuid: str
    document: str
    machine: str
    cpu: str
    firmware: str
    nvram: str | None
    devices: tuple[DeviceLine, ...]
    free_places: int
    images: tuple[str, ...]
    notes: tuple[str, ...]
    started: bool
    dry_run: bool


def create_domain(
    connection: Connection, name: str, spec: DomainSpec, *, start: bool = False, dry_run: bool = False
) -> Created:
    """Create the domain ``name`` as ``spec`` says, sealed: nothing of its hardware is left to a later start.

    Raises UsageError (2) for what makes no sense, NotFound (4) for images and firmware that do not exist, Refused (3)
    when the name, an image's place or an image is taken, Failed (1) for what this host cannot do; then nothing was
    changed, and images made on the way are gone. PartlyDone (5): it is created, but did not start.
    (virConnectGetDomainCapabilities, virDomainDefineXMLFlags, virDomainCreateWithFlags)
    """
    check_new_name(connection, name, dry_run)
    platform = Platform(machine=spec.machine or "", virt_type=spec.virt_type or "")
    capabilities = _capabilities(connection, platform)
    _check_root_ports(spec.root_ports, capabilities)
    uuid = str(uuids.uuid4())
    planned = _plan_disks(connection, name, uuid, spec, capabilities)
    interfaces = [new_interface(item.kind, item.source, mac=item.mac, model=item.model) for item in spec.interfaces]
    domain = new_domain(
        name=name,
        uuid=uuid,
        memory_kib=spec.memory // 1024,
        vcpus=spec.vcpus,
        capabilities=capabilities,
        os=spec.os,
        cpu=new_cpu(spec.cpu, capabilities),
        disks=[disk.element for disk in planned],
        interfaces=interfaces,
        graphics=spec.graphics,
        video=spec.video,
        tpm=spec.tpm,
    )
    if spec.firmware not in FIRMWARES:
        raise UsageError(f"there is no --firmware {spec.firmware!r}", f"one of {', '.join(FIRMWARES)}")
    ask_for_firmware(domain, spec.firmware)
    name_firmware(connection, domain, capabilities)
    _check_networks(connection, domain)
    notes = seal(domain, capabilities, root_ports=spec.spare_root_ports)
    if spec.os == "windows" and (missing := missing_hyperv(capabilities)):
        notes.append(
            f"not possible here with {capabilities.virt_type}, of what Windows is faster with: {', '.join(missing)}"
        )
    return create_planned(connection, domain, planned, notes, start=start, dry_run=dry_run)


def create_domain_from_document(
    connection: Connection,
    document: str,
    *,
    name: str | None = None,
    root_ports: int | None = None,
    trust_format: bool = False,
    start: bool = False,
    dry_run: bool = False,
) -> Created:
    """Create a domain from ``document``, which may be what ``virt-install --print-xml`` printed; sealed likewise.

    Of several documents the last is taken. ``name`` replaces its name. Images are not made: one that is missing is
    said, or refused with ``start``. ``trust_format`` takes the formats it states against the images' headers. Raises
    as :func:`create_domain` does.
    """
    domain = last_domain(document)
    domain.attrib.pop("id", None)
    name = name if name is not None else (domain.findtext("name") or "").strip()
    if not name:
        raise InvalidDocument("the document has no <name>", "give one: holdfast create NAME --from-xml FILE")
    child(domain, "name").text = name
    _normalise_uuid(domain)
    check_new_name(connection, name, dry_run)
    capabilities = _capabilities(connection, Platform.of(domain))
    _check_root_ports(root_ports, capabilities)
    disks = domain.findall("devices/disk")
    refuse_shared_places(disks)
    missing = _missing_images(connection, disks, trust_format)
    if missing and start:
        raise NotFound(f"there is no image {missing[0]}", "make it first (qemu-img create), or leave out --start")
    name_firmware(connection, domain, capabilities)
    spare = SPARE if root_ports is None else root_ports
    notes = seal(domain, capabilities, root_ports=spare, vsock_cid=free_cid(connection, domain))
    notes += [f"there is no image {path} yet: make it before the first start" for path in missing]
    return create_planned(connection, domain, [], notes, start=start, dry_run=dry_run)


def _normalise_uuid(domain: Element) -> None:
    """libvirt takes a UUID also without dashes and in capitals; locks and look-ups want one spelling."""
    found = domain.find("uuid")
    text = (found.text or "").strip() if found is not None else ""
    if found is not None and text:
        try:
            found.text = str(uuids.UUID(text))
        except ValueError as error:
            raise InvalidDocument(f"{text!r} is no UUID", "leave out <uuid> for a new one") from error


def check_new_name(connection: Connection, name: str, dry_run: bool) -> None:
    """Raise where no domain can be created with this name here; a ``dry_run`` may be read-only."""
    check_name(name)
    if connection.readonly and not dry_run:
        raise Failed("a read-only connection cannot create a domain", "connect without --readonly")
    refuse_taken(connection, name)


def _capabilities(connection: Connection, platform: Platform) -> Capabilities:
    try:
        return read_capabilities(connection.domain_capabilities(*platform))
    except LibvirtRefused as error:
        raise Failed(error.message.removeprefix("invalid argument: "), "'virsh capabilities' lists what is") from error


def _check_root_ports(wanted: int | None, capabilities: Capabilities) -> None:
    if wanted is None:
        return
    if not has_root_ports(capabilities.machine):
        raise UsageError(f"{capabilities.machine} has no root ports: its slots are all there already")
    if not 0 <= wanted <= MOST:
        raise UsageError(f"a machine can have at most {MOST} spare root ports, not {wanted}")


def _plan_disks(
    connection: Connection, name: str, uuid: str, spec: DomainSpec, capabilities: Capabilities
) -> list[PlannedDisk]:
    cds = [DiskSpec(path=path, format="raw", device="cdrom") for path in spec.cdroms]
    so_far = element("domain", None, element("devices"))
    planned = []
    for disk in (*spec.disks, *cds):
        bus = disk.bus or default_bus(disk.device, capabilities.machine)
        target = disk.target or next_target(bus, [so_far])
        planned.append(plan_disk(connection, disk, name=name, target=target, bus=bus))
        child(so_far, "devices").append(planned[-1].element)
    elements = [disk.element for disk in planned]
    refuse_shared_places(elements)
    boot_from_disk_then_cd(elements)
    if spec.user_data is None:
        return planned
    seed = plan_seed(connection, spec.user_data, name=name, uuid=uuid, beside=map(host_path, elements))
    cd = DiskSpec(path=seed.path, format="raw", device="cdrom", role="config")
    cd_bus = default_bus(cd.device, capabilities.machine)
    element_of_cd = new_disk(file_source(seed.path), target=next_target(cd_bus, [so_far]), bus=cd_bus, device=cd.device)
    return [*planned, PlannedDisk(element_of_cd, cd, seed)]


def _check_networks(connection: Connection, domain: Element) -> None:
    for source in domain.iterfind("devices/interface[@type='network']/source"):
        connection.check_network(source.get("network", ""))


def _missing_images(connection: Connection, disks: list[Element], trust_format: bool) -> list[str]:
    """Check the images of a document; those that do not exist (yet) are returned."""
    missing = []
    for disk in disks:
        path = host_path(disk)
        if path is not None and connection.is_local and file_exists(path) is False:
            missing.append(path)
        else:
            check_source(connection, None, disk, trust_format=trust_format)
    return missing


def free_cid(connection: Connection, domain: Element) -> int:
    """A vsock CID that no domain of this host has; the lowest one where ``domain`` has no vsock."""
    if domain.find("devices/vsock") is None:
        return LOWEST_CID
    documents = (parse(other.xml(Definition.LIVE)) for other in connection.domains())
    taken = {cid.get("address") for document in documents for cid in document.iterfind("devices/vsock/cid")}
    return next(cid for cid in range(LOWEST_CID, LOWEST_CID + len(taken) + 1) if str(cid) not in taken)


def create_planned(
    connection: Connection,
    domain: Element,
    planned: list[PlannedDisk],
    notes: list[str],
    *,
    start: bool,
    dry_run: bool,
    last: Callable[[ExitStack], None] | None = None,
) -> Created:
    """Make the images of ``planned``, define the document, read back what libvirt made of it, and start it.

    ``domain`` is whole and sealed; ``notes`` are what else is worth knowing. ``last`` is called right before the
    define, for files that no record tells of: a new NVRAM. Raises as :func:`create_domain` does.
    """
    images = tuple(str(disk.image) for disk in planned if disk.image is not None)
    uuid = domain.findtext("uuid") or ""
    refuse_taken(connection, uuid)
    records = _records(domain, planned)
    set_facts(domain, adoption_of("holdfast"), *records)
    if dry_run:
        return _result(domain, indented(domain), images, notes, started=False, dry_run=True)
    try:
        with domain_lock(uuid), ExitStack() as undo:
            if images:
                _make_images(connection, domain, planned, undo)
            if last is not None:
                last(undo)
            defined = _define(connection, domain, undo)
    except NoConnection as error:
        raise PartlyDone(
            f"the connection broke while the domain was created, so it may exist now, whole or not: {error.message}",
            f"look with 'holdfast show {uuid}'; 'holdfast delete --storage {uuid}' removes what there is",
        ) from error
    document = defined.xml(Definition.CONFIG)
    config = parse(document, "domain")
    nvram = nvram_of(config)
    if last is None and nvram is not None and connection.is_local and file_exists(nvram):
        notes.append(f"the NVRAM {nvram} exists already, from an earlier domain of this name, and will be used")
    if start:
        _start(connection, defined)
    return _result(config, document, images, notes, started=start, dry_run=False)


def _records(domain: Element, planned: list[PlannedDisk]) -> list[DiskRecord]:
    """What is to be recorded of each disk: what was said, else what the document itself records, else a guess."""
    records = []
    for guess in guess_records(domain):
        said = [disk.record(guess.role) for disk in planned if is_of(guess, disk.element)]
        known = [old for old in facts(domain, DiskRecord) if same_subject(old, guess) and not old.place]
        records.append(next(iter([*said, *known]), guess))
    return records


def _make_images(connection: Connection, domain: Element, planned: list[PlannedDisk], undo: ExitStack) -> None:
    """Make the images; before the first of them exists, libvirt knows of them all."""
    unfinished = unfinished_domain(domain)
    making = [disk.making(disk.record("")) for disk in planned if disk.image is not None]
    set_facts(unfinished, Creating(now()), *making)
    uuid = domain.findtext("uuid") or ""
    undo.push(lambda kind, _error, _trace: take_back(connection, uuid, kind is KeyboardInterrupt))
    connection.define(serialize(unfinished))
    for disk in planned:
        disk.make(connection, undo)


def _start(connection: Connection, domain: Domain) -> None:
    try:
        start(connection, domain.uuid)
    except HoldfastError as error:
        raise PartlyDone(
            f"the domain {domain.name!r} is created, but does not start: {error.message}",
            f"remove the cause and 'holdfast start {domain.name}', or 'holdfast delete {domain.name}'",
        ) from error


def _define(connection: Connection, domain: Element, undo: ExitStack) -> Domain:
    """Define, and keep the images from then on: also when the answer was lost, or came together with a Ctrl-C."""
    try:
        defined = connection.define(serialize(domain))
    except NoConnection:
        undo.pop_all()
        raise
    except KeyboardInterrupt:
        if is_fully_created(connection, domain.findtext("uuid") or ""):
            undo.pop_all()
        raise
    undo.pop_all()
    return defined


def _result(
    domain: Element, document: str, images: tuple[str, ...], notes: list[str], *, started: bool, dry_run: bool
) -> Created:
    return Created(
        name=domain.findtext("name") or "",
        uuid=domain.findtext("uuid") or "",
        document=document,
        machine=Platform.of(domain).machine,
        cpu=describe_cpu(domain),
        firmware=describe_firmware(domain),
        nvram=nvram_of(domain),
        devices=tuple(device_lines(domain)),
        free_places=len(hotplug_places(domain)),
        images=images,
        notes=tuple(notes),
        started=started,
        dry_run=dry_run,
    )
