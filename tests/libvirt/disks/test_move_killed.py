"""A move that is killed at any step, or whose libvirtd or host goes away: the documents tell, repeating finishes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
import libvirt
from holdfast import operations
from holdfast.cli import hints
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors.disks import LIBVIRT_GONE_WHILE_COPIED
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import Place
from holdfast.operations.documents import read
from holdfast_lab.daemon import Host, private_host
from tests.libvirt.commands import done, run
from tests.libvirt.disks.moves import content, images_of_vda, in_the_middle, moving_domain
from tests.libvirt.killed import run_killed
from tests.raising import raising

KILLED = -9


@pytest.fixture
def host(daemon_uri: str, tmp_path: Path) -> Iterator[Connection]:
    """The private libvirtd with a pool "default" in a folder of its own, and without domains."""
    raw = libvirt.open(daemon_uri)
    (tmp_path / "pool").mkdir()
    pool = raw.storagePoolCreateXML(
        f"<pool type='dir'><name>default</name><target><path>{tmp_path}/pool</path></target></pool>"
    )
    with holdfast.connect(daemon_uri) as connection:
        yield connection
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
            domain.undefine()
    pool.destroy()
    raw.close()


def told(domain: Domain) -> set[str]:
    """The images that the documents of the domain name, or what is recorded in them."""
    found: set[str] = set()
    for document in read(domain).present.values():
        found |= {source_of(disk) or "" for disk in document.iterfind("devices/disk")}
        for record in facts(document, DiskRecord):
            found |= {record.place, record.old}
    return found


def files(folder: Path) -> set[str]:
    return {str(path) for path in [*folder.glob("*.img"), *folder.glob("pool/*")]}


@pytest.mark.parametrize(
    ("start", "abort"),
    [(True, False), (True, True), (False, False)],
    ids=["running, repeated", "running, aborted", "shut off, repeated"],
)
def test_move_killed_at_any_step_is_finished_or_taken_back(
    host: Connection, daemon_uri: str, tmp_path: Path, start: bool, abort: bool
) -> None:
    ended = 0
    for step in itertools.count(1):
        domain = moving_domain(host, tmp_path, start)
        operations.adopt_domain(host, "a")
        recorded = {record for document in read(domain).present.values() for record in facts(document, DiskRecord)}
        code = run_killed(step, daemon_uri, "disk", "move", "a", "vda", "pool=default", "--delete-source")
        assert code in (KILLED, 0)
        assert files(tmp_path) <= told(domain), "nothing is left that is not told"
        unfinished = operations.show_domain(host, "a").unfinished
        command = ["disk", "move", "a", "vda", *(["--abort"] if abort else [])]
        result = run(daemon_uri, *command)
        assert result.exit_code in ((0, 1) if abort else (0, 2)), result.output
        ended += result.exit_code == 0
        if abort and unfinished and "was to be removed" in unfinished[0]:
            done(daemon_uri, "disk", "move", "a", "vda")
        assert operations.show_domain(host, "a").unfinished == ()
        assert files(tmp_path) <= told(domain), (step, result.output, unfinished)
        assert len(files(tmp_path)) == 2, "of the two images one is gone"
        ((image, format),) = images_of_vda(domain)
        assert image is not None and format == "raw"
        assert Path(image).read_bytes() == content()
        after = {record for document in read(domain).present.values() for record in facts(document, DiskRecord)}
        if image.startswith(str(tmp_path / "one")):
            assert after == recorded
        assert {record.role for record in after} == {record.role for record in recorded}
        done(daemon_uri, "delete", "--storage", "--force", "a")
        assert not files(tmp_path)
        if code == 0:
            break
    assert ended >= 6


@pytest.fixture(scope="module")
def lonely() -> Iterator[Host]:
    """A host of these tests' own, whose libvirtd is restarted."""
    with private_host("kelp") as running:
        yield running


@pytest.mark.parametrize("guests", [True, False], ids=["libvirtd", "host"])
def test_move_goes_on_after_its_libvirtd_or_its_host_was_gone(lonely: Host, guests: bool) -> None:
    folder = lonely.images / ("one" if guests else "two")
    folder.mkdir()
    new = folder / "new.qcow2"
    connection = holdfast.connect(lonely.uri)
    moving_domain(connection, folder, start=True)
    operations.adopt_domain(connection, "a")
    with raising(LIBVIRT_GONE_WHILE_COPIED, target="vda", name="a", place=new) as gone:
        operations.move_disk(
            connection,
            "a",
            "vda",
            Place(path=str(new), format="qcow2"),
            progress=in_the_middle(lambda: lonely.restart(guests=guests)),
        )
    assert "disk move a vda" in hints.hint(gone.value)
    with holdfast.connect(lonely.uri) as again:
        domain = again.find_domain("a")
        assert domain.is_active() == guests
        assert images_of_vda(domain) == {(str(folder / "one.img"), "raw")}
        assert f"the disk vda is being moved to {new}" in operations.show_domain(again, "a").unfinished[0]
        assert operations.move_disk(again, "a", "vda").after == str(new)
        assert images_of_vda(domain) == {(str(new), "qcow2")}
        if guests:
            domain.destroy()
        assert operations.start(again, "a", paused=True).after == "paused"
        domain.destroy()
        domain.undefine()
