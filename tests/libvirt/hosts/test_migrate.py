"""Moving a guest that runs to another host: it goes on with the hardware that it has, and one copy runs whatever ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.errors import Condition, HoldfastError
from holdfast.errors.hosts import (
    ALREADY_THERE,
    CANNOT_BE_THERE,
    MOVE_CUT_OFF,
    MOVE_TIMED_OUT,
    NAME_THERE,
    NOT_MOVED,
    NOT_SHARED,
    SAME_HOST,
    UUID_THERE,
)
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import HostMaps, MoveOptions, MoveStatus
from holdfast_lab.cable import Cable, two_hosts
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, remove_domains
from tests.libvirt.hosts.moving_guest import writing_guest
from tests.raising import raising

SLOW = MoveOptions(bandwidth=8)
"""The guest that writes without end does not arrive with it."""


@pytest.fixture(scope="module")
def cable() -> Iterator[Cable]:
    with two_hosts("kelp", "rock") as joined:
        yield joined


@pytest.fixture
def here(cable: Cable) -> Iterator[Connection]:
    with open_connection(cable.hosts[0].uri) as connection:
        yield connection
        remove_domains(connection)


@pytest.fixture
def there(cable: Cable) -> Iterator[Connection]:
    with open_connection(cable.hosts[1].uri) as connection:
        yield connection
        remove_domains(connection)


@pytest.fixture
def guest(here: Connection, tmp_path: Path) -> Domain:
    """It writes without end."""
    domain = here.define(writing_guest(tmp_path))
    operations.start(here, "a")
    return domain


def states(*connections: Connection) -> list[list[str]]:
    return [[domain.state() for domain in connection.domains()] for connection in connections]


def is_moving(domain: Domain) -> bool:
    job = migration.job_now(domain)
    return job is not None and job.remaining > 0


def test_a_guest_goes_on_with_its_hardware_and_what_waits_still_waits(
    here: Connection, there: Connection, guest: Domain
) -> None:
    interface = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    guest.attach(interface, CONFIG)
    live, config = guest.xml(LIVE), guest.xml(CONFIG)
    moved = operations.migrate_domain(here, "a", there)
    assert moved.live and moved.taken == () and len(moved.waits) == 1 and moved.downtime is not None
    assert states(here, there) == [[], ["running"]]
    arrived = there.find_domain(guest.uuid)
    assert not visible(compare(live, arrived.xml(LIVE)))
    assert not visible(compare(config, arrived.xml(CONFIG)))
    with raising(ALREADY_THERE, name="a", state="running"):
        operations.migrate_domain(here, "a", there)
