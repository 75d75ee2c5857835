"""The scenario: one server goes through all that its user and its operator can do, and is looked at after each step.

What a step was meant to change is declared with it. Everything else that the guest reports differently, or that a
document of libvirt's says differently for the guest, was lost; so is the domain itself while it is not defined.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypedDict

from openstack.exceptions import SDKException

import libvirt
from holdfast.domainxml.compare import guest_view
from holdfast.domainxml.compare.change import visible
from holdfast.errors import HoldfastError
from holdfast.libvirtapi.events import ensure_event_loop
from holdfast_lab import comparison
from holdfast_lab.inventory import Disk, Inventory
from nova_lab.server import Server
from nova_lab.world import LabError

ROOT_SIZE = 1 << 30
"""Bytes of the root disk of every flavor of the lab: by it the root disk is told from a rescue's, which is smaller."""

DELETE = "delete"
BOOT = ("volume 1",)
"""The volumes that the server is booted with."""


@dataclass(frozen=True)
class LabStep:
    """One step. ``asked`` are patterns of what it may change.

    The guest's facts are told as their name ("disk volume 2"), the documents' changes as kind and path ("added
    devices/disk"); a pattern without ``*`` must happen. ``since`` names the step whose state this one is compared with,
    the one before unless it is given. ``is_rescue``: the guest runs with another document than it will be started from.
    """

    name: str
    take: Callable[[Server], None]
    asked: tuple[str, ...] = ()
    since: str | None = None
    runs: bool = True
    is_rescue: bool = False


RESIZED = (
    "CPU",
    "changed memory",
    "changed vcpu",
    "changed currentMemory*",
    "changed vcpu*",
    "changed cpu*",
    "ACPI *",
)


def _attach(label: str) -> LabStep:
    """A volume attached while the guest runs: a document that is generated anew after it has it elsewhere."""
    return LabStep(
        f"attach {label}", lambda server: server.attach_volume(label), (f"disk {label}", "added devices/disk")
    )


STEPS = (
    LabStep("boot", lambda server: _boot(server)),
    _attach("volume 2"),
    _attach("volume 3"),
    LabStep(
        "detach volume 2, the middle one",
        lambda server: server.detach_volume("volume 2"),
        ("disk volume 2", "removed devices/disk"),
    ),
    LabStep(
        "attach interface 3",
        lambda server: server.attach_interface("interface 3", "neta"),
        ("interface 3", "added devices/interface"),
    ),
    LabStep(
        "attach interface 4",
        lambda server: server.attach_interface("interface 4", "netb"),
        ("interface 4", "added devices/interface"),
    ),
    LabStep(
        "detach interface 3, the middle one",
        lambda server: server.detach_interface("interface 3"),
        ("interface 3", "removed devices/interface"),
    ),
    LabStep("soft reboot", Server.soft_reboot, ("ACPI *",)),  # the firmware describes the slots that are taken
    LabStep("hard reboot", Server.hard_reboot),
    _attach("volume 4"),
    LabStep("stop", Server.stop, runs=False),
    LabStep("start", Server.start),
    LabStep("pause", Server.pause, runs=False),
    LabStep("unpause", Server.unpause),
    LabStep("pause again", Server.pause, runs=False),
    LabStep("detach volume 3, in vain", lambda server: server.detach_volume_in_vain("volume 3"), runs=False),
    LabStep(
        "attach volume 8 meanwhile", lambda server: server.give_volume("volume 8"), ("added devices/disk",), runs=False
    ),
    LabStep("hard reboot of the paused guest", Server.hard_reboot, ("disk volume 8", "ACPI *")),
    LabStep("suspend", Server.suspend, runs=False),
    LabStep("resume", Server.resume),
    LabStep("rescue", Server.rescue, ("disk rescue", "ACPI *"), is_rescue=True),
    LabStep("unrescue", Server.unrescue, since="resume"),
    LabStep("live snapshot", Server.snapshot),
    LabStep("extend a volume", lambda server: server.extend_volume("volume 1"), ("disk volume 1",)),
    LabStep("move a volume to another backend", lambda server: server.move_volume("volume 3")),
    _attach("volume 5"),
    LabStep("resize on the same host", lambda server: server.resize("large"), RESIZED),
    LabStep("confirm the resize", Server.confirm_resize),
    LabStep("resize back", lambda server: server.resize("small"), RESIZED),
    LabStep("revert the resize", Server.revert_resize, since="confirm the resize"),
    _attach("volume 6"),
    LabStep("rebuild", Server.rebuild),
    _attach("volume 7"),
    LabStep(
        "another machine type and interface model, start",
        lambda server: _change_properties(server),
        (
            *("SMBIOS", "changed os/type@machine", "changed devices/interface/model@type"),
            *("firmware*", "interface *", "ACPI *"),
        ),
    ),
    LabStep(DELETE, lambda server: _delete(server), runs=False),
)

SHORT = tuple(
    step
    for step in STEPS
    if step.name
    in {
        *("boot", "attach volume 2", "attach volume 3", "detach volume 2, the middle one", "hard reboot"),
        *("attach volume 4", "stop", "start", "suspend", "resume", "rescue", "unrescue", "live snapshot"),
        *("attach volume 5", "resize on the same host", "confirm the resize", "rebuild", DELETE),
    }
)
"""The scenario's short form: what switches the guest off or copies from it."""


@dataclass(frozen=True)
class State:
    """A server at one moment: ``live`` and ``inventory`` are None while no guest runs."""

    config: str
    live: str | None = None
    inventory: Inventory | None = None


