"""A rescue outlives libvirtd, and a host that crashes in the middle has its domains as they always were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import power
from holdfast.libvirtapi.connection import open_connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.daemon import Host, private_host
from tests.libvirt.domains import CONFIG, LIVE, image
from tests.raising import raising


@pytest.fixture
def host() -> Iterator[Host]:
    with private_host("kelp") as running:
        yield running


def test_rescue_outlives_the_daemon_and_ends_with_the_host(host: Host) -> None:
    folder: Path = host.images
    with open_connection(host.uri) as connection:
        root = DiskSpec(path=str(image(folder, "root")), format="raw")
        spec = DomainSpec(memory=64 << 20, firmware="uefi", graphics="none", disks=(root,))
        nvram = operations.create_domain(connection, "a", spec, start=True).nvram
        operations.destroy(connection, "a")
        before = connection.find_domain("a").xml(CONFIG, secure=True)
        operations.rescue(connection, "a", DiskSpec(path=str(image(folder, "rescue")), format="raw"))
        live = connection.find_domain("a").xml(LIVE)
    # As on a machine that shares its files with its libvirt: the copy of the NVRAM has no name any more.
    (host.folder / "lib" / f"{nvram}.rescue".removeprefix("/var/lib/libvirt/")).unlink()

    host.restart()
    with open_connection(host.uri) as connection:
        assert operations.list_domains(connection)[0].in_rescue
        operations.suspend(connection, "a")  # waits until libvirtd has QEMU's monitor again; a destroy would not (9.0)
        operations.resume(connection, "a")
        assert connection.find_domain("a").xml(LIVE) == live
        assert connection.find_domain("a").xml(CONFIG, secure=True) == before
        assert operations.unrescue(connection, "a", start=True).after == "running"
        before = connection.find_domain("a").xml(CONFIG, secure=True)  # now it is recorded as wanted
        operations.rescue(connection, "a", DiskSpec(path=f"{folder}/rescue.img", format="raw"), force=True)

    host.restart(guests=False)
    with open_connection(host.uri) as connection:
        domain = connection.find_domain("a")
        assert domain.state() == "shut off"
        assert not operations.list_domains(connection)[0].in_rescue
        assert domain.xml(CONFIG, secure=True) == before
        with raising(power.NOT_IN_RESCUE, power.NOT_IN_RESCUE_OFF):
            operations.unrescue(connection, "a")
        operations.start(connection, "a")
        assert "rescue" not in domain.xml(LIVE)
        assert domain.xml(CONFIG, secure=True) == before
