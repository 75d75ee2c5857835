"""Fixtures of the libvirt tier: one embedded libvirt per test process, and domains that are gone after each test."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast.hostfiles.lock import TIMEOUT
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast_lab import relay
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.embedded import embedded_root, embedded_uri
from holdfast_lab.enclosure import enclosed
from holdfast_lab.patience import PATIENCE, wait_until
from tests.libvirt.domains import remove_domains

OF_LIBVIRT = "libvirt-events"
"""The thread that stays: libvirt has one event loop a process."""


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test() -> Iterator[None]:
    """What still ran would meet what the next tests patch."""
    before = set(threading.enumerate())
    yield

    def staying() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each not in before and each.name != OF_LIBVIRT]

    wait_until(lambda: not staying(), f"still running: {staying()}")


@pytest.fixture(scope="session")
def uri() -> Iterator[str]:
    """The URI of this process's embedded libvirt."""
    if not enclosed():
        pytest.exit("these tests start a libvirt of their own: run 'scripts/test libvirt'", returncode=2)
    with embedded_root() as root:
        yield embedded_uri(root)


@pytest.fixture(scope="session")
def libvirt_session(uri: str) -> Iterator[Connection]:
    """A connection that stays open for the whole run: the embedded driver lives as long as one does.

    Commands run in this process share it, and a read-only one: libvirt 9.0 registers the driver anew at each opening
    of ``qemu:///embed`` and refuses after some thirty ("Too many drivers").
    """
    shared = {readonly: open_connection(uri, readonly) for readonly in (False, True)}

    def open_shared(wanted: str | None = None, readonly: bool = False, lock_timeout: float = TIMEOUT) -> Connection:
        if wanted != uri:
            return open_connection(wanted, readonly, lock_timeout)
        shared[readonly].lock_timeout = lock_timeout
        return shared[readonly]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("holdfast.operations.connect.open_connection", open_shared)
        for connection in shared.values():
            patch.setattr(connection, "close", lambda: None)
        yield shared[False]
    for connection in shared.values():
        connection.close()


@pytest.fixture
def connection(libvirt_session: Connection) -> Iterator[Connection]:
    """The embedded libvirt without domains; what the test leaves behind is destroyed and undefined."""
    libvirt_session.lock_timeout = PATIENCE
    yield libvirt_session
    remove_domains(libvirt_session)


@pytest.fixture(scope="session")
def daemon_uri() -> Iterator[str]:
    """The URI of a private libvirtd, one per test process: it has storage pools and networks (slower than ``uri``)."""
    with private_host() as host:
        yield host.uri


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    """A private host of the module's own, whose libvirtd it may kill."""
    with private_host("kelp") as running:
        yield running


@pytest.fixture
def daemon(daemon_uri: str) -> Iterator[Connection]:
    """The private libvirtd without domains, networks, pools and a history; what the test leaves behind goes."""
    with open_connection(daemon_uri) as connection:
        yield connection
        remove_domains(connection)
        for each in (*connection._handle.listAllNetworks(), *connection._handle.listAllStoragePools()):
            is_persistent = each.isPersistent()
            if each.isActive():
                each.destroy()
            if is_persistent:
                each.undefine()
        shutil.rmtree(str(connection.history_folder), ignore_errors=True)


@pytest.fixture
def remote_uri(daemon_uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A URI with a hostname, as of another machine: libvirt speaks to it through a program, as it does through ssh."""
    return relay.remote_uri(daemon_uri, tmp_path_factory.mktemp("relay"))


@pytest.fixture
def folder(host: Host, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder for images; the host has no domain but "a" of the test, and none afterwards."""
    path = host.images / str(abs(hash(request.node.name)))
    path.mkdir()
    yield path
    with holdfast.connect(host.uri) as connection:
        remove_domains(connection)
