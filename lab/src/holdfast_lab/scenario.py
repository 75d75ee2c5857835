"""The scenario of the demo: two equal guests go through the same day, one under Holdfast, one under regeneration.

Each step is taken by both at once, and each guest says afterwards, over its serial console, what it sees.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from holdfast import operations
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab import errors
from holdfast_lab.comparison import Comparison, compare_inventories
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.packages import AARCH64, LIBVIRT, PROBE_GUEST, SYSTEM_PATH, missing
from holdfast_lab.patience import PATIENCE
from holdfast_lab.probe_image import probe_image
from holdfast_lab.regenerate import regenerate

ROOT, CONFIG_DRIVE, VOLUMES = "root", "config-drive", ("volume-1", "volume-2")
MACS = ("52:54:00:dd:00:01", "52:54:00:dd:00:02")
LABELS = {
    ROOT: "root",
    CONFIG_DRIVE: "config drive",
    VOLUMES[0]: "volume 1",
    VOLUMES[1]: "volume 2",
    MACS[0]: "interface 1",
    MACS[1]: "interface 2",
}
"""Serials and MACs of the guests' devices → how people call them."""

MAIL_ORDER = (ROOT, *VOLUMES, CONFIG_DRIVE)
"""The order in which the regenerating manager lists disks: volumes before the config drive, whenever they came."""

_MACHINES = {"q35": ("x86_64", "q35"), "i440fx": ("x86_64", "pc"), "virt": ("aarch64", "virt")}
"""The machine type as users call it → its architecture, and what libvirt calls it."""

BASELINE = "soft reboot"
"""The last step before the first regeneration: all that differs later is compared with what the guest saw then."""


class Managed:
    """One guest of the scenario, managed by Holdfast: every step but "create" is one operation and the guest's word."""

    def __init__(self, connection: Connection, images: Path, name: str, machine: str) -> None:
        """``images`` is a folder that libvirt's host calls the same; its own is made below it."""
        self.connection = connection
        self.name = name
        self.inventories: dict[str, Inventory] = {}
        """Step → what the guest said after it."""
        self._folder = images / name
        self._arch, self._machine = _MACHINES[machine]
        self._targets: dict[str, str] = {}
        self._guest: Guest | None = None

    def create(self) -> None:
        """Root disk, config drive, interface, balloon; no address is named."""
        self._folder.mkdir()
        for volume in VOLUMES:
            with (self._folder / volume).open("wb") as file:
                file.truncate(8 << 20)
        _make_config_drive(self._folder / CONFIG_DRIVE)
        self._create()
        self._guest = Guest(self._domain())

    def boot(self) -> None:
        """Start for the first time."""
        operations.start(self.connection, self.name)
        self.guest.wait_for_boot()

    def attach_volume(self, serial: str) -> None:
        """Attach a volume while the guest runs, and wait until the guest has it."""
        disk = DiskSpec(path=str(self._folder / serial), format="raw", serial=serial)
        self._targets[serial] = operations.attach_disk(self.connection, self.name, disk).label
        self.guest.wait_until(lambda inventory: inventory.disk(serial))

    def attach_interface(self) -> None:
        """Attach the second interface while the guest runs, and wait until the guest has it."""
        operations.attach_interface(self.connection, self.name, InterfaceSpec(kind="user", mac=MACS[1]))
        self.guest.wait_until(lambda inventory: inventory.interface(MACS[1]))

    def detach_volume(self, serial: str) -> None:
        """Detach a volume; the guest releases it."""
        operations.detach_device(self.connection, self.name, self._targets[serial], tag="disk", timeout=PATIENCE)
        self.guest.wait_until(lambda inventory: not inventory.disk(serial))

    def soft_reboot(self) -> None:
        """The guest reboots by itself, on the host's wish."""
        operations.reboot(self.connection, self.name)
        self.guest.wait_for_boot()

    def hard_reboot(self) -> None:
        """Off and on again, from the document as it stands."""
        operations.reboot(self.connection, self.name, hard=True)
        self.guest.wait_for_boot()

    def shut_down_and_start(self) -> None:
        """The power button, then a start from the document as it stands."""
        operations.shutdown(self.connection, self.name, timeout=PATIENCE)
        operations.start(self.connection, self.name)
        self.guest.wait_for_boot()

    def close(self) -> None:
        """Let go of the guest's console."""
        if self._guest is not None:
            self._guest.close()

    def _create(self) -> None:
        images = {serial: str(self._folder / serial) for serial in (ROOT, CONFIG_DRIVE)}
        probe = str(probe_image(self._arch).disk)
        root = DiskSpec(path=images[ROOT], format="raw", copy_from=probe, source_format="raw", serial=ROOT)
        config = DiskSpec(path=images[CONFIG_DRIVE], format="raw", readonly=True, serial=CONFIG_DRIVE)
        spec = DomainSpec(
            memory=256 << 20,
            arch=self._arch,
            machine=self._machine,
            disks=(root, config),
            interfaces=(InterfaceSpec(kind="user", mac=MACS[0]),),
            graphics="none",
        )
        operations.create_domain(self.connection, self.name, spec)

    @property
    def guest(self) -> Guest:
        """The guest; there is one after :meth:`create`."""
        assert self._guest is not None
        return self._guest

    def _domain(self) -> Domain:
        return self.connection.find_domain(self.name)


class Regenerated(Managed):
    """The same guest under a manager that writes a fresh document whenever it starts one."""

    def hard_reboot(self) -> None:
        """Off, a fresh document, on again."""
        operations.destroy(self.connection, self.name)
        self._start_regenerated()

    def shut_down_and_start(self) -> None:
        """The power button, then a start from a fresh document."""
        operations.shutdown(self.connection, self.name, timeout=PATIENCE)
        self._start_regenerated()

    def _start_regenerated(self) -> None:
        self.guest.domain = regenerate(self.connection, self._domain(), MAIL_ORDER)
        operations.start(self.connection, self.name)
        self.guest.wait_for_boot()


