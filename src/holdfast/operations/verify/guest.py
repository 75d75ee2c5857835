"""What the guest itself says about its hardware, through its agent, compared with the live document."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from holdfast.domainxml.device import short_name
from holdfast.domainxml.document import Element, devices, parse
from holdfast.domainxml.elements.character import GUEST_AGENT, agent_channel, is_channel_open
from holdfast.domainxml.elements.declarations import is_hardware
from holdfast.domainxml.manager.nova_metadata import NovaInstance, nova_instance
from holdfast.errors import Failed, NoAnswer
from holdfast.errors import look as errors
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.guest_agent import ask
from holdfast.operations.documents import Documents
from holdfast.operations.power.state_change import answering_state
from holdfast.operations.session import OpenDomain, looking
from holdfast.operations.verify import agent_answer
from holdfast.operations.verify.agent_answer import GuestDisk, GuestInterface, GuestSystem, fit
from holdfast.operations.verify.checked_device import CheckedDevice, DeviceAsSeen
from holdfast.operations.verify.disks import check_disks, unanswered_disks
from holdfast.operations.verify.interfaces import check_interfaces, unanswered_interfaces
from holdfast.operations.waiting import unreleased

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds in which a guest takes notice of what was just attached, and starts its agent again."""

_PAUSE = 0.25
_ASKED = ("disk", "interface")
"""The elements of which agents tell something."""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What the guest agent of a domain says, beside its live document.

    ``name``, ``uuid``  the domain's
    ``instance``    the instance of OpenStack Nova that it is; None for other domains
    ``system``      the guest's operating system; None where the agent does not tell
    ``devices``     every disk and interface of live, with what both sides say of it and what comes of that
    ``also``        disks on hardware that the guest has and live has not: of a hostdev, or on a SAN
    ``unreported``  element → how many of live's devices no agent tells of: nothing is claimed of them
    ``notes``       what the agent did not answer, in sentences
    """

    name: str
    uuid: str
    instance: NovaInstance | None
    system: GuestSystem | None
    devices: tuple[CheckedDevice, ...]
    also: tuple[DeviceAsSeen, ...]
    unreported: Mapping[str, int]
    notes: tuple[str, ...]

    @property
    def differs(self) -> bool:
        """True when the guest's word on some device is not what live leads to expect."""
        return any(device.differs for device in self.devices)


def verify_domain(connection: Connection, name: str, *, timeout: float = PATIENCE) -> Verification:
    """Ask the guest agent of the running domain ``name`` for disks, interfaces and system, and compare with live.

    While the guest's word differs, or its agent is not there, it is asked again, for ``timeout`` seconds: a guest
    needs a moment for what was just attached. Nothing is changed and no lock is held; libvirt notes on the domain that
    its agent was asked (see :mod:`holdfast.libvirtapi.guest_agent`).

    Raises NO_DOMAIN, NOT_RUNNING, PAUSED, ASLEEP; NO_AGENT_CHANNEL; NO_AGENT and AGENT_SILENT where no agent is there
    or it does not answer in time; and NOT_ANSWERED when none of the questions was answered.
    (virDomainGetState, virDomainGetXMLDesc, virDomainQemuAgentCommand)
    """
    domain = looking(connection, name)
    deadline = time.monotonic() + timeout
    while True:
        try:
            found = _verify(domain)
            if not found.differs or time.monotonic() >= deadline:
                return found
        except NoAnswer:
            if time.monotonic() >= deadline:
                raise
        time.sleep(_PAUSE)
        domain.changed(Definition.LIVE)  # by the guest, or by whoever attaches


def _verify(domain: OpenDomain) -> Verification:
    answering_state(domain)
    live = parse(domain.xml(Definition.LIVE))
    _refuse_without_agent(domain.name, live)
    disks = _answer(domain, "guest-get-disks", agent_answer.parse_disks)
    interfaces = _answer(domain, "guest-network-get-interfaces", agent_answer.parse_interfaces)
    system = _answer(domain, "guest-get-osinfo", agent_answer.parse_system)
    silent = [answer for answer in (disks, interfaces, system) if isinstance(answer, Failed)]
    if len(silent) == 3:
        raise silent[0]
    checked, also = _check(live, disks, interfaces)
    leaving = {short_name(device) for device in unreleased(Documents(live, None))}
    unreported = Counter(str(each.tag) for each in devices(live) if is_hardware(each) and each.tag not in _ASKED)
    return Verification(
        name=domain.name,
        uuid=domain.uuid,
        instance=nova_instance(live),
        system=None if isinstance(system, Failed) else system,
        devices=tuple(replace(each, releasing=each.device in leaving) for each in checked),
        also=tuple(also),
        unreported=dict(unreported),
        notes=tuple(answer.message for answer in silent),
    )


def _refuse_without_agent(name: str, live: Element) -> None:
    """Raise NO_AGENT_CHANNEL and NO_AGENT."""
    channel = agent_channel(live)
    if channel is None:
        raise errors.NO_AGENT_CHANNEL(name=name, channel=GUEST_AGENT)
    if not is_channel_open(channel):
        raise errors.NO_AGENT(name=name)


def _check(
    live: Element, disks: Sequence[GuestDisk] | Failed, interfaces: Sequence[GuestInterface] | Failed
) -> tuple[list[CheckedDevice], list[DeviceAsSeen]]:
    """Every disk and interface of ``live`` beside what was answered, and the disks that only the guest has."""
    also: list[DeviceAsSeen] = []
    if isinstance(disks, Failed):
        checked = unanswered_disks(live, disks.message)
    else:
        checked, also = check_disks(live, disks)
    if isinstance(interfaces, Failed):
        return [*checked, *unanswered_interfaces(live, interfaces.message)], also
    return [*checked, *check_interfaces(live, interfaces)], also


def _answer(domain: OpenDomain, command: str, parse: Callable[[str], T]) -> T | Failed:
    """The agent's answer to one question, or why there is none: old agents lack some, and guests may forbid any.

    Raises AGENT_SILENT.
    """
    try:
        return parse(ask(domain, command))
    except NoAnswer as error:
        reason = fit(error.message.rpartition(": ")[2])
        raise errors.AGENT_SILENT(name=domain.name, reason=reason, number=error.libvirt_code) from error
    except Failed as error:
        _, _, reason = error.message.rpartition(f"QEMU agent command '{command}': ")
        return errors.NOT_ANSWERED(command=command, reason=fit(reason), cause=error)
