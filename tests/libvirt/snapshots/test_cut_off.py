"""libvirtd dies in an external snapshot after the guest has gone over to the overlay, and before it writes that down.

The guest goes on writing to a file of which no document tells: only our record of the snapshot does.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.fact import Snapshotting
from holdfast.domainxml.metadata import facts
from holdfast.errors import HoldfastError, NoConnection
from holdfast.errors.disks import OVERLAY_IS_NEWER
from holdfast.libvirtapi import block
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.documents import read
from holdfast_lab.daemon import Host
from tests.libvirt.commands import run
from tests.libvirt.domains import LIVE, disk_xml, domain_xml, remove_domains
from tests.libvirt.images import mark_of
from tests.libvirt.monitor import monitor
from tests.raising import raising

AFTER = 7
"""What the guest writes once it has gone over."""


@pytest.fixture
def overlay(host: Host) -> Iterator[Path]:
    """The overlay, to which the guest of the domain "a" has gone over and has written."""
    overlay = host.images / "a-vda.one.qcow2"
    with holdfast.connect(host.uri) as connection:
        domain = connection.define(domain_xml(extra=disk_xml(host.images, "one", "vda", "<alias name='ua-one'/>")))
        operations.adopt_domain(connection, "a")
        operations.start(connection, "a", paused=True)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(NoConnection):
            patch.setattr(libvirt_snapshot, "make_snapshot", lambda *_, **__: cut_off(host, domain, overlay))
            operations.create_snapshot(connection, "a", "one", external=True, memory=False)
    with holdfast.connect(host.uri) as connection:
        block.copy_progress(connection.find_domain("a"), "vda")  # waits until libvirtd has found its QEMU again
    yield overlay
    with holdfast.connect(host.uri) as connection:
        remove_domains(connection)
    for file in host.images.iterdir():
        file.unlink()


def cut_off(host: Host, domain: Domain, overlay: Path) -> None:
    """What libvirtd does until it dies; then it is asked for the domain, which it cannot answer any more."""
    below = host.images / "one.img"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", below, "-F", "raw", overlay], check=True)
    host.kill()
    with monitor(host) as qemu:
        file = {"driver": "file", "filename": str(overlay)}
        qemu.ask("blockdev-add", **{"driver": "qcow2", "node-name": "over", "file": file, "backing": None})
        (node,) = (each["inserted"]["node-name"] for each in qemu.ask("query-block") if "inserted" in each)
        qemu.ask("blockdev-snapshot", node=node, overlay="over")
        qemu.write("/machine/peripheral/ua-one/virtio-backend", AFTER)
    host.start()
    domain.xml(LIVE)


def refused(connection: Connection, overlay: Path, *, off: bool) -> None:
    """All that would remove the overlay, or start a QEMU on what lies below it."""
    for deed in (
        lambda: operations.create_snapshot(connection, "a", "one", external=True, memory=False),
        lambda: operations.delete_snapshot(connection, "a", "one"),
        (lambda: operations.start(connection, "a")) if off else (lambda: operations.reboot(connection, "a", hard=True)),
    ):
        with raising(OVERLAY_IS_NEWER, target="vda", overlay=overlay):
            deed()


def test_overlay_that_libvirt_does_not_know_is_never_lost(host: Host, overlay: Path) -> None:
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        assert str(overlay) not in domain.xml(LIVE)
        refused(connection, overlay, off=False)
        domain.destroy()
        refused(connection, overlay, off=True)
        said = run(host.uri, "start", "a")
        assert (said.exit_code, f"'holdfast repair a --source vda={overlay}'" in said.stderr) == (3, True)
        operations.repair_domain(connection, "a", sources={"vda": str(overlay)})
        assert str(overlay) in domain.xml(LIVE) and mark_of(overlay) == AFTER
        assert operations.list_snapshots(connection, "a") == []
        domain.destroy()
        operations.start(connection, "a", paused=True)


def test_overlay_is_named_by_repair_while_the_guest_still_runs(host: Host, overlay: Path) -> None:
    with holdfast.connect(host.uri) as connection:
        operations.repair_domain(connection, "a", sources={"vda": str(overlay)})
        operations.reboot(connection, "a", hard=True)
        assert mark_of(overlay) == AFTER
        assert str(overlay) in connection.find_domain("a").xml(LIVE)


def test_user_may_say_that_the_image_below_is_the_newest_and_the_overlay_stays(host: Host, overlay: Path) -> None:
    below = str(host.images / "one.img")
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        domain.destroy()
        repaired = operations.repair_domain(connection, "a", sources={"vda": below}, start=False)
        assert repaired.mended[0].endswith(f"{overlay} stays, and no longer belongs to the disk")
        assert [each for document in read(domain).present.values() for each in facts(document, Snapshotting)] == []
        operations.start(connection, "a", paused=True)
        assert overlay.exists()
        with pytest.raises(HoldfastError):
            operations.create_snapshot(connection, "a", "one", external=True, memory=False)
