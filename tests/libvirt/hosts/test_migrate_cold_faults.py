"""What ends the move of a domain that is shut off, or hinders it: it stays, whole, or the next command finishes it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.errors import LibvirtRefused
from holdfast.errors.hosts import CANNOT_BE_THERE, MOVE_CUT_OFF, MOVED_OTHERWISE, NAME_THERE
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.hosts.cold import move_cold
from holdfast.operations.hosts.cold.carried import carry_image
from holdfast_lab.daemon import Host
from holdfast_lab.relay import remote_uri
from tests.libvirt.domains import CONFIG, domain_xml, image, remove_domains
from tests.libvirt.hosts.cold_moves import COPIED, MIB, maps
from tests.libvirt.processes import kill
from tests.raising import raising


@pytest.fixture
def document(source: Connection, folder: Path) -> str:
    """That of the domain "a", which has an image of 8 MiB without holes."""
    disk = DiskSpec(path=str(folder / "a.raw"), size=8 * MIB, format="raw")
    operations.create_domain(source, "a", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none"))
    (folder / "a.raw").write_bytes(os.urandom(8 * MIB))
    return source.find_domain("a").xml(CONFIG)


def moves(source: Connection, target: Connection, folder: Path, document: str) -> None:
    """The move of "a" now goes through."""
    operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert not source.domains()
    assert not visible(compare(document, target.find_domain("a").xml(CONFIG)))
    assert (folder / "there" / "a.raw").read_bytes() == (folder / "a.raw").read_bytes()
    assert not target._handle.listAllStoragePools()


def test_a_move_whose_destination_dies_says_what_stands_and_is_finished_by_repeating_it(
    source: Connection, target: Connection, other: Host, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskSpec(path=str(folder / "a.raw"), size=MIB, format="raw")
    operations.create_domain(source, "a", DomainSpec(memory=64 * MIB, disks=(disk,), graphics="none"))
    document = source.find_domain("a").xml(CONFIG)

    def dying(*words: Any) -> None:
        carry_image(*words)
        other.kill()

    with monkeypatch.context() as patch, open_connection(other.uri) as lost:
        patch.setattr(move_cold, "carry_image", dying)
        with raising(MOVE_CUT_OFF, name="a", here="shut off", there="unknown"):
            operations.migrate_domain(source, "a", lost, maps=maps(folder), options=COPIED)
    assert source.find_domain("a").xml(CONFIG) == document
    other.start()
    with open_connection(other.uri) as again:
        operations.migrate_domain(source, "a", again, maps=maps(folder), options=COPIED)
        assert not source.domains()
        assert not visible(compare(document, again.find_domain("a").xml(CONFIG)))
        remove_domains(again)


@contextmanager
def small_disk(host: Host, folder: str) -> Iterator[None]:
    """``folder`` is a file system of 1 MiB there."""
    inside = ["nsenter", f"--target={host.inside}", "--mount"]
    subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=1m", "small", folder], check=True)
    yield
    assert not subprocess.run([*inside, "ls", folder], check=True, capture_output=True).stdout
    subprocess.run([*inside, "umount", folder], check=True)


def test_where_the_disk_is_full_nothing_is_left_and_the_domain_stays(
    source: Connection, target: Connection, other: Host, folder: Path, document: str
) -> None:
    with small_disk(other, maps(folder).paths[str(folder)]):
        with pytest.raises(LibvirtRefused, match="No space left on device"):
            operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
        assert source.find_domain("a").xml(CONFIG) == document
        assert not target.domains() and not target._handle.listAllStoragePools()
    moves(source, target, folder, document)


def test_a_link_that_is_cut_in_the_middle_leaves_the_domain_where_it_is_and_the_next_move_finishes(
    source: Connection, target: Connection, folder: Path, document: str, tmp_path: Path
) -> None:
    uri = remote_uri(target.uri, tmp_path)

    def cut(_: object) -> None:
        kill(f"{tmp_path}/relay")

    with open_connection(uri) as far, raising(MOVE_CUT_OFF, name="a", here="shut off", there="unknown"):
        operations.migrate_domain(source, "a", far, maps=maps(folder), options=COPIED, progress=cut)
    assert source.find_domain("a").xml(CONFIG) == document
    assert not (folder / "there" / "a.raw").exists() or target.domains()
    moves(source, target, folder, document)


def test_a_domain_that_is_there_already_is_left_alone_also_while_it_runs(
    source: Connection, target: Connection, folder: Path, document: str
) -> None:
    other = target.define(domain_xml())
    uuid = source.find_domain("a").uuid
    for runs in (False, True):
        if runs:
            other.start(paused=True)
        with raising(NAME_THERE, name="a", uuid=other.uuid):
            operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    remove_domains(target)
    target.define(domain_xml("other").replace("<memory", f"<uuid>{uuid}</uuid><memory")).start(paused=True)
    with raising(MOVED_OTHERWISE, name="other"):
        operations.migrate_domain(source, "a", target, maps=maps(folder), options=COPIED)
    assert source.find_domain("a").xml(CONFIG) == document
    assert not list((folder / "there").iterdir())


def test_an_image_of_another_size_there_is_not_taken_for_a_shared_one(
    source: Connection, target: Connection, folder: Path, document: str
) -> None:
    there = Path(maps(folder).paths[str(folder)])
    image(there, "a").rename(there / "a.raw")
    with raising(CANNOT_BE_THERE) as refused:
        operations.migrate_domain(source, "a", target, maps=maps(folder))
    assert "a.raw there has 1 MiB, not 8 MiB" in str(refused.value)
    assert source.find_domain("a").xml(CONFIG) == document and not target.domains()
