"""Creating a domain, from a specification or from a document: its hardware is decided here, and sealed.

Everything is checked before anything is made; how it is made then is in :mod:`.make`.
"""

from __future__ import annotations

import contextlib
import uuid as uuids
from collections.abc import Iterable

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, child, element, parse, value_at
from holdfast.domainxml.elements.disk import (
    default_bus,
    file_source,
    host_path,
    is_optional,
    new_disk,
    next_target,
    refuse_same_serials,
    shortened_serials,
)
from holdfast.domainxml.elements.firmware import ask_for_firmware
from holdfast.domainxml.elements.interface import checked_mac, new_interface
from holdfast.domainxml.host.capabilities import CAPABILITIES_UNKNOWN, Capabilities
from holdfast.domainxml.host.cpu_model import new_cpu
from holdfast.domainxml.host.named_provisions import ProvisionKind
from holdfast.domainxml.host.outlook import Outlook
from holdfast.domainxml.make.defaults import defaults_of
from holdfast.domainxml.make.identifiers import identifiers
from holdfast.domainxml.make.new_domain import boot_from_disk_then_cd, missing_hyperv, new_domain
from holdfast.domainxml.make.seal import LOWEST_CID, identify, seal
from holdfast.domainxml.make.virt_install import last_domain
from holdfast.domainxml.places.controllers import MOST_CONTROLLERS, scsi_controller_of, with_indexes
from holdfast.domainxml.places.root_ports import SPARE
from holdfast.domainxml.platform import Platform
from holdfast.errors import NotFound
from holdfast.errors.creation import NO_IMAGE_TO_START, NO_NAME, NOT_A_UUID, NOT_STARTABLE_HERE
from holdfast.errors.devices import FAR_TARGET
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.disk_source import check_source, is_missing
from holdfast.operations.disks.known_files import found_below
from holdfast.operations.disks.new import PlannedDisk, plan_disk, refuse_shared_places
from holdfast.operations.disks.seed import plan_seed
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.make import Created, NewDomain, make_domain
from holdfast.operations.domain.spec import DomainSpec, check_root_ports
from holdfast.operations.domain_name import check_name, refuse_taken
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.name_firmware import name_firmware
from holdfast.operations.host.outlook import HostOutlook, KnownGuest
from holdfast.operations.host.provides import NOT_MENDABLE
from holdfast.operations.own_state import refuse_state_of_others, state_of
from holdfast.operations.session import denied_is_read_only, refuse_read_only


