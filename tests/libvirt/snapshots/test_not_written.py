"""libvirt lets a guest go over to overlays, and cannot write to disk that config names them.

When its daemon starts anew, config names the images below. The guest is never started on those.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.disk import source_of
from holdfast.errors import LibvirtRefused
from holdfast.errors.disks import GUEST_HAS_NEWER, OVERLAY_IS_NEWER
from holdfast.libvirtapi import block
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast_lab.daemon import Host
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.images import mark_of, qcow2, qcow2_disk
from tests.libvirt.monitor import monitor
from tests.libvirt.processes import crash
from tests.libvirt.unwritable import WAYS, unwritable
from tests.raising import raising

AFTER = 7
"""What the guest writes into its overlay."""

KINDS = {"disks": ["--external", "--no-memory"], "memory": ["--external"], "internal": []}
"""The options of each kind of snapshot."""


@pytest.fixture
def below(host: Host, folder: Path) -> Path:
    """The image of the domain "a", which Holdfast keeps records of."""
    image = qcow2(folder, "one", mark=1)
    with holdfast.connect(host.uri) as connection:
        connection.define(domain_xml(extra=qcow2_disk(image, "vda", "<alias name='ua-one'/>")))
        operations.adopt_domain(connection, "a")
    return image


@contextmanager
def unwritable_once_it_is_made(host: Host, way: str) -> Iterator[None]:
    """Inside, libvirt cannot write config any more from when it is asked for a snapshot."""
    (first,) = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()
    locked = unwritable(Path("/etc/libvirt/qemu"), way, "nsenter", "--mount", "--target", first)
    real, entered = libvirt_snapshot.make_snapshot, False

    def make(*arguments: object, **more: object) -> None:
        nonlocal entered
        locked.__enter__()
        entered = True
        real(*arguments, **more)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(libvirt_snapshot, "make_snapshot", make)
        try:
            yield
        finally:
            if entered:
                locked.__exit__(None, None, None)


def image(domain: Domain, definition: Definition) -> str | None:
    """The image of vda."""
    found = parse(domain.xml(definition)).find("devices/disk")
    assert found is not None
    return source_of(found)


def unfinished(connection: Connection) -> list[str]:
    """What the audit says is not finished."""
    (audited,) = operations.audit_host(connection).domains
    return [each.sentence for each in audited.findings if each.kind == "unfinished"]


def written_by_the_guest(host: Host) -> None:
    """libvirtd starts anew; the guest has written meanwhile."""
    host.kill()
    with monitor(host) as qemu:
        qemu.write("/machine/peripheral/ua-one/virtio-backend", AFTER)
    restarted(host)


def restarted(host: Host) -> None:
    """libvirtd starts anew, and has found the QEMU of "a" again."""
    host.restart()
    with holdfast.connect(host.uri) as connection:
        block.copy_progress(connection.find_domain("a"), "vda")


@pytest.mark.parametrize("kind", ["disks", "memory"])
@pytest.mark.parametrize("way", WAYS)
def test_guest_never_starts_on_the_image_below_an_overlay_that_libvirt_could_not_write_to_config(
    host: Host, below: Path, way: str, kind: str
) -> None:
    overlay, options = below.parent / "a-vda.one.qcow2", KINDS[kind]
    hinted = f"'holdfast repair a --source vda={overlay}'"
    with holdfast.connect(host.uri) as connection:
        operations.start(connection, "a", paused=kind == "disks")
    with unwritable_once_it_is_made(host, way):
        result = run(host.uri, "snapshot", "create", "a", "one", *options)
        assert (result.exit_code, f"'holdfast repair a' with --source vda={overlay}" in result.stderr) == (5, True)
        assert (
            f"the snapshot 'one' was not made, but the guest of 'a' writes to its overlays (vda={overlay})"
            in result.stderr
        )
        again = run(host.uri, "snapshot", "delete", "a", "one")
        assert (again.exit_code, hinted in again.stderr) == (3, True), again.stderr
        assert not list(below.parent.glob("*.save"))
        with holdfast.connect(host.uri) as connection:
            assert connection.find_domain("a").snapshot_count() == 0
            assert unfinished(connection) == ["the snapshot 'one' is being made, or was interrupted"]
        written_by_the_guest(host)
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        assert (image(domain, LIVE), image(domain, CONFIG)) == (str(overlay), str(below))
        medium = operations.DiskSpec(path=str(qcow2(below.parent, "medium")), format="qcow2")
        for deed in (
            lambda: operations.reboot(connection, "a", hard=True),
            lambda: operations.rescue(connection, "a", medium, force=True),
            lambda: operations.create_snapshot(connection, "a", "one", external=True, memory=False),
        ):
            with raising(OVERLAY_IS_NEWER, overlay=overlay, image=below):
                deed()
        crash(domain)
        with raising(OVERLAY_IS_NEWER, overlay=overlay, image=below):
            operations.start(connection, "a")
        (resumed,) = operations.resume_host(connection)
        assert resumed.error is not None and resumed.error.condition is OVERLAY_IS_NEWER
        operations.repair_domain(connection, "a", sources={"vda": str(overlay)})
        assert (image(domain, LIVE), mark_of(overlay), mark_of(below)) == (str(overlay), AFTER, 1)
        assert unfinished(connection) == []
    restarted(host)
    with holdfast.connect(host.uri) as connection:
        assert image(connection.find_domain("a"), CONFIG) == str(overlay)


@pytest.mark.parametrize("is_seen", [True, False], ids=["at once", "after libvirtd has started anew"])
def test_repair_of_the_running_guest_writes_the_overlay_to_config(host: Host, below: Path, is_seen: bool) -> None:
    overlay = below.parent / "a-vda.one.qcow2"
    done(host.uri, "start", "a", "--paused")
    with unwritable_once_it_is_made(host, "read-only"):
        assert run(host.uri, "snapshot", "create", "a", "one", *KINDS["disks"]).exit_code == 5
    if not is_seen:
        restarted(host)
    done(host.uri, "repair", "a", "--source", f"vda={overlay}")
    restarted(host)
    with holdfast.connect(host.uri) as connection:
        assert image(connection.find_domain("a"), CONFIG) == str(overlay)
        assert unfinished(connection) == []
        operations.reboot(connection, "a", hard=True)
        assert image(connection.find_domain("a"), LIVE) == str(overlay)


@pytest.mark.parametrize("is_seen", [True, False], ids=["at once", "after libvirtd has started anew"])
def test_domain_that_is_off_has_its_image_back_where_libvirt_has_removed_the_overlay_again(
    host: Host, below: Path, is_seen: bool
) -> None:
    with unwritable_once_it_is_made(host, "read-only"):
        result = run(host.uri, "snapshot", "create", "a", "one", "--external")
        assert (result.exit_code, "libvirt has removed its overlays again" in result.stderr) == (5, True)
        assert f"'holdfast repair a --no-start' with --source vda={below}" in result.stderr
    assert not (below.parent / "a-vda.one.qcow2").exists()
    if is_seen:
        for command in (["start", "a"], ["snapshot", "create", "a", "one", "--external"]):
            refused = run(host.uri, *command)
            assert (refused.exit_code, "an image of the domain" in refused.stderr) == (3, True), refused.stderr
        done(host.uri, "repair", "a", "--no-start", "--source", f"vda={below}")
        with holdfast.connect(host.uri) as connection:
            assert unfinished(connection) == []
    host.restart()
    with holdfast.connect(host.uri) as connection:
        operations.create_snapshot(connection, "a", "one", external=True)
        assert unfinished(connection) == []
        operations.start(connection, "a", paused=True)


def test_hard_reboot_refuses_the_image_below_where_others_made_the_overlay(host: Host, below: Path) -> None:
    """Nothing is recorded of that."""
    overlay = below.with_name("one.two")
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        domain.start(paused=True)
        with unwritable_once_it_is_made(host, "read-only"), pytest.raises(LibvirtRefused):
            libvirt_snapshot.make_snapshot(domain, "<domainsnapshot><name>two</name></domainsnapshot>", disk_only=True)
    written_by_the_guest(host)
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        refused = run(host.uri, "reboot", "--hard", "a")
        assert (refused.exit_code, f"'holdfast repair a --source vda={overlay}'" in refused.stderr) == (3, True)
        with raising(GUEST_HAS_NEWER, overlay=overlay, image=below):
            operations.reboot(connection, "a", hard=True)
        assert any(str(below) in str(outlook) for outlook in operations.plan_reboot(connection, "a").outlooks)
        operations.repair_domain(connection, "a", sources={"vda": str(overlay)})
        operations.reboot(connection, "a", hard=True)
        assert (image(domain, LIVE), mark_of(overlay)) == (str(overlay), AFTER)


@pytest.mark.parametrize("runs", [True, False], ids=["running", "off"])
def test_an_internal_snapshot_whose_record_cannot_be_settled_is_told_as_made(
    host: Host, below: Path, runs: bool
) -> None:
    if runs:
        done(host.uri, "start", "a", "--paused")
    with unwritable_once_it_is_made(host, "read-only"):
        result = run(host.uri, "snapshot", "create", "a", "one")
        assert (result.exit_code, "its snapshot one is made" in result.stderr) == (5, True), result.stderr
    done(host.uri, "snapshot", "create", "a", "one")
    with holdfast.connect(host.uri) as connection:
        assert unfinished(connection) == []
    done(host.uri, "snapshot", "delete", "a", "one")
