"""Whatever is done to a domain, libvirt keeps every secret of its documents, in live and in config."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.secret_parts import secrets_of
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import DiskSettings, DiskSpec, DomainSettings, InterfaceSpec, Place
from holdfast.operations.manager.restore import restore_document
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, image
from tests.libvirt.images import qcow2, qcow2_disk
from tests.secretive import FIRST, LAST, MARK, secretive_xml, web_disk


def secrets_in(domain: Domain, definition: Definition = CONFIG) -> list[str]:
    """All secrets of one document, each as often as it is there."""
    return sorted(secrets_of(parse(domain.xml(definition, secure=True))))


@pytest.fixture
def domain(connection: Connection, tmp_path: Path, web_port: int) -> Domain:
    """A domain with all the secrets that there are, shut off, and with a disk of its own."""
    own = qcow2_disk(qcow2(tmp_path, "own"))
    return connection.define(secretive_xml(devices=own, web_port=web_port))


@dataclass(frozen=True)
class Deed:
    """Something that is done to the domain "a"; afterwards it is called ``name``."""

    do: Callable[[Connection, Path], object]
    name: str = "a"


def edit(connection: Connection, _: Path) -> None:
    before = operations.document(connection, "a", secure=True)
    document = parse(before)
    document.find("devices/video/model").set("vram", "32768")  # type: ignore[union-attr]
    operations.edit_domain(connection, "a", before, serialize(document), accept=True)


def follow(connection: Connection, _: Path) -> None:
    """A manager knows nothing of a password that somebody set, nor of cookies; it has changed something beside them."""
    wanted = parse(connection.find_domain("a").xml(CONFIG))
    for graphics in wanted.iterfind("devices/graphics[@type='vnc']"):
        graphics.set("keymap", "de")
    for host in wanted.iterfind("devices/disk/source/host"):
        host.set("transport", "tcp")
    followed = operations.follow_document(connection, "a", serialize(wanted), is_own=lambda _: False)
    assert "graphics" in followed.host


def rescue(connection: Connection, folder: Path) -> None:
    operations.rescue(connection, "a", DiskSpec(path=str(image(folder, "rescue")), format="raw"))
    assert secrets_in(connection.find_domain("a"), LIVE) == secrets_in(connection.find_domain("a"))
    operations.unrescue(connection, "a", start=False)


def restore_the_document(connection: Connection, _: Path) -> None:
    recorded = operations.document(connection, "a", secure=True)
    operations.set_domain(connection, "a", DomainSettings(title="since"))
    assert restore_document(connection, recorded)


def snapshot(connection: Connection, _: Path) -> None:
    operations.create_snapshot(connection, "a", "s")
    operations.set_domain(connection, "a", DomainSettings(title="since"))
    operations.revert_to_snapshot(connection, "a", "s")
    operations.delete_snapshot(connection, "a", "s")


def roll_back(connection: Connection, _: Path) -> None:
    assert connection.history_folder is not None
    Path(connection.history_folder).mkdir(parents=True)
    operations.attach_interface(connection, "a", InterfaceSpec(kind="user"))
    then = operations.log_domain(connection, "a")[-1].short_id
    operations.rollback_domain(connection, "a", then, accept=True)
    shutil.rmtree(connection.history_folder)


def clone(connection: Connection, _: Path) -> None:
    operations.clone_domain(connection, "a", "b")


def save_and_restore(connection: Connection, _: Path) -> None:
    operations.save_domain(connection, "a")
    operations.restore_domain(connection, "a", paused=True)


def detach(connection: Connection, folder: Path) -> None:
    operations.attach_device(connection, "a", disk_xml(folder, "more", "vdb"), config_only=True)
    operations.detach_device(connection, "a", "vdb", config_only=True)


def swap(connection: Connection, folder: Path) -> None:
    other = DiskSpec(path=str(qcow2(folder, "other")), format="qcow2")
    operations.swap_disk(connection, "a", "vda", other)


def move(connection: Connection, folder: Path) -> None:
    operations.move_disk(connection, "a", "vda", Place(path=str(folder / "moved.qcow2")))


WHENEVER = {
    "edit": Deed(edit),
    "follow": Deed(follow),
    "move": Deed(move),
    "set": Deed(
        lambda c, _: operations.set_domain(c, "a", DomainSettings(title="t", memory=48 * 1024**2), config_only=True)
    ),
    "boot order": Deed(
        lambda c, _: operations.set_domain(c, "a", DomainSettings(boot=("vda", "vdw")), config_only=True)
    ),
    "set the disk that has some": Deed(
        lambda c, _: operations.set_disk(c, "a", "vdw", DiskSettings(cache="none"), config_only=True)
    ),
    "seal": Deed(lambda c, _: operations.seal_domain(c, "a")),
    "adopt": Deed(lambda c, _: operations.adopt_domain(c, "a")),
    "snapshot": Deed(snapshot),
    "attach and detach": Deed(detach),
}
SHUT_OFF = {
    "rename": Deed(lambda c, _: operations.rename_domain(c, "a", "b"), "b"),
    "clone": Deed(clone, "b"),
    "be cloned": Deed(clone),
    "upgrade": Deed(lambda c, _: operations.upgrade_machine(c, "a", "pc-q35-7.2")),
    "rescue": Deed(rescue),
    "swap": Deed(swap),
    "roll back": Deed(roll_back),
    "restore the document": Deed(restore_the_document),
}
RUNNING = {
    "save and restore": Deed(save_and_restore),
    "reboot": Deed(lambda c, _: operations.reboot(c, "a", hard=True)),
}


@pytest.mark.parametrize("deed", [*WHENEVER, *SHUT_OFF])
def test_config_has_all_secrets_after(connection: Connection, domain: Domain, tmp_path: Path, deed: str) -> None:
    before = secrets_in(domain)
    assert {MARK, FIRST, LAST} <= set(before)
    done = (WHENEVER | SHUT_OFF)[deed]
    done.do(connection, tmp_path)
    assert secrets_in(connection.find_domain(done.name)) == before


@pytest.mark.parametrize("deed", [*WHENEVER, *RUNNING])
def test_a_running_domain_has_all_secrets_in_both_documents_after(
    connection: Connection, domain: Domain, tmp_path: Path, deed: str
) -> None:
    domain.start(paused=True)
    before = {definition: secrets_in(domain, definition) for definition in Definition}
    assert before[LIVE] == before[CONFIG]
    (WHENEVER | RUNNING)[deed].do(connection, tmp_path)
    assert {definition: secrets_in(domain, definition) for definition in Definition} == before


def test_an_attach_that_is_finished_later_brings_the_secrets_to_live(
    connection: Connection, domain: Domain, web_port: int
) -> None:
    domain.start(paused=True)
    disk = web_disk("vdx", "second.raw", web_port)
    domain.attach(disk, CONFIG)
    operations.attach_device(connection, "a", disk)
    assert secrets_in(domain, LIVE) == secrets_in(domain, CONFIG)
    assert secrets_in(domain, LIVE).count(LAST) == 4


def test_a_password_that_is_set_leaves_the_others_as_they_are(connection: Connection, domain: Domain) -> None:
    before = secrets_in(domain)
    operations.set_domain(connection, "a", DomainSettings(graphics_password="other"))
    after = secrets_in(domain)
    assert {each for each in before if each not in after} == set()
    assert after.count("other") > 0
