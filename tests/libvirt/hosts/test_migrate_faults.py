"""What ends a migration, or hinders it: one copy of the guest runs then, and the next command brings it there."""

from __future__ import annotations

import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors.hosts import (
    CANNOT_BE_THERE,
    MOVE_TIMED_OUT,
    MOVED_OTHERWISE,
    NOT_MOVED,
    POST_COPY_CRASHES,
    POST_COPY_LOST,
    RUNS_ON_BOTH,
)
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import MoveOptions, MoveStatus
from holdfast_lab.cable import Cable
from holdfast_lab.patience import wait_until
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml, remove_domains
from tests.libvirt.hosts.moving_guest import TRIES, break_off_post_copy, goes_on, is_moving, states, writing_guest
from tests.raising import raising

SLOW = MoveOptions(bandwidth=8)
"""The guest that writes without end does not arrive with it."""


def test_a_guest_that_writes_faster_than_can_be_copied_stays_when_its_time_is_over(
    here: Connection, there: Connection, guest: Domain
) -> None:
    with raising(MOVE_TIMED_OUT, name="a", seconds=2):
        operations.migrate_domain(here, "a", there, options=MoveOptions(bandwidth=8, timeout=2))
    assert states(here, there) == [["running"], []]


def test_auto_converge_slows_a_guest_down_that_writes_faster_than_can_be_copied(
    here: Connection, there: Connection, guest: Domain
) -> None:
    def is_slowed_or_never_is() -> bool:
        job = guest._handle.jobStats(0)
        return "auto_converge_throttle" in job or int(job.get("memory_iteration", 0)) > 20

    words = [sys.executable, "-m", "holdfast", "-c", here.uri, "migrate", "a", there.uri]
    command = subprocess.Popen([*words, "--bandwidth", "8", "--auto-converge"])
    wait_until(is_slowed_or_never_is, "nothing moves")
    assert guest._handle.jobStats(0)["auto_converge_throttle"]
    command.send_signal(signal.SIGINT)
    assert command.wait() == 130
    assert states(here, there) == [["running"], []]


def test_ctrl_c_leaves_the_guest_where_it_is(here: Connection, there: Connection, guest: Domain) -> None:
    def interrupt(now: MoveStatus) -> None:
        if now.rate and now.total > now.remaining > 0:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt) as interrupted:
        operations.migrate_domain(here, "a", there, options=SLOW, progress=interrupt)
    assert interrupted.value.__notes__ == ["the migration was cancelled: a is where it was"]
    assert states(here, there) == [["running"], []]


def test_after_a_kill_the_guest_runs_where_it_was_and_the_next_command_moves_it(
    here: Connection, there: Connection, guest: Domain
) -> None:
    words = [sys.executable, "-m", "holdfast", "-c", here.uri, "migrate", "a", there.uri, "--bandwidth", "8"]
    command = subprocess.Popen(words)
    wait_until(lambda: is_moving(guest), "nothing moves")
    command.kill()
    command.wait()
    wait_until(lambda: states(here, there) == [["running"], []], "two copies")
    assert done(here.uri, "migrate", "a", there.uri).startswith(f"a: is moved to {there.uri} while it runs")
    assert states(here, there) == [[], ["running"]]


def test_certificates_that_are_missing_stop_an_encrypted_migration_before_it_begins(
    here: Connection, there: Connection, guest: Domain
) -> None:
    with raising(NOT_MOVED, name="a", state="running"):
        operations.migrate_domain(here, "a", there, options=MoveOptions(tls=True))
    assert states(here, there) == [["running"], []]


def certificates(folder: Path, address: str) -> None:
    """What QEMU needs for TLS in ``folder``, by an authority in the one above it, for a server at ``address``."""
    folder.mkdir(exist_ok=True)
    authority = folder.parent / "ca"

    def openssl(*words: object) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)

    key: tuple[str, ...] = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    if not authority.with_suffix(".pem").exists():
        constraints = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        names = ("-subj", "/CN=lab", "-keyout", f"{authority}.key", "-out", f"{authority}.pem")
        openssl("req", "-x509", *key, *names, *constraints)
    shutil.copy(f"{authority}.pem", folder / "ca-cert.pem")
    for role in ("server", "client"):
        own = ("-subj", "/CN=host", "-addext", f"subjectAltName=IP:{address}")
        signed = ("-CA", f"{authority}.pem", "-CAkey", f"{authority}.key")
        files = ("-keyout", folder / f"{role}-key.pem", "-out", folder / f"{role}-cert.pem")
        openssl("req", "-x509", *key, *own, *signed, *files, "-addext", "basicConstraints=CA:FALSE")


def test_an_encrypted_migration_goes_only_to_a_host_with_a_certificate_of_its_own(cable: Cable, tmp_path: Path) -> None:
    for host in cable.hosts:
        settings = host.folder / "etc" / "qemu.conf"
        settings.write_text(f'{settings.read_text()}migrate_tls_x509_cert_dir = "{tmp_path}/{host.name}"\n')
        certificates(tmp_path / host.name, "203.0.113.77")
        host.restart()
    with open_connection(cable.hosts[0].uri) as here, open_connection(cable.hosts[1].uri) as there:
        here.define(writing_guest(tmp_path))
        operations.start(here, "a")
        with raising(NOT_MOVED, name="a", state="running"):
            operations.migrate_domain(here, "a", there, options=MoveOptions(tls=True))
        assert states(here, there) == [["running"], []]
        certificates(tmp_path / "rock", "203.0.113.2")
        operations.migrate_domain(here, "a", there, options=MoveOptions(tls=True))
        assert states(here, there) == [[], ["running"]]
        remove_domains(there)


