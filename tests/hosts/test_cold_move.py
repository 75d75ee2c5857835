"""A domain that is shut off moves to a host of a newer generation, and back, with the hardware that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.errors.hosts import CARRIES_NO_FILES
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.domains import CONFIG
from tests.raising import raising

MIB = 1 << 20


def test_a_domain_goes_to_a_newer_host_and_stays_there_where_the_older_one_cannot_have_it(
    older: Connection, newest: Connection, tmp_path: Path
) -> None:
    disk = DiskSpec(path=str(tmp_path / "a.qcow2"), size=MIB, format="qcow2")
    operations.create_domain(older, "a", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none", cpu="qemu64"))
    document = older.find_domain("a").xml(CONFIG)
    same = operations.HostMaps(paths={str(tmp_path): str(tmp_path)})
    operations.migrate_domain(older, "a", newest, maps=same)
    assert not older.domains()
    arrived = newest.find_domain("a").xml(CONFIG)
    assert not visible(compare(document, arrived))
    operations.start(newest, "a", paused=True)
    operations.destroy(newest, "a")
    if older.libvirt_version() >= (9, 1):
        pytest.skip("this libvirt knows all that the newest has added: the way back is no other than the way there")
    with raising(REFUSED):  # libvirt 9.0 knows neither <topology clusters='1'/> nor the watchdog itco of 9.1
        operations.migrate_domain(newest, "a", older, maps=same)
    assert newest.find_domain("a").xml(CONFIG).count("<disk ") == 1 and not older.domains()


def test_a_libvirt_without_storage_takes_no_state_and_nothing_has_changed(
    older: Connection, newest: Connection
) -> None:
    spec = DomainSpec(memory=64 * MIB, graphics="none", cpu="qemu64", tpm=True)
    operations.create_domain(older, "a", spec)
    with raising(CARRIES_NO_FILES):
        operations.migrate_domain(older, "a", newest)
    assert older.domains() and not newest.domains()
