"""What an attach will ask of libvirt, and whether it can be done: found out before anything is changed."""

from __future__ import annotations

import copy
from dataclasses import dataclass

from holdfast.domainxml.address import PciAddress
from holdfast.domainxml.describe.summary import device_in_words
from holdfast.domainxml.device import describe, find_device, label, short_name
from holdfast.domainxml.document import Element, child, devices
from holdfast.domainxml.make.attach_request import complete_request, conflict, is_from_earlier_attach, with_identifiers
from holdfast.domainxml.places import pci
from holdfast.domainxml.places.controllers import MOST_CONTROLLERS, count_missing_controllers, missing_controllers
from holdfast.errors import devices as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disk_source import check_source, refuse_in_use
from holdfast.operations.documents import Documents
from holdfast.operations.guard import refuse_unstartable
from holdfast.operations.session import OpenDomain


@dataclass(frozen=True, kw_only=True)
class PlannedAttach:
    """An attach that passed every check.

    ``request``      the device to ask libvirt for, with all that identifies it
    ``promised``     the same without what is chosen at random anew each time
    ``targets``      the documents that it is to come to
    ``controllers``  those that it needs and that the domain does not have, lowest first
    ``waiting``      those that it needs and that config has, and live does not: an attach was interrupted in between
    ``resumes``      True where config has it already, from an attach that was interrupted
    """

    request: Element
    promised: Element
    targets: tuple[Definition, ...]
    controllers: tuple[Element, ...] = ()
    waiting: tuple[Element, ...] = ()
    resumes: bool = False

    @property
    def brings(self) -> tuple[str, ...]:
        """The controllers that come with it, in words."""
        return tuple(map(device_in_words, self.controllers))


def plan_attach(
    domain: OpenDomain,
    device: Element,
    *,
    config_only: bool = False,
    trust_format: bool = False,
    image_is_new: bool = False,
    is_provided: bool = False,
) -> PlannedAttach:
    """Find out what attaching ``device`` to ``domain`` takes. ``image_is_new``: its image is yet to be made.

    ``is_provided``: whoever asks answers for all that is behind it on this host, which is not looked at.

    Raises TRANSIENT, TAKEN, FAR_ADDRESS, FAR_TARGET, CONTROLLER_IN_LIVE_ONLY, NO_FREE_PLACE, NO_NETWORK,
    WOULD_NOT_START, and what :func:`check_source` does.
    """
    before = domain.documents
    documents = list(before.present.values())
    waiting = None if config_only else _waiting_for_live(device, before)
    if waiting is not None:
        planned = PlannedAttach(request=waiting, promised=waiting, targets=(Definition.LIVE,), resumes=True)
    else:
        promised, targets = complete_request(device, documents), domain.targets(config_only)
        planned = PlannedAttach(
            request=with_identifiers(promised),
            promised=promised,
            targets=targets,
            controllers=tuple(_missing_controllers(domain, promised, targets)),
            waiting=tuple(_waiting_controllers(domain, promised, targets)),
        )
        _refuse_conflicts(planned.request, before)
        _refuse_far_address(planned.request, documents[-1])
        if len(planned.controllers) > MOST_CONTROLLERS:
            raise errors.FAR_TARGET(device=short_name(planned.request), count=len(planned.controllers))
    if Definition.LIVE in planned.targets and not planned.resumes:  # else its place is kept for it in config
        coming = [*planned.controllers, planned.request]
        refuse_without_place(before, sum(map(pci.is_endpoint, coming)))
    if is_provided:
        return planned
    if image_is_new:
        refuse_in_use(domain.connection, domain.uuid, planned.request)
    else:
        may_lack = () if Definition.LIVE in planned.targets else ("optional",)
        check_source(domain.connection, domain.uuid, planned.request, trust_format=trust_format, may_lack=may_lack)
    _check_network(domain.connection, planned.request)
    if before.config is not None and Definition.CONFIG in planned.targets:
        _refuse_unstartable(domain, before.config, planned)
    return planned


def _missing_controllers(domain: OpenDomain, device: Element, targets: tuple[Definition, ...]) -> list[Element]:
    """The controllers that have to come with ``device``. Raises CONTROLLER_IN_LIVE_ONLY where only live has one."""
    concerned = [domain.documents.present[definition] for definition in targets]
    missing = missing_controllers(device, concerned)
    new = {label(each) for each in missing}
    lacking = [each for each in map(label, missing_controllers(device, concerned[-1:])) if each not in new]
    if lacking:
        raise errors.CONTROLLER_IN_LIVE_ONLY(name=domain.name, device=describe(device), controller=lacking[-1])
    return missing


def _waiting_controllers(domain: OpenDomain, device: Element, targets: tuple[Definition, ...]) -> list[Element]:
    """The controllers that ``device`` needs and that config has, and not live, which is to have it, too."""
    live, config = domain.documents.live, domain.documents.config
    if live is None or config is None or len(targets) < 2:
        return []
    found = (find_device(config, each) for each in missing_controllers(device, [live]))
    return [each for each in found if each is not None]


def _refuse_unstartable(domain: OpenDomain, config: Element, planned: PlannedAttach) -> None:
    after = copy.deepcopy(config)
    child(after, "devices").extend(copy.deepcopy(device) for device in (*planned.controllers, planned.promised))
    refuse_unstartable(domain, config, after, short_name(planned.promised))


def refuse_without_place(before: Documents, count: int = 1) -> None:
    """Raise NO_FREE_PLACE where ``count`` PCI devices cannot be attached to both documents."""
    if len(free_places(before)) < count:
        counts = [
            f"{definition} has {pci.slot_count(document)}, {len(pci.hotplug_places(document))} of them free"
            for definition, document in before.present.items()
        ]
        raise errors.NO_FREE_PLACE(needed=count, counts=counts)


def free_places(before: Documents) -> list[PciAddress]:
    """Where a PCI device can be attached in every document there is, lowest first."""
    first, *others = [pci.hotplug_places(document) for document in before.present.values()]
    return [place for place in first if all(place in other for other in others)]


def _waiting_for_live(device: Element, before: Documents) -> Element | None:
    """The device of an attach that got as far as config and no further, if ``device`` is asked for once more."""
    if before.live is None or before.config is None:
        return None
    for waiting in devices(before.config):
        if is_from_earlier_attach(device, waiting) and find_device(before.live, waiting) is None:
            return waiting
    return None


def _refuse_conflicts(request: Element, before: Documents) -> None:
    for definition, document in before.present.items():
        taken = conflict(request, document)
        if taken is not None:
            what, holder = taken
            raise errors.TAKEN(what=what, holder=describe(holder), definition=definition)


def _refuse_far_address(request: Element, document: Element) -> None:
    """Refuse an address for which more than the one controller that it names would come: it is a slip."""
    kind, count = count_missing_controllers(request, document)
    if count > 1:
        raise errors.FAR_ADDRESS(device=describe(request), count=count, kind=kind)


def _check_network(connection: Connection, device: Element) -> None:
    """Raise NO_NETWORK for an interface on a network that this libvirt does not have."""
    source = device.find("source") if device.tag == "interface" and device.get("type") == "network" else None
    if source is not None:
        connection.check_network(source.get("network", ""))
