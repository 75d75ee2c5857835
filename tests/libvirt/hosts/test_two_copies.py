"""What a host still has of a domain that another host has by now: it takes nothing from that one."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.make.rebind import HostMaps
from holdfast.errors.history import ELSEWHERE, MOVED_ON
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.hosts.evacuate import evacuate
from tests.libvirt.commands import done
from tests.libvirt.hosts.evacuations import name_of, stays
from tests.raising import raising

MIB = 1 << 20


def made(connection: Connection, folder: Path) -> Path:
    """A domain whose image goes with it, and the image; its history is pushed."""
    image = folder / "web.qcow2"
    disk = DiskSpec(path=str(image), size=MIB, delete_with_domain=True)
    operations.create_domain(connection, "web", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none"))
    operations.push_history(connection)
    return image


@pytest.mark.parametrize("storage", [False, True])
def test_the_copy_of_a_domain_that_was_evacuated_is_deleted_without_its_images(
    hosts: list[Connection], uris: list[str], shared: Path, storage: bool
) -> None:
    hv1, hv2 = hosts
    image = made(hv1, shared)
    evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared))
    said = done(uris[0], "delete", "web", *(["--storage"] if storage else []))
    assert f"{image}: kept (by " in said
    assert f" {name_of(hv2)} has it, since 2" in said
    assert image.exists()
    assert not hv1.domains()
    operations.start(hv2, "web", paused=True)


def test_an_image_of_this_host_alone_goes_also_where_nobody_can_be_asked(
    hosts: list[Connection], shared: Path, remote: Path
) -> None:
    image = made(hosts[0], shared)
    remote.rename(remote.with_suffix(".away"))
    operations.delete_domain(hosts[0], "web")
    assert not image.exists()


def test_an_image_on_shared_storage_stays_where_nobody_can_be_asked(
    hosts: list[Connection], shared: Path, remote: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = made(hosts[0], shared)
    remote.rename(remote.with_suffix(".away"))
    monkeypatch.setattr("holdfast.operations.power.elsewhere.is_shared_storage", lambda _: True)
    (fate,) = operations.delete_domain(hosts[0], "web").images
    assert (fate.kept or "").startswith("another host may have the domain, and cannot be asked: ")
    assert image.exists()


def test_a_domain_that_moved_on_is_not_brought_back_beside_itself(
    hosts: list[Connection], uris: list[str], shared: Path
) -> None:
    made(hosts[0], shared)
    operations.migrate_domain(hosts[0], "web", hosts[1], maps=HostMaps())
    with raising(MOVED_ON):
        operations.restore_deleted(hosts[0], "web")
    with raising(ELSEWHERE):
        operations.restore_deleted(hosts[0], "web", not_elsewhere=True)
    hosts[1].find_domain("web").undefine()
    operations.record_host(hosts[1])
    operations.push_history(hosts[1])
    assert "would be back" in done(uris[0], "history", "restore", "web", "--not-elsewhere", "--dry-run")


def test_a_deleted_copy_of_a_domain_that_was_evacuated_does_not_come_back(
    hosts: list[Connection], shared: Path
) -> None:
    hv1, hv2 = hosts
    made(hv1, shared)
    evacuate(hv2, ["web"], source_is_down=name_of(hv1), maps=stays(shared))
    operations.delete_domain(hv1, "web")
    with raising(ELSEWHERE):
        operations.restore_deleted(hv1, "web")
