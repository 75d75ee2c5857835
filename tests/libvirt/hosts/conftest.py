"""Two hosts with one remote of their histories; two with a cable between them, and a guest on the first one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast_lab.cable import Cable, two_hosts
from holdfast_lab.daemon import Host, private_host
from tests.libvirt.domains import remove_domains
from tests.libvirt.hosts.moving_guest import writing_guest
from tests.libvirt.past.two_histories import new_remote


@pytest.fixture(scope="module")
def uris() -> Iterator[list[str]]:
    """Two hosts; both see the files of this machine."""
    with private_host("hv1") as one, private_host("hv2") as two:
        yield [one.uri, two.uri]


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    return new_remote(tmp_path / "remote.git")


@pytest.fixture
def hosts(uris: list[str], remote: Path) -> Iterator[list[Connection]]:
    """Connections to both, with an empty history each, for which the remote is set."""
    with open_connection(uris[0]) as one, open_connection(uris[1]) as two:
        for each in (one, two):
            assert each.history_folder is not None and each.history_settings_file is not None
            Path(each.history_folder).mkdir(parents=True)
            settings = Path(each.history_settings_file)
            settings.write_text(f'remote = "{remote}"\n')
            settings.chmod(0o600)
        yield [one, two]
        for each in (one, two):
            remove_domains(each)
            shutil.rmtree(str(each.history_folder))


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


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


@pytest.fixture(scope="module")
def other() -> Iterator[Host]:
    """The host where domains arrive."""
    with private_host("other") as running:
        yield running


@pytest.fixture
def target(other: Host) -> Iterator[Connection]:
    """Its libvirt, without domains."""
    with open_connection(other.uri) as connection:
        yield connection
    with open_connection(other.uri) as connection:  # its libvirt may have died
        remove_domains(connection)


@pytest.fixture
def source(host: Host, folder: Path) -> Iterator[Connection]:
    """The libvirt of the host that they leave."""
    with open_connection(host.uri) as connection:
        yield connection
