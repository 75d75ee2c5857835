"""Memory that was saved before a host was upgraded: restored after it, or foretold to be lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.errors.power import MANAGED_SAVE_REFUSED
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.look.plan_host import plan_host
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.guest import Guest
from holdfast_lab.probe_image import probe_image
from tests.libvirt.domains import LIVE
from tests.raising import raising


def test_a_guest_continues_from_its_saved_memory_and_its_snapshot_after_an_upgrade(sid: Path) -> None:
    """From QEMU 7.2 to 11.1: the guest itself sees the same hardware, in the same boot."""
    with private_host("upgraded") as host:
        with open_connection(host.uri) as connection:
            if connection.hypervisor_version()[:2] == (10, 0):
                pytest.skip("this machine has Debian 13's QEMU, with its large queues: see the next test")
            guest = _booted(connection, host)
            operations.create_snapshot(connection, "guest", "one")
            before, live = guest.inventory(), guest.domain.xml(LIVE)
            operations.save_domain(connection, "guest")
            guest.close()
        host.upgrade(sid)
        with open_connection(host.uri) as connection:
            assert _foretold(connection) == []
            operations.restore_domain(connection, "guest")
            for _ in ("restored", "reverted"):
                guest = Guest(connection.find_domain("guest"))
                assert guest.inventory() == before
                assert [str(change) for change in visible(compare(live, guest.domain.xml(LIVE)))] == []
                guest.close()
                operations.revert_to_snapshot(connection, "guest", "one")


def test_memory_that_the_next_qemu_does_not_restore_is_foretold(system: Path, sid: Path) -> None:
    """From QEMU 10.0.13, with its large queues; the guest need not have booted."""
    with private_host("upgraded", system) as host, private_host("next", sid) as other:
        with open_connection(host.uri) as connection, open_connection(other.uri) as there:
            _create(connection, host)
            operations.start(connection, "guest", paused=True)
            operations.create_snapshot(connection, "guest", "one")
            operations.save_domain(connection, "guest")
            assert _foretold(connection, there) == LOST
        host.upgrade(sid)
        with open_connection(host.uri) as connection:
            assert _foretold(connection) == LOST
            with raising(MANAGED_SAVE_REFUSED, cause=re.compile("(?s).*virtio.*")):
                operations.restore_domain(connection, "guest")
            operations.discard_save(connection, "guest")
            assert _foretold(connection) == LOST[1:]


LOST = ["blocks managed save", "note snapshot"]


def _foretold(connection: Connection, target: Connection | None = None) -> list[str]:
    """Effect and part of what ``plan host`` says of saved memory."""
    (plan,) = plan_host(connection, target)
    return [f"{each.effect} {each.part}" for each in plan.outlooks if each.part in ("managed save", "snapshot")]


def _create(connection: Connection, host: Host) -> None:
    """The probe guest, emulated with a CPU that both QEMUs have; its image can hold a snapshot."""
    root = DiskSpec(
        path=str(host.images / "root.qcow2"),
        format="qcow2",
        copy_from=str(probe_image().disk),
        source_format="raw",
        serial="root",
    )
    spec = DomainSpec(memory=256 << 20, cpu="Nehalem", disks=(root,), graphics="none", virt_type="qemu")
    operations.create_domain(connection, "guest", spec)


def _booted(connection: Connection, host: Host) -> Guest:
    _create(connection, host)
    operations.start(connection, "guest")
    guest = Guest(connection.find_domain("guest"))
    guest.wait_for_boot()
    return guest
