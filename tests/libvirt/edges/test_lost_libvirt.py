"""libvirtd that dies while a command waits: the command ends, and says in a sentence what it has done."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.errors.devices import LOST_BEFORE_RELEASE
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import run
from tests.libvirt.domains import domain_xml
from tests.libvirt.moments import once_it_waits
from tests.libvirt.unwritable import unwritable
from tests.raising import raising

RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A host of these tests' own, with the domain "deaf", which answers nobody."""
    with private_host() as running:
        with holdfast.connect(running.uri) as connection:
            connection.define(domain_xml("deaf", extra=RNG))
        yield running


@pytest.fixture(autouse=True)
def deaf(host: Host) -> None:
    with holdfast.connect(host.uri) as connection:
        operations.start(connection, "deaf")


def test_shutdown_does_not_wait_for_a_guest_that_libvirt_forgot(host: Host) -> None:
    with once_it_waits(lambda: host.restart(guests=False)):
        result = run(host.uri, "shutdown", "deaf", "--timeout", str(PATIENCE))
    assert result.exit_code == 5
    assert result.stderr == (
        "error: the power button of 'deaf' was pressed; whether the guest stops cannot be seen: "
        "the connection to libvirt was lost\n"
        "hint: 'holdfast show deaf' says how it stands, once libvirt is back\n"
    )


def test_shutdown_tells_also_then_what_is_not_recorded(host: Host) -> None:
    (first,) = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()
    with holdfast.connect(host.uri) as connection:
        operations.adopt_domain(connection, "deaf")
        operations.destroy(connection, "deaf")
        operations.start(connection, "deaf")
    with (
        unwritable(Path("/etc/libvirt/qemu"), "read-only", "nsenter", "--mount", "--target", first),
        once_it_waits(lambda: host.restart(guests=False)),
    ):
        result = run(host.uri, "shutdown", "deaf", "--timeout", str(PATIENCE))
    assert result.exit_code == 5
    assert "the connection to libvirt was lost; and it cannot be recorded about the domain 'deaf'" in result.stderr


def test_detach_does_not_wait_for_a_guest_that_libvirt_forgot(host: Host) -> None:
    with (
        holdfast.connect(host.uri) as connection,
        once_it_waits(lambda: host.restart(guests=False)),
        raising(LOST_BEFORE_RELEASE),
    ):
        operations.detach_device(connection, "deaf", "ua-rng", timeout=PATIENCE)