def test_a_post_copy_that_broke_off_is_gone_on_with_by_the_next_command(
    here: Connection, there: Connection, guest: Domain
) -> None:
    break_off_post_copy(here, guest, there)
    if migration.crashes_on_resume(there):
        with raising(POST_COPY_CRASHES, name="a", uri=there.uri):
            operations.migrate_domain(here, "a", there)
        assert states(here, there) == [["paused"], ["running"]]
    else:
        wait_until(lambda: goes_on(here, there), "it never goes on")
        assert states(here, there) == [[], ["running"]]


def test_a_guest_whose_other_half_is_lost_in_a_post_copy_is_said_to_be_lost(
    here: Connection, there: Connection, guest: Domain
) -> None:
    break_off_post_copy(here, guest, there)
    there.find_domain("a").destroy()
    audit = run(here.uri, "audit")
    assert "a post-copy of it broke off" in " ".join(audit.stdout.split())
    lost = run(here.uri, "migrate", "a", there.uri)
    assert (lost.exit_code, POST_COPY_LOST.kind.exit_code) == (5, 5)
    assert "'holdfast destroy a', then 'holdfast start a'" in lost.stderr
    assert states(here, there)[0] == ["paused"]
    done(here.uri, "destroy", "a")
    done(here.uri, "start", "a")
    assert "post-copy" not in run(here.uri, "audit").stdout


def test_a_host_without_memory_for_it_is_no_place_to_go(cable: Cable, here: Connection, there: Connection) -> None:
    """Every QEMU that libvirtd starts there has a limit, as on a host that is full."""
    here.define(domain_xml().replace("'MiB'>64<", "'MiB'>4096<"))
    operations.start(here, "a")
    (libvirtd,) = [
        int(pid)
        for pid in Path(f"/proc/{cable.hosts[1].inside}/task/{cable.hosts[1].inside}/children").read_text().split()
        if "libvirtd" in Path(f"/proc/{pid}/cmdline").read_text()
    ]
    before = resource.prlimit(libvirtd, resource.RLIMIT_DATA, (3 << 30, resource.RLIM_INFINITY))
    try:
        with raising(NOT_MOVED, CANNOT_BE_THERE, name="a"):
            operations.migrate_domain(here, "a", there)
    finally:
        resource.prlimit(libvirtd, resource.RLIMIT_DATA, before)
    assert states(here, there) == [["running"], []]


def test_a_guest_that_runs_on_both_hosts_is_told_and_left_alone(
    here: Connection, there: Connection, guest: Domain
) -> None:
    there.define(guest.xml(CONFIG)).start(paused=True)
    with raising(RUNS_ON_BOTH, name="a", uri=there.uri):
        operations.migrate_domain(here, "a", there)
    assert states(here, there) == [["running"], ["paused"]]


def test_a_document_that_a_move_left_goes_once_the_guest_is_seen_to_run_there_as_it_was(
    here: Connection, there: Connection, guest: Domain
) -> None:
    config = guest.xml(CONFIG)
    operations.migrate_domain(here, "a", there)
    left = here.define(config.replace("<memballoon model='virtio'>", "<memballoon model='none'>"))
    with raising(MOVED_OTHERWISE, name="a"):
        operations.migrate_domain(here, "a", there)
    assert states(here, there) == [["shut off"], ["running"]]
    left.undefine()
    here.define(config)
    finished = operations.migrate_domain(here, "a", there)
    assert finished.notes[0].startswith("its guest was there already")
    assert states(here, there) == [[], ["running"]]


def test_a_guest_whose_cable_is_pulled_stays_when_its_time_is_over_and_moves_once_it_is_back(
    cable: Cable, here: Connection, there: Connection, guest: Domain
) -> None:
    def pull(status: MoveStatus) -> None:
        if status.rate:
            cable.pull()

    try:
        with raising(MOVE_TIMED_OUT, name="a"):
            operations.migrate_domain(here, "a", there, options=MoveOptions(bandwidth=8, timeout=2), progress=pull)
        assert states(here, there) == [["running"], []]
    finally:
        cable.plug()
    operations.migrate_domain(here, "a", there)
    assert states(here, there) == [[], ["running"]]


def test_ctrl_c_in_a_post_copy_comes_too_late_and_the_guest_gets_all_its_memory(
    here: Connection, there: Connection, guest: Domain
) -> None:
    sent: list[MoveStatus] = []

    def interrupt(now: MoveStatus) -> None:
        if guest.state() == "paused":
            sent.append(now)
            signal.raise_signal(signal.SIGINT)

    options = MoveOptions(post_copy=True, bandwidth=4)
    for _ in range(TRIES):  # it can be over before anybody looks
        moved = operations.migrate_domain(here, "a", there, options=options, progress=interrupt)
        if sent:
            break
        operations.migrate_domain(there, "a", here)
    assert any(note.startswith("it was too late to cancel it") for note in moved.notes)
    assert states(here, there) == [[], ["running"]]
