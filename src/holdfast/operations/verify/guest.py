"""The guest's own word: what its agent says of its hardware, beside the live document."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from holdfast.domainxml.device import alias
from holdfast.domainxml.document import Element, devices, parse
from holdfast.domainxml.elements.character import GUEST_AGENT, agent_channel, is_channel_open
from holdfast.domainxml.elements.declarations import is_hardware
from holdfast.domainxml.manager.nova_metadata import NovaInstance, nova_instance
from holdfast.domainxml.metadata import Releasing, facts
from holdfast.errors import Failed, NoAnswer
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.guest_agent import ask
from holdfast.operations.power.state_change import hearing_state
from holdfast.operations.session import OpenDomain, looking
from holdfast.operations.verify import agent_answer
from holdfast.operations.verify.agent_answer import GuestSystem, fit
from holdfast.operations.verify.checked_device import Checked, Said, name_of
from holdfast.operations.verify.disks import check_disks, unanswered_disks
from holdfast.operations.verify.interfaces import check_interfaces, unanswered_interfaces

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds in which a guest takes notice of what was just attached, and starts its agent again."""

_PAUSE = 0.25
_ASKED = ("disk", "interface")
"""The elements of which agents tell something."""


@dataclass(frozen=True)
class Verification:
    """What the guest agent says of the domain ``name``.

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
    devices: tuple[Checked, ...]
    also: tuple[Said, ...]
    unreported: dict[str, int]
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

    Raises NotFound, Failed for a domain that does not run or has no channel for an agent, or when nothing at all was
    answered, and NoAnswer where no agent is there or it does not answer in time.
    (virDomainGetXMLDesc, virDomainQemuAgentCommand)
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


def _verify(domain: OpenDomain) -> Verification:
    hearing_state(domain)
    live = parse(domain.xml(Definition.LIVE))
    _refuse_without_agent(domain.name, live)
    disks = _answer(domain, "guest-get-disks", agent_answer.parse_disks)
    interfaces = _answer(domain, "guest-network-get-interfaces", agent_answer.parse_interfaces)
    system = _answer(domain, "guest-get-osinfo", agent_answer.parse_system)
    silent = [answer for answer in (disks, interfaces, system) if isinstance(answer, Failed)]
    if len(silent) == 3:
        raise silent[0]
    checked, also = (
        (unanswered_disks(live, disks.message), []) if isinstance(disks, Failed) else check_disks(live, disks)
    )
    if isinstance(interfaces, Failed):
        checked += unanswered_interfaces(live, interfaces.message)
    else:
        checked += check_interfaces(live, interfaces)
    recorded = {entry.alias for entry in facts(live, Releasing)}
    leaving = {name_of(device) for device in devices(live) if alias(device) in recorded}
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
    channel = agent_channel(live)
    if channel is None:
        raise Failed(
            f"the domain {name!r} has no channel for a guest agent",
            f"attach a virtio channel named {GUEST_AGENT} ('holdfast device attach'), and run qemu-guest-agent inside",
        )
    if not is_channel_open(channel):
        raise NoAnswer(
            f"no agent is running in the guest of {name!r}: its channel is not open",
            "install and start qemu-guest-agent there; --timeout waits for one that is about to start",
        )


def _answer(domain: OpenDomain, command: str, parse: Callable[[str], T]) -> T | Failed:
    """The agent's answer to one question, or why there is none: old agents lack some, and guests may forbid any."""
    try:
        return parse(ask(domain, command))
    except NoAnswer as error:
        reason = fit(error.message.rpartition(": ")[2])
        raise NoAnswer(
            f"the guest agent of {domain.name!r} does not answer: {reason}",
            "is the guest very busy, or its agent stuck? restart qemu-guest-agent there",
            error.libvirt_code,
        ) from error
    except Failed as error:
        _, _, reason = error.message.rpartition(f"QEMU agent command '{command}': ")
        return Failed(f"{command} was not answered: {fit(reason)}", error.hint)