@dataclass(frozen=True)
class ScenarioStep:
    """One step of the day: its name, what happens in it, and how a guest takes it."""

    name: str
    what: str
    take: Callable[[Managed], None]


STEPS = (
    ScenarioStep("create", "root disk, config drive, interface, balloon; nothing addressed", Managed.create),
    ScenarioStep("boot", "for the first time", Managed.boot),
    ScenarioStep("attach volume 1", "the guest sees", lambda managed: managed.attach_volume(VOLUMES[0])),
    ScenarioStep("attach volume 2", "the guest sees", lambda managed: managed.attach_volume(VOLUMES[1])),
    ScenarioStep("attach interface 2", "the guest sees", Managed.attach_interface),
    ScenarioStep("detach volume 1", "the guest sees", lambda managed: managed.detach_volume(VOLUMES[0])),
    ScenarioStep(BASELINE, "the guest reboots itself", Managed.soft_reboot),
    ScenarioStep("hard reboot", "off and on", lambda managed: managed.hard_reboot()),
    ScenarioStep("shutdown, start", "the power button, then on", lambda managed: managed.shut_down_and_start()),
)


class Scenario:
    """Both guests on one private host. Take the STEPS in order; then ask for the comparison."""

    def __init__(self, connection: Connection, host: Host, machine: str) -> None:
        self.host = host
        self.machine = machine
        self.holdfast = Managed(connection, host.images, "holdfast", machine)
        self.regenerated = Regenerated(connection, host.images, "regenerated", machine)
        self._pool = ThreadPoolExecutor(2, "scenario")

    def take(self, step: ScenarioStep) -> float:
        """Both guests take the step at once; return the seconds it took. Raises what either of them raised."""
        began = time.monotonic()
        for taken in [self._pool.submit(_take, step, managed) for managed in (self.holdfast, self.regenerated)]:
            taken.result()
        return time.monotonic() - began

    def seen(self, step: ScenarioStep) -> list[str]:
        """What appeared and what went between the step before and ``step``, in the word of Holdfast's guest."""
        names = [other.name for other in STEPS]
        before, after = (self.holdfast.inventories.get(name) for name in (names[names.index(step.name) - 1], step.name))
        if before is None or after is None:
            return []
        compared = compare_inventories(before, after, LABELS)
        facts = [fact for fact in compared if fact.before is None or fact.after is None]
        return [f"{fact.name}: {fact.after.shown if fact.after else 'gone'}" for fact in facts]

    def has_baseline_before(self, step: ScenarioStep) -> bool:
        """True for the steps whose guests are compared with the baseline."""
        return STEPS.index(step) > [other.name for other in STEPS].index(BASELINE)

    def changes_at(self, managed: Managed, step: ScenarioStep) -> int:
        """How many facts differ after ``step`` from what the guest saw at the baseline."""
        before, after = managed.inventories[BASELINE], managed.inventories[step.name]
        return sum(fact.changed for fact in compare_inventories(before, after, LABELS))

    def changes(self, managed: Managed) -> list[Comparison]:
        """Every fact of the guest: at the baseline, and after all that came later.

        A fact that differed in between and came back counts as changed: it is shown as it was then.
        """
        names = [step.name for step in STEPS]
        baseline, *later = [managed.inventories[name] for name in names[names.index(BASELINE) :]]
        facts: dict[str, Comparison] = {}
        for inventory in reversed(later):
            for fact in compare_inventories(baseline, inventory, LABELS):
                if fact.name not in facts or (fact.changed and not facts[fact.name].changed):
                    facts[fact.name] = fact
        return list(facts.values())

    def close(self) -> None:
        """End both guests' work; their host is gone by now, so nobody waits any more."""
        self._pool.shutdown(cancel_futures=True)
        for managed in (self.holdfast, self.regenerated):
            managed.close()


def check_host(machine: str) -> None:
    """Raise PACKAGES_MISSING or NOT_ROOT when the scenario can't be played here."""
    absent = missing({**LIBVIRT, **PROBE_GUEST, **(AARCH64 if machine == "virt" else {})})
    if absent:
        raise errors.PACKAGES_MISSING(packages=" ".join(absent))
    if os.geteuid() != 0:
        raise errors.NOT_ROOT()


@contextlib.contextmanager
def scenario(machine: str) -> Iterator[Scenario]:
    """A private host and the two guests that will be on it; all is gone at the end. Needs root."""
    probe_image(_MACHINES[machine][0])
    with contextlib.ExitStack() as stack:
        try:
            host = stack.enter_context(private_host("holdfast-demo"))
        except (RuntimeError, OSError) as error:
            raise errors.NO_PRIVATE_LIBVIRT(reason=error) from error
        connection = stack.enter_context(open_connection(host.uri))
        played = Scenario(connection, host, machine)
        try:
            yield played
        finally:
            stack.close()
            played.close()


def _take(step: ScenarioStep, managed: Managed) -> None:
    step.take(managed)
    if step is not STEPS[0]:
        managed.inventories[step.name] = managed.guest.inventory()


def _make_config_drive(path: Path) -> None:
    """A FAT image with the label that cloud-init looks for, as OpenStack's config drive has it."""
    environment = {"PATH": SYSTEM_PATH}
    subprocess.run(
        ["mkfs.fat", "-C", "-n", "CONFIG-2", str(path), "1024"], env=environment, check=True, capture_output=True
    )