@dataclass(frozen=True)
class Result:
    """What a step did beyond what was asked for, in sentences. ``error`` is why it did not end, if it did not.

    ``guest`` is by the guest's own report, ``documents`` by libvirt's; ``disagreement`` is where the live and the
    config document differ for the guest; ``undefined`` is True when the domain was not defined for a while;
    ``missing`` names what was asked for and did not happen.
    """

    step: str
    seconds: float
    guest: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    disagreement: tuple[str, ...] = ()
    undefined: bool = False
    missing: tuple[str, ...] = ()
    error: str | None = None

    @property
    def kept(self) -> bool:
        """True where the step did what was asked for, and nothing else."""
        return not (self.guest or self.documents or self.disagreement or self.undefined or self.missing or self.error)


def run(server: Server, steps: tuple[LabStep, ...] = STEPS) -> Iterator[Result]:
    """Take the steps in their order; one that fails does not end the scenario. The server is not removed."""
    states: dict[str, State] = {}
    last: State | None = None
    for step in steps:
        began = time.monotonic()
        state, error = None, None
        with watch(server) as undefined:
            try:
                step.take(server)
                if step.name != DELETE:
                    state = look(server, step.runs)
            except (LabError, HoldfastError, SDKException) as caught:
                error = str(caught)
        result = Result(
            step.name, time.monotonic() - began, undefined=bool(undefined) and step.name != DELETE, error=error
        )
        before = states.get(step.since, last) if step.since else last
        if before is not None and state is not None:
            result = dataclasses.replace(result, **judge(step, before, state, server.labels))
        if state is not None:
            inventory = state.inventory or (last.inventory if last else None)
            last = states[step.name] = dataclasses.replace(state, inventory=inventory)
        yield result


def look(server: Server, guest: bool = True) -> State:
    """The server now; with ``guest`` also what the guest reports, if its processors run."""
    live, config = server.lab.documents(server.id)
    if not server.lab.domain(server.id).is_active():
        return State(config)
    return State(config, live, server.inventory() if guest else None)


@contextlib.contextmanager
def watch(server: Server) -> Iterator[list[int]]:
    """Listen for the domain to be undefined; what is yielded has an entry for each time."""
    heard: list[int] = []
    if not server.id:
        yield heard
        return
    ensure_event_loop()
    connection = libvirt.open(server.lab.libvirt_uri)

    def listen(_connection: object, _domain: object, event: int, detail: int, _opaque: object) -> None:
        if event == libvirt.VIR_DOMAIN_EVENT_UNDEFINED:
            heard.append(detail)

    domain = connection.lookupByUUIDString(server.id)
    connection.domainEventRegisterAny(domain, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, listen, None)
    try:
        yield heard
    finally:
        connection.close()


class Seen(TypedDict):
    """The fields of a Result that say what a step changed."""

    guest: tuple[str, ...]
    documents: tuple[str, ...]
    disagreement: tuple[str, ...]
    missing: tuple[str, ...]


def judge(step: LabStep, before: State, after: State, labels: dict[str, str]) -> Seen:
    """What ``step`` changed, as fields of its Result."""
    seen: dict[str, str] = {}
    if before.inventory is not None and after.inventory is not None:
        old, new = _by_identity(before.inventory, labels), _by_identity(after.inventory, labels)
        for fact in comparison.compare_inventories(old, new, labels):
            if fact.changed:
                values = (one.shown if one else "nothing" for one in (fact.before, fact.after))
                seen[fact.name] = "{}: {} → {}".format(fact.name, *values)
    documents = (before.config, after.config) if step.is_rescue else (_runs(before), _runs(after))
    changes = [(f"{each.kind} {each.where}", str(each)) for each in visible(guest_view.compare(*documents))]
    happened = {*seen, *(name for name, _ in changes)}
    disagreement = visible(guest_view.compare(after.live, after.config)) if after.live and not step.is_rescue else []
    return {
        "guest": tuple(text for name, text in seen.items() if not _was_asked(step, name)),
        "documents": tuple(text for name, text in changes if not _was_asked(step, name)),
        "disagreement": tuple(map(str, disagreement)),
        "missing": tuple(name for name in step.asked if "*" not in name and name not in happened),
    }


def losses(server: Server, before: State, after: State) -> list[str]:
    """All that changed between two states of a server, in sentences, and where its two documents differ now."""
    found = judge(LabStep("nothing", lambda _: None), before, after, server.labels)
    return [*found["guest"], *found["documents"], *found["disagreement"]]


def _boot(server: Server) -> None:
    server.create(volumes=BOOT)
    server.booted()


def _change_properties(server: Server) -> None:
    server.stop()
    server.set_machine_type("pc-q35-7.1")
    server.set_image_property("hw_vif_model", "e1000e")
    server.start()


def _delete(server: Server) -> None:
    server.delete()
    if left := server.left_behind():
        raise LabError(f"left behind: {', '.join(left)}")


def _runs(state: State) -> str:
    """The document that the guest runs with, or will."""
    return state.live or state.config


def _was_asked(step: LabStep, name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in step.asked)


def _by_identity(inventory: Inventory, labels: dict[str, str]) -> Inventory:
    """``inventory`` without the names that the guest's kernel gives.

    It numbers what it finds at a boot by address: once vdb is detached vdc is vdb, and nothing was lost.
    """
    disks = (dataclasses.replace(disk, name="disk", serial=_serial(disk, labels)) for disk in inventory.disks)
    interfaces = (dataclasses.replace(interface, name="interface") for interface in inventory.interfaces)
    return dataclasses.replace(inventory, disks=tuple(disks), interfaces=tuple(interfaces))


def _serial(disk: Disk, labels: dict[str, str]) -> str:
    """The serial of a volume; what is no volume is told by its kind and size: Nova gives it no serial."""
    if disk.serial in labels:
        return disk.serial
    return "config drive" if disk.name.startswith("sr") else "root" if disk.size == ROOT_SIZE else "rescue"
