"""libvirtd dies while a disk goes over to its copy: it forgets that the guest did, or forgets the whole QEMU (9.0).

What the guest wrote since must stay, and no second QEMU may run on what it had before.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.disk import source_of, stated_format
from holdfast.errors import HoldfastError, disks, domains, images, power
from holdfast.errors.changes import CHANGED_AND_THEN
from holdfast.hostfiles.image_lock import holders
from holdfast.libvirtapi import block
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import Place
from holdfast_lab.daemon import Host
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.images import mark_of, qcow2, qcow2_disk
from tests.libvirt.monitor import monitor
from tests.libvirt.processes import crash, kill
from tests.libvirt.unwritable import unwritable
from tests.raising import raising

AFTER = 7
"""What the guest writes once it has gone over."""


def adopted(connection: Connection, folder: Path) -> Domain:
    """A running domain that Holdfast keeps records of, with vda on one.qcow2."""
    image = qcow2(folder, "one", mark=1)
    domain = connection.define(domain_xml(extra=qcow2_disk(image, "vda", "<alias name='ua-one'/>")))
    operations.adopt_domain(connection, "a")
    operations.start(connection, "a", paused=True)
    return domain


def pivoted_by_qemu(host: Host) -> None:
    """libvirtd dies once it has asked QEMU to go over to the copy; the guest goes on there, and writes."""
    host.kill()
    with monitor(host) as qemu:
        (job,) = qemu.ask("query-block-jobs")
        qemu.ask("job-complete", id=job["device"])
        qemu.until("BLOCK_JOB_COMPLETED")
        qemu.write("/machine/peripheral/ua-one/virtio-backend", AFTER)


def pivot_without_end(host: Host) -> None:
    """The same, and libvirtd has written down that it asked: it waits for ever (9.0)."""
    pivoted_by_qemu(host)
    rewrite_state(host, "ready='yes'", "ready='pivot'")


def forgotten(host: Host) -> None:
    """The same, and the state of the domain that libvirtd has just written is one that it cannot read (9.0)."""
    pivoted_by_qemu(host)
    rewrite_state(host, "job='copy'", "job=''")


def rewrite_state(host: Host, old: str, new: str) -> None:
    """Change what libvirtd will read of the running domain."""
    state = host.folder / "run" / "libvirt" / "qemu" / "a.xml"
    text = state.read_text()
    assert old in text
    state.write_text(text.replace(old, new))


@contextmanager
def at_the_pivot(deed: Callable[[], object]) -> Iterator[None]:
    """Inside, ``deed`` is done right before libvirt is asked to let a disk go over to its copy."""
    real = block.pivot

    def pivot(*arguments: object) -> None:
        deed()
        real(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block, "pivot", pivot)
        yield


def move_cut_off(host: Host, folder: Path, cut_off: Callable[[Host], None]) -> Path:
    """Move the disk until libvirtd dies; returns where to."""
    new = folder / "new.qcow2"
    with holdfast.connect(host.uri) as connection:
        adopted(connection, folder)

        def deed() -> None:
            cut_off(host)
            host.start()

        with at_the_pivot(deed), raising(disks.LIBVIRT_GONE_WHILE_COPIED):
            operations.move_disk(connection, "a", "vda", Place(path=str(new)), delete_source=True)
    return new


def crashed(domain: Domain) -> None:
    """End the QEMU of a domain, once libvirtd has found it again."""
    wait_until(lambda: block.copy_progress(domain, "vda") is None, "libvirtd does not see that copying has ended")
    crash(domain)


def refused(connection: Connection, condition: object) -> None:
    """All that would remove one of the images, or start a QEMU on one of them, refuses alike."""
    for deed in (
        lambda: operations.move_disk(connection, "a", "vda"),
        lambda: operations.abort_move(connection, "a", "vda"),
        lambda: operations.start(connection, "a"),
        lambda: operations.reboot(connection, "a", hard=True),
    ):
        try:
            deed()
        except HoldfastError as error:
            if error.condition not in (power.ALREADY_RUNNING_PAUSED, domains.NOT_RUNNING):
                assert error.condition is condition, error
        else:
            pytest.fail("it was done")


def settled(connection: Connection, domain: Domain, new: Path) -> None:
    """The user says which image is the newest, and the guest has it again with what it wrote last."""
    shown = run(connection.uri, "start", "a")
    assert (shown.exit_code, f"'holdfast repair a --source vda={new}'" in shown.stderr) == (3, True)
    assert f"{new}: " in shown.stderr, "it is told when each was written last"
    (failed,) = operations.resume_host(connection)
    assert failed.error is not None and failed.error.condition is disks.NEWEST_UNKNOWN
    assert operations.repair_domain(connection, "a", sources={"vda": str(new)}).started
    assert str(new) in domain.xml(LIVE) and mark_of(new) == AFTER
    assert operations.move_disk(connection, "a", "vda").removed == str(new.with_name("one.qcow2"))
    assert operations.show_domain(connection, "a").unfinished == ()


@pytest.mark.parametrize("cut_off", [pivoted_by_qemu, pivot_without_end])
def test_move_of_which_libvirt_forgot_the_end_is_neither_repeated_nor_started_over(
    host: Host, folder: Path, cut_off: Callable[[Host], None]
) -> None:
    new = move_cut_off(host, folder, cut_off)
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        wait_until(lambda: block.copy_progress(domain, "vda") is None, "libvirtd does not see that copying has ended")
        assert f"<source file='{new}'" not in domain.xml(LIVE).partition("<mirror")[0], "libvirt knows better"
        refused(connection, disks.NEWEST_UNKNOWN)
        (audited,) = operations.audit_host(connection).domains
        assert "is switching from" in " ".join(each.sentence for each in audited.findings if each.kind == "unfinished")
        crashed(domain)
        refused(connection, disks.NEWEST_UNKNOWN)
        settled(connection, domain, new)


def test_domain_whose_qemu_libvirt_forgot_is_not_started_twice_and_its_images_stay(host: Host, folder: Path) -> None:
    new = move_cut_off(host, folder, forgotten)
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        assert not domain.is_active()
        refused(connection, power.QEMU_FORGOTTEN)
        with raising(power.QEMU_FORGOTTEN) as error:
            operations.delete_domain(connection, "a", storage=True)
        pid = error.value.fields["pid"]
        assert domain.uuid in Path(f"/proc/{pid}/cmdline").read_text()
        assert f"'kill {pid}'" in run(host.uri, "start", "a").stderr
        assert new.exists() and (folder / "one.qcow2").exists()
        kill(domain.uuid)
        wait_until(lambda: not Path(f"/proc/{pid}").exists(), "it outlives SIGKILL")
        refused(connection, disks.NEWEST_UNKNOWN)
        settled(connection, domain, new)


def test_user_may_say_that_the_old_image_is_the_newest(host: Host, folder: Path) -> None:
    move_cut_off(host, folder, pivoted_by_qemu)
    with holdfast.connect(host.uri) as connection:
        crashed(connection.find_domain("a"))
        operations.repair_domain(connection, "a", sources={"vda": str(folder / "one.qcow2")}, start=False)
        assert operations.abort_move(connection, "a", "vda").removed == str(folder / "new.qcow2")
        assert operations.start(connection, "a", paused=True).after == "paused"


def test_hard_reboot_does_not_switch_off_a_qemu_that_writes_to_another_image_than_libvirt_knows(
    host: Host, folder: Path
) -> None:
    """A copy that others began: nothing is recorded of it."""
    new = qcow2(folder, "new")
    with holdfast.connect(host.uri) as connection:
        domain = adopted(connection, folder)
        wanted = f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{new}'/></disk>"
        block.start_block_copy(domain, "vda", wanted)
        wait_until(lambda: "ready='yes'" in domain.xml(LIVE), "the copy is not ready")
        pivoted_by_qemu(host)
    host.start()
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        wait_until(lambda: "<mirror" not in domain.xml(LIVE), "libvirtd does not see that copying has ended")
        with raising(disks.WRITTEN_ELSEWHERE, others=new):
            operations.reboot(connection, "a", hard=True)
        assert domain.is_active()
        operations.repair_domain(connection, "a", sources={"vda": str(new)})
        operations.reboot(connection, "a", hard=True)
        assert mark_of(new) == AFTER


@pytest.mark.parametrize("moment", [0, 0.002, 0.01, 0.03, 0.06, 0.1])
def test_libvirtd_killed_at_any_moment_of_a_pivot_loses_nothing(host: Host, folder: Path, moment: float) -> None:
    new = folder / "new.qcow2"

    def die() -> None:
        time.sleep(moment)
        host.restart()

    dying = threading.Thread(target=die)
    with holdfast.connect(host.uri) as connection:
        domain = adopted(connection, folder)
        uuid = domain.uuid
        try:
            with at_the_pivot(dying.start):
                operations.move_disk(connection, "a", "vda", Place(path=str(new)))
        except HoldfastError as error:
            assert error.exit_code == 5, error
        dying.join()
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        with suppress(HoldfastError):
            block.copy_progress(domain, "vda")  # waits until libvirtd has found its QEMU again, if it does
        try:
            operations.move_disk(connection, "a", "vda")
        except HoldfastError as error:
            if error.condition is not disks.NO_PLACE_TO_MOVE_TO:  # it was done the first time
                assert error.condition in (disks.NEWEST_UNKNOWN, power.QEMU_FORGOTTEN), error
                for fd in (each for pid in qemus(uuid) for each in Path(f"/proc/{pid}/fd").iterdir()):
                    assert not str(fd.readlink()).endswith("qcow2 (deleted)")
                if domain.is_active():
                    domain.destroy()
                else:
                    kill(uuid)
                wait_until(lambda: not qemus(uuid), "it outlives SIGKILL")
                with raising(disks.NEWEST_UNKNOWN):
                    operations.start(connection, "a")
                operations.repair_domain(connection, "a", sources={"vda": str(new)})
        assert str(new) in connection.find_domain("a").xml(LIVE) and mark_of(new) == 1
        assert len(qemus(uuid)) == 1


def qemus(uuid: str) -> list[int]:
    """The QEMUs of a domain, known to its libvirt or not."""
    found = subprocess.run(["pgrep", "-f", f"qemu-system.*-uuid {uuid}"], capture_output=True, text=True)
    return list(map(int, found.stdout.split()))


@contextmanager
def opened(image: Path) -> Iterator[int]:
    """An image that somebody else writes to."""
    socket = image.with_suffix(".sock")
    with subprocess.Popen(["qemu-nbd", "-t", "-f", "qcow2", "-k", str(socket), str(image)]) as process:
        try:
            wait_until(lambda: process.pid in holders(str(image)), "qemu-nbd does not open the image")
            yield process.pid
        finally:
            process.terminate()


def test_image_that_somebody_has_open_is_neither_started_from_nor_removed(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    image = qcow2(tmp_path, "one")
    domain = connection.define(domain_xml(extra=qcow2_disk(image)))
    with opened(image) as pid:
        with raising(images.IMAGE_OPEN, path=image, who=f"process {pid} (qemu-nbd)"):
            operations.start(connection, "a")
        plan = operations.plan_reboot(connection, "a")
        assert f"process {pid}" in " ".join(map(str, plan.outlooks))
        result = run(uri, "delete", "--storage", "a")
        assert (result.exit_code, f"process {pid} (qemu-nbd)" in result.stderr) == (3, True)
    assert image.exists() and domain.is_persistent()
    operations.start(connection, "a", paused=True)
    assert run(uri, "delete", "--storage", "--force", "a").exit_code == 0
    assert not image.exists()


@pytest.mark.parametrize("is_seen", [True, False], ids=["repeated at once", "repeated by the next libvirtd"])
def test_a_copy_that_libvirt_could_not_write_to_config_is_in_config_once_the_move_is_repeated(
    host: Host, folder: Path, is_seen: bool
) -> None:
    (first,) = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()
    new = folder / "new.img"
    with ExitStack() as until_mended:
        locked = unwritable(Path("/etc/libvirt/qemu"), "read-only", "nsenter", "--mount", "--target", first)
        with holdfast.connect(host.uri) as connection:
            adopted(connection, folder)
            with at_the_pivot(lambda: until_mended.enter_context(locked)), raising(CHANGED_AND_THEN):
                operations.move_disk(connection, "a", "vda", Place(path=str(new), format="raw"), delete_source=is_seen)
        if not is_seen:
            host.restart()
    with holdfast.connect(host.uri) as connection:
        assert operations.move_disk(connection, "a", "vda").before == str(folder / "one.qcow2")
    host.restart()
    with holdfast.connect(host.uri) as connection:
        domain = connection.find_domain("a")
        for definition in (LIVE, CONFIG):
            found = parse(domain.xml(definition)).find("devices/disk")
            assert found is not None and (source_of(found), stated_format(found)) == (str(new), "raw"), definition
        assert (folder / "one.qcow2").exists() != is_seen
        operations.destroy(connection, "a")
        operations.start(connection, "a", paused=True)


@pytest.mark.parametrize("is_seen", [True, False], ids=["repeated at once", "repeated by the next libvirtd"])
def test_a_swap_that_libvirt_could_not_write_to_config_is_there_once_it_is_repeated(
    host: Host, folder: Path, is_seen: bool
) -> None:
    (first,) = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()
    new = operations.DiskSpec(path=str(qcow2(folder, "new")), format="qcow2")
    with ExitStack() as until_mended:
        locked = unwritable(Path("/etc/libvirt/qemu"), "read-only", "nsenter", "--mount", "--target", first)
        with holdfast.connect(host.uri) as connection:
            adopted(connection, folder)
            with at_the_pivot(lambda: until_mended.enter_context(locked)), raising(CHANGED_AND_THEN):
                operations.swap_disk(connection, "a", "vda", new, copy_content=True)
        if not is_seen:
            host.restart()
            with holdfast.connect(host.uri) as connection, raising(disks.NEWEST_UNKNOWN):
                operations.reboot(connection, "a", hard=True)
    with holdfast.connect(host.uri) as connection:
        operations.swap_disk(connection, "a", "vda", new, copy_content=True)
    host.restart()
    with holdfast.connect(host.uri) as connection:
        assert f"<source file='{new.path}'" in connection.find_domain("a").xml(CONFIG)
        assert operations.show_domain(connection, "a").unfinished == ()
        operations.reboot(connection, "a", hard=True)
