"""How many calls to libvirt an operation makes: over ssh each is a round trip.

The numbers are budgets. A change that needs another call raises the number in the same commit, and says why; no check
and no reading back is dropped for one. Counted on a private libvirtd: a running q35 domain of Holdfast's with one disk,
and no other domain; its history is kept, and costs no call.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirtmod  # type: ignore[import-not-found]
import libvirtmod_qemu  # type: ignore[import-not-found]
import pytest

from holdfast import operations
from holdfast.errors.look import NO_AGENT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSettings, DiskSpec, DomainSettings, DomainSpec, InterfaceSpec, Place, Topology
from tests.libvirt.domains import image
from tests.libvirt.images import create_image
from tests.raising import raising

LOCAL = {
    *{"virDomainGetName", "virDomainGetUUIDString", "virDomainGetUUID", "virDomainGetID", "virDomainFree"},
    *{
        "virNetworkFree",
        "virNetworkGetName",
        "virStoragePoolFree",
        "virStorageVolFree",
        "virDomainSnapshotFree",
        "virDomainSnapshotGetName",
        "virConnectGetURI",
    },
    *{"virStoragePoolGetName", "virStorageVolGetName", "virStorageVolGetKey", "virConnectIsAlive"},
}
"""What the client answers from what it has."""

MIB = 1024 * 1024
INTERFACE = InterfaceSpec(kind="network", source="quiet")
NETWORK = "<network><name>quiet</name><bridge name='hf-quiet'/></network>"


@contextmanager
def counted() -> Iterator[list[str]]:
    """The calls that this thread makes meanwhile, in their order; another may still watch for a test before."""
    made: list[str] = []
    ours = threading.get_ident()

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object) -> object:
            if threading.get_ident() == ours:
                made.append(name)
            return call(*args)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for module in (libvirtmod, libvirtmod_qemu):
            for name in dir(module):
                if name.startswith(("virDomain", "virConnect", "virNetwork", "virStorage")) and name not in LOCAL:
                    patch.setattr(module, name, noting(name, getattr(module, name)))
        yield made


@pytest.fixture
def domain(daemon: Connection, tmp_path: Path) -> str:
    """The domain, started."""
    return started(daemon, tmp_path)


def started(connection: Connection, folder: Path, *, cdroms: tuple[str, ...] = ()) -> str:
    folder.chmod(0o755)
    assert connection.history_folder is not None
    Path(connection.history_folder).mkdir(0o700, parents=True, exist_ok=True)
    connection._handle.networkDefineXML(NETWORK).create()
    spec = DomainSpec(
        memory=64 * MIB,
        vcpus=1,
        disks=(DiskSpec(path=str(folder / "root.qcow2"), size=MIB),),
        cdroms=cdroms,
        graphics="none",
    )
    operations.create_domain(connection, "a", spec)
    operations.start(connection, "a", paused=True)
    return "a"


def attach_new_image(connection: Connection, folder: Path) -> object:
    return operations.attach_disk(connection, "a", DiskSpec(path=str(folder / "new.qcow2"), size=MIB))


def extend(connection: Connection, _: Path) -> object:
    return operations.extend_disk(connection, "a", "vda", 2 * MIB)


def move(connection: Connection, folder: Path) -> object:
    return operations.move_disk(connection, "a", "vda", Place(path=str(folder / "moved")))


def swap(connection: Connection, folder: Path) -> object:
    return operations.swap_disk(connection, "a", "vda", other_image(folder))


def swap_with_content(connection: Connection, folder: Path) -> object:
    return operations.swap_disk(connection, "a", "vda", other_image(folder), copy_content=True)


def other_image(folder: Path) -> DiskSpec:
    create_image(str(folder / "other"), "qcow2", MIB)
    return DiskSpec(path=str(folder / "other"), format="qcow2")


def create(connection: Connection, folder: Path) -> object:
    disks = (DiskSpec(path=str(folder / "b.qcow2"), size=1024 * 1024),)
    return operations.create_domain(connection, "b", DomainSpec(memory=64 * 1024 * 1024, disks=disks, graphics="none"))


def edit(connection: Connection, folder: Path) -> object:
    original = operations.text_to_edit(connection, "a")
    return operations.edit_domain(connection, "a", original, original.replace("/dev/urandom", "/dev/random"))


def ask_where_no_agent_runs(connection: Connection, folder: Path) -> None:
    with raising(NO_AGENT):
        operations.verify_domain(connection, "a", timeout=0)


def switch_off_and_change(connection: Connection, folder: Path) -> None:
    switch_off(connection, folder)
    operations.attach_interface(connection, "a", InterfaceSpec(kind="user"))


def make_snapshot(connection: Connection, folder: Path) -> object:
    return operations.create_snapshot(connection, "a", "one")


def switch_off(connection: Connection, folder: Path) -> None:
    connection.find_domain("a").destroy()


BUDGETS: dict[str, tuple[int, Callable[[Connection, Path], object]]] = {
    "look up by UUID": (1, lambda connection, _: connection.find_domain(connection.domains()[0].uuid)),
    "show": (6, lambda connection, _: operations.show_domain(connection, "a")),
    "plan reboot": (10, lambda connection, _: operations.plan_reboot(connection, "a")),
    "verify, where no agent runs": (3, ask_where_no_agent_runs),
    "attach an interface": (
        11,  # that it begins is recorded before, and forgotten after: repeated, one without a MAC is the same one
        lambda connection, _: operations.attach_interface(connection, "a", INTERFACE),
    ),
    "attach a new image": (12, attach_new_image),
    "extend a disk": (9, extend),
    "extend a disk, shut off": (9, extend),
    "move a disk": (19, move),  # that it goes over to the copy is recorded before, and forgotten after
    "move a disk, shut off": (13, move),
    "swap an image": (12, swap),
    "swap an image with the content": (18, swap_with_content),  # likewise
    "reboot --hard": (
        17,
        lambda connection, _: operations.reboot(connection, "a", hard=True),
    ),  # QEMU's version is kept; that the start has begun is recorded before, and forgotten after
    "start": (16, lambda connection, _: operations.start(connection, "a", paused=True)),
    "resume": (4, lambda connection, _: operations.resume(connection, "a")),
    "destroy": (8, lambda connection, _: operations.destroy(connection, "a")),
    "save": (9, lambda connection, _: operations.save_domain(connection, "a")),
    "restore": (10, lambda connection, _: operations.restore_domain(connection, "a", paused=True)),
    "create a snapshot": (14, make_snapshot),
    "list snapshots": (7, lambda connection, _: operations.list_snapshots(connection, "a")),
    "roll back": (15, lambda connection, _: operations.rollback_domain(connection, "a", "last-start", accept=True)),
    "revert to a snapshot": (17, lambda connection, _: operations.revert_to_snapshot(connection, "a", "one")),
    "delete a snapshot": (9, lambda connection, _: operations.delete_snapshot(connection, "a", "one")),
    "set a title": (8, lambda connection, _: operations.set_domain(connection, "a", DomainSettings(title="b"))),
    "set a limit": (
        8,
        lambda connection, _: operations.set_disk(connection, "a", "vda", DiskSettings(read_iops_sec=500)),
    ),
    "set memory and vCPUs": (
        16,
        lambda connection, _: operations.set_domain(
            connection, "a", DomainSettings(memory=32 << 20, max_vcpus=2, cpu_topology=Topology(cores=2))
        ),
    ),
    "edit": (15, edit),
    "seal": (12, lambda connection, _: operations.seal_domain(connection, "a", add_ports=20)),
    "upgrade machine": (
        13,
        lambda connection, _: operations.upgrade_machine(connection, "a", "pc-q35-7.1", lower=True),
    ),
    "create with an image": (7, create),
    "rename": (9, lambda connection, _: operations.rename_domain(connection, "a", "b")),
    "clone": (15, lambda connection, _: operations.clone_domain(connection, "a", "b")),
    "adopt again": (4, lambda connection, _: operations.adopt_domain(connection, "a")),
    "delete": (7, lambda connection, _: operations.delete_domain(connection, "a")),
    "delete --storage": (12, lambda connection, _: operations.delete_domain(connection, "a", storage=True)),
}

BEFORE: dict[str, Callable[[Connection, Path], object]] = {
    "verify, where no agent runs": lambda connection, _: operations.resume(connection, "a"),
    "restore": lambda connection, _: operations.save_domain(connection, "a"),
    "list snapshots": make_snapshot,
    "revert to a snapshot": make_snapshot,
    "delete a snapshot": make_snapshot,
    "roll back": switch_off_and_change,
    **dict.fromkeys(("start", "rename", "clone", "delete", "delete --storage"), switch_off),
    **dict.fromkeys(("extend a disk, shut off", "move a disk, shut off", "swap an image"), switch_off),
}
"""What is done before, and not counted."""


@pytest.mark.parametrize("operation", BUDGETS)
def test_calls_to_libvirt_keep_to_their_budget(daemon: Connection, domain: str, tmp_path: Path, operation: str) -> None:
    budget, act = BUDGETS[operation]
    if operation == "look up by UUID":
        uuid = daemon.find_domain(domain).uuid
        with counted() as made:
            daemon.find_domain(uuid)
    else:
        if operation in BEFORE:
            BEFORE[operation](daemon, tmp_path)
        with counted() as made:
            act(daemon, tmp_path)
    check(operation, budget, made)


def test_calls_for_a_medium_keep_to_their_budget(daemon: Connection, tmp_path: Path) -> None:
    old, new = image(tmp_path, "old"), image(tmp_path, "new")
    started(daemon, tmp_path, cdroms=(str(old),))
    with counted() as made:
        operations.insert_medium(daemon, "a", "sda", DiskSpec(path=str(new), device="cdrom"))
    check("insert a medium", 8, made)
    with counted() as made:
        operations.eject_medium(daemon, "a", "sda")
    check("eject a medium", 8, made)


def check(operation: str, budget: int, made: list[str]) -> None:
    looks = made.count("virDomainGetBlockJobInfo")  # each takes two calls; how many it takes is up to QEMU
    calls = len(made) - 2 * max(0, looks - 1)
    assert calls <= budget, f"{operation}: {calls} calls: {', '.join(made)}"


def test_every_call_is_counted(daemon: Connection, domain: str) -> None:
    with counted() as made:
        daemon.find_domain(domain).state()
    assert made == ["virDomainLookupByName", "virDomainGetState"]
