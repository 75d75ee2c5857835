"""How many calls to libvirt an operation makes: over ssh each is a round trip.

The numbers are budgets. A change that needs another call raises the number in the same commit, and says why; no check
and no reading back is dropped for one. Counted on a private libvirtd: a running q35 domain of Holdfast's with one disk,
and no other domain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirtmod  # type: ignore[import-not-found]
import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DiskSettings, DiskSpec, DomainSettings, DomainSpec, InterfaceSpec, Topology

LOCAL = {
    *{"virDomainGetName", "virDomainGetUUIDString", "virDomainGetUUID", "virDomainGetID", "virDomainFree"},
    *{
        "virNetworkFree",
        "virNetworkGetName",
        "virStoragePoolFree",
        "virStorageVolFree",
        "virDomainSnapshotFree",
        "virConnectGetURI",
    },
    *{"virStoragePoolGetName", "virStorageVolGetName", "virStorageVolGetKey", "virConnectIsAlive"},
}
"""What the client answers from what it has."""

INTERFACE = InterfaceSpec(kind="network", source="quiet")
NETWORK = "<network><name>quiet</name><bridge name='hf-quiet'/></network>"


@contextmanager
def counted() -> Iterator[list[str]]:
    """The calls that are made meanwhile, in their order."""
    made: list[str] = []

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def wrapper(*args: object) -> object:
            made.append(name)
            return call(*args)

        return wrapper

    with pytest.MonkeyPatch.context() as patch:
        for name in dir(libvirtmod):
            if name.startswith(("virDomain", "virConnect", "virNetwork", "virStorage")) and name not in LOCAL:
                patch.setattr(libvirtmod, name, noting(name, getattr(libvirtmod, name)))
        yield made


@pytest.fixture
def domain(daemon: Connection, tmp_path: Path) -> str:
    """The domain, started."""
    tmp_path.chmod(0o755)
    daemon._handle.networkDefineXML(NETWORK).create()
    spec = DomainSpec(
        memory=64 * 1024 * 1024,
        vcpus=1,
        disks=(DiskSpec(path=str(tmp_path / "root.qcow2"), size=1024 * 1024),),
        graphics="none",
    )
    operations.create_domain(daemon, "a", spec)
    operations.start(daemon, "a", paused=True)
    return "a"


def attach_new_image(connection: Connection, folder: Path) -> object:
    return operations.attach_disk(connection, "a", DiskSpec(path=str(folder / "new.qcow2"), size=1024 * 1024))


def create(connection: Connection, folder: Path) -> object:
    disks = (DiskSpec(path=str(folder / "b.qcow2"), size=1024 * 1024),)
    return operations.create_domain(connection, "b", DomainSpec(memory=64 * 1024 * 1024, disks=disks, graphics="none"))


def edit(connection: Connection, folder: Path) -> object:
    original = operations.document(connection, "a", secure=True)
    return operations.edit_domain(connection, "a", original, original.replace("/dev/urandom", "/dev/random"))


BUDGETS: dict[str, tuple[int, Callable[[Connection, Path], object]]] = {
    "look up by UUID": (1, lambda connection, _: connection.find_domain(connection.domains()[0].uuid)),
    "show": (6, lambda connection, _: operations.show_domain(connection, "a")),
    "attach an interface": (
        10,
        lambda connection, _: operations.attach_interface(connection, "a", INTERFACE),
    ),
    "attach a new image": (18, attach_new_image),
    "reboot --hard": (14, lambda connection, _: operations.reboot(connection, "a", hard=True)),
    "resume": (4, lambda connection, _: operations.resume(connection, "a")),
    "destroy": (10, lambda connection, _: operations.destroy(connection, "a")),
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
    "edit": (14, edit),
    "seal": (9, lambda connection, _: operations.seal_domain(connection, "a", add_ports=20)),
    "upgrade machine": (
        13,
        lambda connection, _: operations.upgrade_machine(connection, "a", "pc-q35-7.1", lower=True),
    ),
    "create with an image": (7, create),
    "rename": (8, lambda connection, _: operations.rename_domain(connection, "a", "b")),
    "clone": (11, lambda connection, _: operations.clone_domain(connection, "a", "b")),
    "adopt again": (4, lambda connection, _: operations.adopt_domain(connection, "a")),
    "delete": (7, lambda connection, _: operations.delete_domain(connection, "a")),
    "delete --storage": (11, lambda connection, _: operations.delete_domain(connection, "a", storage=True)),
}

OFF = {"rename", "clone", "delete", "delete --storage"}
"""What is done to the domain while it is shut off."""


@pytest.mark.parametrize("operation", BUDGETS)
def test_calls_to_libvirt_keep_to_their_budget(daemon: Connection, domain: str, tmp_path: Path, operation: str) -> None:
    budget, act = BUDGETS[operation]
    if operation == "look up by UUID":
        uuid = daemon.find_domain(domain).uuid
        with counted() as made:
            daemon.find_domain(uuid)
    else:
        if operation in OFF:
            daemon.find_domain(domain).destroy()
        with counted() as made:
            act(daemon, tmp_path)
    assert len(made) <= budget, f"{operation}: {len(made)} calls: {', '.join(made)}"


def test_every_call_is_counted(daemon: Connection, domain: str) -> None:
    with counted() as made:
        daemon.find_domain(domain).state()
    assert made == ["virDomainLookupByName", "virDomainGetState"]
