"""A host as Debian's packages leave it, and users of it who are not root."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.libvirtapi.connection import open_connection
from holdfast_lab.daemon import Host, private_host
from holdfast_lab.ordinary_user import OrdinaryUser
from tests.libvirt.domains import remove_domains

IMAGES = "/var/lib/libvirt/images"
"""The folder of the pool "default", as the host calls it."""


@pytest.fixture(scope="module")
def packaged() -> Iterator[Host]:
    """A private host with the package's qemu.conf, owners and modes."""
    with private_host("kelp", as_packaged=True) as host:
        yield host


@pytest.fixture
def user(packaged: Host) -> Iterator[OrdinaryUser]:
    """A user of the group libvirt; there is a pool "default", and what the test leaves goes."""
    with open_connection(packaged.uri) as connection:
        pool = connection._handle.storagePoolCreateXML(
            f"<pool type='dir'><name>default</name><target><path>{IMAGES}</path></target></pool>"
        )
        yield OrdinaryUser(packaged)
        for domain in connection.domains():
            for snapshot in domain._handle.listAllSnapshots():
                snapshot.delete(2)  # VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY
        remove_domains(connection)
        pool.destroy()
    for path in (packaged.folder / "lib" / "images", packaged.images):
        for left in path.iterdir():
            left.unlink()


@pytest.fixture
def pool(packaged: Host) -> Path:
    """The folder of the pool "default", as root sees it here."""
    return packaged.folder / "lib" / "images"


def done(result: subprocess.CompletedProcess[str]) -> str:
    """What a command said that must have succeeded."""
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def failed(result: subprocess.CompletedProcess[str], code: int) -> str:
    """What a command said that must have ended with this exit code."""
    assert result.returncode == code, result.stdout + result.stderr
    return result.stderr
