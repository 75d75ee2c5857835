"""Fixtures of the libvirt tier: one embedded libvirt per test process, and domains that are gone after each test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast_lab.daemon import private_host
from holdfast_lab.embedded import embedded_root, embedded_uri
from holdfast_lab.enclosure import enclosed

RELAY = """#!{python}
import os, socket, threading
with socket.socket(socket.AF_UNIX) as libvirt:
    libvirt.connect({socket!r})
    def send():
        while data := os.read(0, 65536):
            libvirt.sendall(data)
        libvirt.shutdown(socket.SHUT_WR)
    threading.Thread(target=send, daemon=True).start()
    while data := libvirt.recv(65536):
        os.write(1, data)
"""
"""What ssh and its helper do for a remote URI: carry bytes between libvirt's socket and its client."""


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

    def open_shared(wanted: str | None = None, readonly: bool = False) -> Connection:
        return shared[readonly] if wanted == uri else open_connection(wanted, readonly)

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
    yield libvirt_session
    for domain in libvirt_session.domains():
        persistent = domain.is_persistent()
        if domain.is_active():
            domain.destroy()
        if persistent:
            domain.undefine()


@pytest.fixture(scope="session")
def daemon_uri() -> Iterator[str]:
    """The URI of a private libvirtd, one per test process: it has storage pools and networks (slower than ``uri``)."""
    with private_host() as host:
        yield host.uri


@pytest.fixture
def remote_uri(daemon_uri: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A URI with a hostname, as of another machine: libvirt speaks to it through a program, as it does through ssh."""
    relay: Path = tmp_path_factory.mktemp("relay") / "relay"
    relay.write_text(RELAY.format(python=sys.executable, socket=daemon_uri.partition("socket=")[2]))
    relay.chmod(0o755)
    return f"qemu+ext://elsewhere/system?command={relay}"
