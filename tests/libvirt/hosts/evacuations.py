"""Two libvirts of their own, one remote, and a folder that both have: domains of the one, for the other."""

from __future__ import annotations

from pathlib import Path

from holdfast import operations
from holdfast.domainxml.fact import RunAgain
from holdfast.history.claims import Claims
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.facts import record_fact
from holdfast.operations.history_place import history_place
from holdfast.operations.hosts.evacuate import Evacuated
from holdfast.operations.session import looking
from tests.libvirt.domains import CONFIG

MIB = 1 << 20


def made(connection: Connection, folder: Path, name: str = "web", *, runs: bool = False) -> str:
    """A domain with an image in ``folder``, whose history is pushed; returns its config document."""
    disk = DiskSpec(path=str(folder / f"{name}.qcow2"), size=MIB)
    spec = DomainSpec(memory=64 * MIB, disks=(disk,), interfaces=(InterfaceSpec(kind="user"),), graphics="none")
    operations.create_domain(connection, name, spec)
    if runs:
        record_fact(looking(connection, name), RunAgain("2026-01-01T00:00:00+00:00"))
        operations.record_host(connection)
    operations.push_history(connection)
    return connection.find_domain(name).xml(CONFIG)


def name_of(connection: Connection) -> str:
    return history_place(connection).host


def who_has(remote: Path) -> list[str]:
    return sorted(claim.host for claim in Claims(str(remote)).read().values())


def stays(folder: Path) -> operations.HostMaps:
    return operations.HostMaps(paths={str(folder): str(folder)})


def one(result: tuple[Evacuated, ...]) -> Evacuated:
    (each,) = result
    return each
