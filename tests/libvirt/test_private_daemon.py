"""The lab's private libvirtd: it has what the embedded driver has not, and it is gone when its owner is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import libvirt
from holdfast_lab.daemon import ENDED, Host, private_host
from holdfast_lab.patience import wait_until
from tests.libvirt.domains import domain_xml

OWNER = """
import signal, sys
from holdfast_lab.daemon import private_host
with private_host() as host:
    print(host.process.pid, host.folder, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with private_host("kelp") as running:
        yield running


def test_has_a_hostname_and_an_identity_of_its_own(host: Host) -> None:
    connection = libvirt.open(host.uri)
    assert connection.getHostname() == "kelp"
    assert connection.getCapabilities().split("<uuid>")[1].split("<")[0] == host.uuid
    connection.close()


def test_storage_pool_makes_a_volume_at_the_same_path_outside(host: Host) -> None:
    connection = libvirt.open(host.uri)
    pool = connection.storagePoolCreateXML(
        f"<pool type='dir'><name>images</name><target><path>{host.images}</path></target></pool>"
    )
    pool.createXML("<volume><name>a.img</name><capacity unit='MiB'>1</capacity></volume>")
    assert (host.images / "a.img").stat().st_size == 1024 * 1024
    connection.close()


def test_isolated_network_stays_in_the_host(host: Host) -> None:
    connection = libvirt.open(host.uri)
    connection.networkCreateXML(
        "<network><name>lab</name><bridge name='hfbr0'/><ip address='192.0.2.1' netmask='255.255.255.0'>"
        "<dhcp><range start='192.0.2.10' end='192.0.2.20'/></dhcp></ip></network>"
    )
    assert [network.name() for network in connection.listAllNetworks()] == ["lab"]
    assert not Path("/sys/class/net/hfbr0").exists()
    connection.close()


def test_daemon_restarts_with_its_guests_or_without() -> None:
    with private_host() as host:
        connection = libvirt.open(host.uri)
        connection.defineXML(domain_xml()).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        for guests in (True, False):
            host.restart(guests=guests)
            connection = libvirt.open(host.uri)
            assert connection.lookupByName("a").isActive() == guests
        connection.close()


def test_daemon_that_is_killed_stays_so_until_it_is_started_and_its_guests_run_on() -> None:
    with private_host() as host:
        connection = libvirt.open(host.uri)
        connection.defineXML(domain_xml()).createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        host.kill()
        with pytest.raises(libvirt.libvirtError):
            libvirt.open(host.uri)
        host.start()
        connection = libvirt.open(host.uri)
        assert connection.lookupByName("a").isActive()
        connection.close()


def test_a_daemon_can_be_started_as_soon_as_it_is_killed() -> None:
    with private_host() as host:
        for _ in range(10):
            host.kill()
            host.start()
        libvirt.open(host.uri).close()


def test_killed_owner_leaves_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        owner.kill()
    wait_until(lambda: not Path("/proc", pid).exists(), "the host outlives its owner")
    assert not Path(folder).exists()


def test_a_daemon_that_ends_by_itself_is_revived_where_that_is_asked_for() -> None:
    with private_host() as host:
        host.revive()
        inner = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()[0]
        (daemon,) = (
            child
            for child in Path(f"/proc/{inner}/task/{inner}/children").read_text().split()
            if Path(f"/proc/{child}/comm").read_text().strip() == "libvirtd"
        )
        os.kill(int(daemon), signal.SIGSEGV)
        wait_until(lambda: ENDED in host.log(), "the log does not tell of it")
        host.restart()
        libvirt.open(host.uri).close()
