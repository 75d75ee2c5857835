"""Fixtures of the tier for several hosts: this machine's libvirt, and those of Debian 13 and sid beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.errors import Failed
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast_lab.daemon import private_host
from holdfast_lab.enclosure import enclosed
from holdfast_lab.other_debian import DEBIAN_13, SID, DebianRelease, unpacked, why_not
from holdfast_lab.relay import remote_uri
from tests.corpus.builder import make_images


@pytest.fixture(scope="session", autouse=True)
def _enclosed() -> None:
    if not enclosed():
        pytest.exit("these tests start libvirts of their own: run 'scripts/test hosts'", returncode=2)


@pytest.fixture(scope="session")
def system() -> Path:
    """Debian 13's libvirt and QEMU in a folder."""
    return _system(DEBIAN_13)


@pytest.fixture(scope="session")
def sid() -> Path:
    """Debian sid's likewise: the newest that there are as packages."""
    return _system(SID)


def _system(release: DebianRelease) -> Path:
    """The folder; a skip where there can be none, or none was to be had outside CI."""
    if reason := why_not(release):
        pytest.skip(reason)
    try:
        return unpacked(release)
    except Failed as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"{error.message} ({error.remedy})")


@pytest.fixture(scope="session")
def older_uri() -> Iterator[str]:
    """The URI of a private host with this machine's own libvirt."""
    with private_host("older") as host:
        yield host.uri


@pytest.fixture(scope="session")
def newer_uri(system: Path) -> Iterator[str]:
    """The URI of a private host with Debian 13's."""
    with private_host("newer", system) as host:
        yield host.uri


@pytest.fixture(scope="session")
def newest_uri(sid: Path) -> Iterator[str]:
    """The URI of a private host with Debian sid's."""
    with private_host("newest", sid) as host:
        yield host.uri


@pytest.fixture
def older(older_uri: str) -> Iterator[Connection]:
    """The older host without domains; what the test leaves behind is destroyed and undefined."""
    yield from _without_domains(older_uri)


@pytest.fixture
def newer(newer_uri: str) -> Iterator[Connection]:
    """The newer host likewise."""
    yield from _without_domains(newer_uri)


@pytest.fixture
def newest(newest_uri: str) -> Iterator[Connection]:
    """The newest host likewise."""
    yield from _without_domains(newest_uri)


@pytest.fixture
def elsewhere(newer_uri: str, tmp_path: Path) -> Iterator[Connection]:
    """The newer host as a remote one, whose files are not to be read here."""
    with open_connection(remote_uri(newer_uri, tmp_path)) as connection:
        yield connection


def _without_domains(uri: str) -> Iterator[Connection]:
    with open_connection(uri) as connection:
        yield connection
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
            domain.undefine()


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every image that the domains of the corpus name, at the same path on both hosts."""
    folder = tmp_path_factory.mktemp("images")
    make_images(folder)
    return folder
