"""Fixtures of the guest tier: a private libvirt per run, and probe guests that are gone after each test.

Two tests run side by side, each with one guest at a time; the whole tier has 15 minutes on two cores, emulated.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.enclosure import enclosed
from holdfast_lab.guest import Guest
from holdfast_lab.probe_image import ProbeImage, probe_image

Boot = Callable[..., Guest]
"""``boot(name="guest", machine="q35", firmware="bios", format="raw", disks=(), arch="x86_64")``: create, start, wait.

What else is named is a field of DomainSpec.
"""

_image_for = functools.cache(probe_image)

both_machines = pytest.mark.parametrize("machine", ["q35", "pc"])


@pytest.fixture(scope="session")
def probe() -> ProbeImage:
    """The probe guest's image."""
    return _image_for("x86_64")


@pytest.fixture(scope="session")
def host() -> Iterator[Host]:
    """The private host of this run."""
    if not enclosed():
        pytest.exit("these tests start a libvirt of their own: run 'scripts/test guest'", returncode=2)
    with private_host() as host:
        yield host


@pytest.fixture(scope="session")
def uri(host: Host) -> str:
    """The URI of its libvirt."""
    return host.uri


@pytest.fixture
def connection(uri: str) -> Iterator[Connection]:
    """That libvirt without domains; what the test leaves behind is destroyed and undefined."""
    with open_connection(uri) as connection:
        yield connection
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
            domain.undefine()


@pytest.fixture
def images(host: Host) -> Iterator[Path]:
    """A folder for this test's images, which the host sees at the same path."""
    folder = host.images / "test"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def boot(connection: Connection, images: Path) -> Iterator[Boot]:
    """Make running guests with a root disk "root" and an interface on the user network."""
    guests = []

    def make(
        name: str = "guest",
        machine: str = "q35",
        firmware: str = "bios",
        format: str = "raw",
        disks: tuple[DiskSpec, ...] = (),
        arch: str = "x86_64",
        **more: Any,
    ) -> Guest:
        root = DiskSpec(
            path=str(images / f"{name}.img"),
            format=format,
            copy_from=str(_image_for(arch).disk),
            source_format="raw",
            serial="root",
        )
        spec = DomainSpec(
            memory=256 << 20,
            arch=arch,
            machine=machine,
            firmware=firmware,
            disks=(root, *disks),
            interfaces=(InterfaceSpec(kind="user"),),
            graphics="none",
            **more,
        )
        operations.create_domain(connection, name, spec, start=True)
        guest = Guest(connection.find_domain(name))
        guests.append(guest)
        guest.wait_for_boot()
        return guest

    yield make
    for guest in guests:
        guest.close()