def create_domain(
    connection: Connection,
    name: str,
    spec: DomainSpec,
    *,
    start: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Created:
    """Create the domain ``name`` as ``spec`` says, sealed: nothing of its hardware is left to a later start.

    ``progress`` is called while an image is uploaded to a pool.

    Raises UsageError for what makes no sense, NotFound for images and firmware that do not exist, READ_ONLY,
    DOMAIN_EXISTS and UNFINISHED where the name is taken, Refused where an image or its place is, SAME_SERIAL,
    NOT_STARTABLE_HERE and Failed for what this host cannot do; then nothing was changed, and images made on the way are
    gone. Raises CREATED_NOT_STARTED where it is created, but did not start.
    (virConnectGetDomainCapabilities, virDomainDefineXMLFlags, virDomainCreateWithFlags)
    """
    check_new_name(connection, name, dry_run, to_start=start)
    machine = spec.machine or defaults_of(spec.arch).machine
    platform = Platform(arch=spec.arch, machine=machine, virt_type=spec.virt_type or "")
    with denied_is_read_only(connection, name):
        capabilities = host_capabilities(connection, platform)
    if spec.root_ports is not None:
        check_root_ports(capabilities.machine, spec.root_ports)
    uuid = str(uuids.uuid4())
    disks = _plan_disks(connection, name, uuid, spec, capabilities)
    domain = _described(name, uuid, spec, capabilities, [disk.element for disk in disks])
    _refuse_far_target(domain)
    refuse_same_serials(domain)
    name_firmware(connection, domain, capabilities)
    _check_networks(connection, domain)
    notes = seal(domain, capabilities, root_ports=spec.spare_root_ports)
    notes += shortened_serials(domain.iterfind("devices/disk"))
    if not capabilities.is_complete:
        notes.append(CAPABILITIES_UNKNOWN)
    elif spec.os == "windows" and (missing := missing_hyperv(capabilities)):
        notes.append(
            f"this host's {capabilities.virt_type} lacks these, which make Windows faster: {', '.join(missing)}"
        )
    host = HostOutlook(connection)
    _refuse_unstartable(name, (*host.support(domain, capabilities), *host.provides.missing(domain, NOT_MENDABLE)))
    below = found_below(connection, (trusted for disk in disks for trusted in disk.trusted))
    new = NewDomain(document=domain, disks=disks, stated=_stated(spec), notes=notes, below=below)
    return make_domain(connection, new, start=start, dry_run=dry_run, progress=progress)


def create_domain_from_document(
    connection: Connection,
    document: str,
    *,
    name: str | None = None,
    root_ports: int | None = None,
    as_is: bool = False,
    trust_format: bool = False,
    start: bool = False,
    dry_run: bool = False,
) -> Created:
    """Create a domain from ``document``, which may be what ``virt-install --print-xml`` printed; also sealed.

    Of several documents the last is taken. ``name`` replaces its name. Images are not made: a missing one is
    reported, or refused with ``start`` (NO_IMAGE_TO_START, NOT_STARTABLE_HERE); so is what else the host does not
    provide yet. ``trust_format`` takes the formats it states against the images' headers. ``as_is`` takes the document
    exactly: it is not sealed, nothing is recorded in it, and it is refused where libvirt would make something else of
    it (NOT_AS_GIVEN; CREATED_OTHERWISE where that could not be asked before). Raises NO_NAME, NOT_A_UUID,
    STATE_IN_USE where it names the NVRAM of another domain, and as :func:`create_domain` does.
    """
    domain = _read(document, name)
    name = domain.findtext("name") or ""
    check_new_name(connection, name, dry_run, to_start=start)
    with denied_is_read_only(connection, name):
        capabilities = host_capabilities(connection, Platform.of(domain))
    if root_ports is not None:
        check_root_ports(capabilities.machine, root_ports)
    disks = domain.findall("devices/disk")
    refuse_shared_places(connection, disks)
    missing = _missing_images(connection, disks, trust_format)
    if start and (needed := [host_path(disk) for disk in missing if not is_optional(disk)]):
        raise NO_IMAGE_TO_START(path=needed[0])
    if any(file.is_named for file in state_of(connection, domain)):
        refuse_state_of_others(connection, domain)
    stated = frozenset(identifiers(domain))
    missing_notes = [*map(_without_image, missing), *shortened_serials(disks)]
    identify(domain)
    if as_is:
        missing_notes += not_startable(connection, domain, start)
        exactly = NewDomain(document=domain, as_is=True, stated=stated, notes=missing_notes)
        return make_domain(connection, exactly, start=start, dry_run=dry_run)
    refuse_same_serials(domain)
    given = with_indexes(domain)
    name_firmware(connection, domain, capabilities)
    spare = SPARE if root_ports is None else root_ports
    notes = seal(domain, capabilities, root_ports=spare, vsock_cid=free_cid(connection, domain))
    missing_notes += not_startable(connection, domain, start)
    below = found_below(connection, disks) if trust_format else ()
    new = NewDomain(document=domain, given=given, stated=stated, notes=[*notes, *missing_notes], below=below)
    return make_domain(connection, new, start=start, dry_run=dry_run)


def not_startable(connection: Connection, domain: Element, start: bool, *, is_new: bool = True) -> list[str]:
    """What this host does not provide yet for ``domain``, in sentences. Raises NOT_STARTABLE_HERE for hardware that it
    cannot give to one that ``is_new``, and where the domain is to ``start`` for whatever it lacks.
    """
    host = HostOutlook(connection)
    hardware = list(host.hardware(domain, KnownGuest()))
    missing = [*host.provides.missing(domain, {*NOT_MENDABLE, ProvisionKind.NETWORK})]
    missing += [outlook for outlook in hardware if outlook.part == "firmware"]  # a file that is not there
    cannot = [outlook for outlook in hardware if outlook not in missing]
    refused = [*(cannot if start or is_new else ()), *(missing if start else ())]
    _refuse_unstartable(domain.findtext("name") or "", refused)
    unknown = [outlook.sentence for outlook in cannot if outlook.sentence == CAPABILITIES_UNKNOWN]
    return [*unknown, *(f"it does not start yet: {outlook}" for outlook in (*cannot, *missing) if outlook.stops)]


def _refuse_unstartable(name: str, outlooks: Iterable[Outlook]) -> None:
    if reasons := [str(outlook) for outlook in outlooks if outlook.stops]:
        raise NOT_STARTABLE_HERE(name=name, reasons=reasons)


def check_new_name(connection: Connection, name: str, dry_run: bool, *, to_start: bool) -> None:
    """Raise where no domain can be created with this name here: BAD_NAME and the like, READ_ONLY, DOMAIN_EXISTS.

    DOMAIN_EXISTS_UNSTARTED where it was ``to_start`` as well, and only that is missing.
    """
    check_name(name)
    refuse_read_only(connection, name, dry_run=dry_run)
    refuse_taken(connection, name, to_start=to_start)


def free_cid(connection: Connection, domain: Element) -> int:
    """A vsock CID that no domain of this host has; the lowest one where ``domain`` has no vsock."""
    if domain.find("devices/vsock") is None:
        return LOWEST_CID
    taken: set[str | None] = set()
    for other in connection.domains():
        with contextlib.suppress(NotFound):  # deleted since it was listed
            taken.update(cid.get("address") for cid in parse(other.xml(Definition.LIVE)).iterfind("devices/vsock/cid"))
    return next(cid for cid in range(LOWEST_CID, LOWEST_CID + len(taken) + 1) if str(cid) not in taken)


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
    refuse_shared_places(connection, elements)
    boot_from_disk_then_cd(elements)
    if spec.user_data is None:
        return planned
    seed = plan_seed(connection, spec.user_data, name=name, uuid=uuid, beside=map(host_path, elements))
    cd = DiskSpec(path=seed.path, format="raw", device="cdrom", role="config")
    cd_bus = default_bus(cd.device, capabilities.machine)
    element_of_cd = new_disk(file_source(seed.path), target=next_target(cd_bus, [so_far]), bus=cd_bus, device=cd.device)
    return [*planned, PlannedDisk(element_of_cd, cd, seed)]


def _described(name: str, uuid: str, spec: DomainSpec, capabilities: Capabilities, disks: Iterable[Element]) -> Element:
    """The document that ``spec`` describes, before it is sealed."""
    usual = defaults_of(spec.arch)
    firmware = spec.firmware or usual.firmwares[0]
    if firmware not in usual.firmwares:
        raise UNKNOWN_WORD(what=f"{spec.arch} firmware", word=firmware, words=usual.firmwares)
    cpu = spec.cpu or (usual.kvm if capabilities.virt_type == "kvm" else usual.cpu)
    domain = new_domain(
        name=name,
        uuid=uuid,
        memory_kib=spec.memory // 1024,
        vcpus=spec.vcpus,
        capabilities=capabilities,
        os=spec.os,
        cpu=new_cpu(cpu, capabilities),
        disks=list(disks),
        interfaces=[new_interface(each.kind, each.source, mac=each.mac, model=each.model) for each in spec.interfaces],
        graphics=spec.graphics,
        video=spec.video,
        tpm=spec.tpm,
    )
    ask_for_firmware(domain, firmware)
    return domain


def _refuse_far_target(domain: Element) -> None:
    """Raise FAR_TARGET for a disk that would bring SCSI controllers with nothing behind them."""
    targets = (value_at(disk, "target@dev") for disk in domain.iterfind("devices/disk/target[@bus='scsi']/.."))
    used = {scsi_controller_of(target): target for target in targets if target is not None}
    if used and max(used) >= len(used) + MOST_CONTROLLERS:
        raise FAR_TARGET(device=f"disk {used[max(used)]}", count=max(used) + 1)


def _stated(spec: DomainSpec) -> frozenset[str]:
    """The identifiers that ``spec`` gives."""
    serials = {disk.serial for disk in spec.disks if disk.serial is not None}
    return frozenset(serials | {checked_mac(each.mac) for each in spec.interfaces if each.mac is not None})


def _check_networks(connection: Connection, domain: Element) -> None:
    for source in domain.iterfind("devices/interface[@type='network']/source"):
        connection.check_network(source.get("network", ""))


def _read(document: str, name: str | None) -> Element:
    """The domain that ``document`` describes, under this name where one is given, without the id of a running one."""
    domain = last_domain(document)
    domain.attrib.pop("id", None)
    name = name if name is not None else (domain.findtext("name") or "").strip()
    if not name:
        raise NO_NAME()
    check_name(name)
    child(domain, "name").text = name
    _normalise_uuid(domain)
    return domain


def _normalise_uuid(domain: Element) -> None:
    """libvirt takes a UUID also without dashes and in upper case; locks and look-ups want one spelling."""
    found = domain.find("uuid")
    text = (found.text or "").strip() if found is not None else ""
    if found is not None and text:
        try:
            found.text = str(uuids.UUID(text))
        except ValueError as error:
            raise NOT_A_UUID(text=text) from error


def _without_image(disk: Element) -> str:
    """What to say about a disk whose image is missing."""
    path = host_path(disk)
    if not is_optional(disk):
        return f"there is no image {path} yet: make it before the first start"
    lacking = "with an empty drive" if disk.get("device") in ("cdrom", "floppy") else "without the disk"
    return f"there is no image {path}: {label(disk)} is optional, and the domain starts {lacking} until there is one"


def _missing_images(connection: Connection, disks: list[Element], trust_format: bool) -> list[Element]:
    """Check the images of a document; the disks whose images do not exist (yet) are returned."""
    missing = []
    for disk in disks:
        if is_missing(connection, disk):
            missing.append(disk)
        else:
            check_source(connection, None, disk, trust_format=trust_format)
    return missing
