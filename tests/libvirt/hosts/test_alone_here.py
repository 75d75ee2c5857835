"""Images on storage that only their host has: what another machine has by the same name is another image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors.hosts import CANNOT_BE_THERE
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations import HostMaps
from holdfast_lab.cable import Cable
from holdfast_lab.relay import remote_uri
from tests.libvirt.commands import run
from tests.libvirt.domains import disk_xml, domain_xml, image
from tests.raising import raising

ALONE = "disk vda: its image is on the own storage of the host where it is now"


@pytest.fixture
def uri(cable: Cable, tmp_path: Path) -> str:
    """The other host, as one of which nobody knows whether it has our files."""
    return remote_uri(cable.hosts[1].uri, tmp_path)


@pytest.fixture
def elsewhere(uri: str, there: Connection) -> Iterator[Connection]:
    with open_connection(uri) as connection:
        yield connection


@pytest.fixture
def domain(here: Connection, tmp_path: Path) -> None:
    image(tmp_path, "data")
    here.define(domain_xml(extra=disk_xml(tmp_path, "data", "vda")))


def test_a_domain_is_not_moved_to_what_another_host_has_by_the_name_of_its_image(
    here: Connection, elsewhere: Connection, domain: None, tmp_path: Path
) -> None:
    with raising(CANNOT_BE_THERE) as refused:
        operations.migrate_domain(here, "a", elsewhere)
    assert ALONE in str(refused.value)
    assert not elsewhere.domains()
    mapped = HostMaps(paths={str(tmp_path): str(tmp_path)})
    operations.migrate_domain(here, "a", elsewhere, maps=mapped)
    assert [each.name for each in elsewhere.domains()] == ["a"]


def test_that_of_a_guest_that_runs_is_told_by_a_dry_run(
    here: Connection, elsewhere: Connection, uri: str, domain: None, tmp_path: Path
) -> None:
    operations.start(here, "a", paused=True)
    mapped = HostMaps(paths={str(tmp_path): str(tmp_path)})
    for maps in (HostMaps(), mapped):
        with raising(CANNOT_BE_THERE):
            operations.migrate_domain(here, "a", elsewhere, maps=maps, dry_run=True)
    said = run(here.uri, "migrate", "a", uri, "--dry-run")
    assert said.exit_code == 3
    assert "'--copy-storage' copies images" in said.stderr


def test_which_hosts_can_have_it_is_judged_by_the_same(
    here: Connection, uri: str, elsewhere: Connection, domain: None, tmp_path: Path
) -> None:
    def judged(*words: str) -> list[str]:
        said = json.loads(run(here.uri, "plan", "hosts", uri, "-o", "json", *words).stdout)
        return list(said["domains"][0]["moves"][0]["reasons"])

    assert judged() == [ALONE]
    mapped = f"{tmp_path}={tmp_path}"
    assert judged("--map-path", mapped) == []
    here.find_domain("a").start(paused=True)
    assert judged("--map-path", mapped) == [ALONE]
    here.find_domain("a").destroy()
    operations.start(here, "a", paused=True)
    operations.save_domain(here, "a")
    assert judged("--map-path", mapped) == ["its memory is saved: continue from it, or drop it"]
    operations.discard_save(here, "a")
