"""Commands on one domain wait for each other, in threads and in processes; on two domains they do not."""

from __future__ import annotations

import fcntl
import os
import pwd
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.errors.domains import CANNOT_LOCK, LOCK_FILE, LOCK_FOLDER, LOCKED
from holdfast.hostfiles import lock
from holdfast.hostfiles.lock import LockFolder, domain_lock, lock_folder
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places
from tests.libvirt.moments import a_lock_waited_for
from tests.raising import raising

UUID = "00000000-0000-4000-8000-000000000001"


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_threads_wait_on_one_domain(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    with a_lock_waited_for() as waited_for:
        with domain_lock(domain.uuid, domain.name):
            thread = in_thread(lambda: operations.start(connection, "a", paused=True))
            waited_for()
            assert domain.state() == "shut off"
        thread.join()
    assert domain.state() == "paused"


def test_another_domain_does_not_wait(connection: Connection) -> None:
    held, free = connection.define(domain_xml("held")), connection.define(domain_xml("free"))
    with domain_lock(held.uuid, held.name):
        assert operations.start(connection, "free", paused=True).after == "paused"
    assert free.is_active()


def test_attaches_in_parallel_all_end_at_one_place_in_both(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(ports=12))
    domain.start(paused=True)
    disks = [disk_xml(tmp_path, f"d{number}") for number in range(6)]
    threads = [in_thread(lambda disk=disk: operations.attach_device(connection, "a", disk)) for disk in disks]  # type: ignore[misc]
    for thread in threads:
        thread.join()
    assert places(domain, LIVE) == places(domain, CONFIG)
    assert {f"vd{letter}" for letter in "abcdef"} < places(domain, LIVE).keys()


def holdfast_process(uri: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "-c", uri, "--lock-timeout", str(PATIENCE), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_process_waits_says_so_and_goes_on(daemon_uri: str) -> None:
    with holdfast.connect(daemon_uri) as connection:
        domain = connection.define(domain_xml())
        with domain_lock(domain.uuid, domain.name):
            process = holdfast_process(daemon_uri, "start", "a", "--paused")
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said == f"waiting for another Holdfast command on the domain 'a' (process {os.getpid()})\n"
            assert not domain.is_active()
        out, _ = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, "a: started from its config document, paused\n")
        operations.delete_domain(connection, "a", force=True)


def test_processes_attach_to_one_domain_at_one_place_in_both(daemon_uri: str, tmp_path: Path) -> None:
    with holdfast.connect(daemon_uri) as connection:
        domain = connection.define(domain_xml(ports=12))
        domain.start(paused=True)
        specs = []
        for number in range(4):
            disk_xml(tmp_path, f"d{number}")
            specs.append(f"path={tmp_path}/d{number}.img,format=raw")
        processes = [holdfast_process(daemon_uri, "disk", "attach", "a", spec) for spec in specs]
        for process in processes:
            _, errors = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, errors
        assert places(domain, LIVE) == places(domain, CONFIG)
        assert {"vda", "vdb", "vdc", "vdd"} < places(domain, LIVE).keys()
        operations.delete_domain(connection, "a", force=True)


def test_a_killed_process_frees_its_lock(tmp_path: Path) -> None:
    hold = (
        "from holdfast.hostfiles.lock import domain_lock\nimport time\n"
        f"with domain_lock({UUID!r}, 'a'):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        process.kill()
        with domain_lock(UUID, "a"):
            pass


def test_no_file_stays_and_whoever_waited_for_it_still_waits_for_the_next(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    count = (
        "from holdfast.hostfiles.lock import domain_lock\nimport pathlib, time\n"
        f"counter = pathlib.Path({str(counter)!r})\n"
        "for _ in range(100):\n"
        f"    with domain_lock({UUID!r}, 'a', {PATIENCE}):\n"
        "        number = int(counter.read_text())\n        time.sleep(0.001)\n"
        "        counter.write_text(str(number + 1))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", count]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert counter.read_text() == "400"
    assert not (lock_folder().path / UUID).exists()


def test_waiting_never_stops_the_threads_of_an_eventlet_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """flock(2) would wait in the kernel; time.sleep(3) is what eventlet replaces, and lets its other threads run."""
    flock, naps, holder = fcntl.flock, [], ExitStack()

    def no_waiting(file: int, operation: int) -> None:
        assert operation & fcntl.LOCK_NB
        flock(file, operation)

    def nap(seconds: float) -> None:
        naps.append(seconds)
        holder.close()

    holder.enter_context(domain_lock(UUID, "a"))
    monkeypatch.setattr(fcntl, "flock", no_waiting)
    monkeypatch.setattr(time, "sleep", nap)
    with domain_lock(UUID, "a"):
        assert len(naps) == 1


def test_a_full_disk_locks_all_the_same() -> None:
    limited = (
        "from holdfast.hostfiles.lock import domain_lock\nimport resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        f"with domain_lock({UUID!r}, 'a'):\n    pass\n"
    )
    subprocess.run([sys.executable, "-c", limited], check=True)


def test_an_error_frees_the_lock() -> None:
    with pytest.raises(ZeroDivisionError), domain_lock(UUID, "a"):
        _ = 1 / 0
    with domain_lock(UUID, "a"):
        pass


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of one user, at a place where others could have been before us."""
    folder = tmp_path / "holdfast"
    monkeypatch.setattr(lock, "lock_folder", lambda: LockFolder(folder, shared=False))
    return folder


def test_a_folder_of_someone_else_is_refused(own: Path) -> None:
    own.mkdir()
    os.chown(own, 12345, -1)
    with raising(LOCK_FOLDER), domain_lock(UUID, "a"):
        pass


def test_a_folder_that_others_may_write_is_refused(own: Path) -> None:
    own.mkdir()
    own.chmod(0o777)
    with raising(LOCK_FOLDER), domain_lock(UUID, "a"):
        pass


def test_a_link_in_place_of_the_folder_is_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    own.symlink_to(tmp_path / "elsewhere")
    with raising(LOCK_FOLDER), domain_lock(UUID, "a"):
        pass


def test_a_link_in_place_of_the_file_is_not_followed(own: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    own.mkdir(mode=0o700)
    (own / UUID).symlink_to(victim)
    with raising(LOCK_FILE), domain_lock(UUID, "a"):
        pass
    assert victim.read_text() == "precious"


def test_a_place_that_cannot_be_written_is_one_sentence(own: Path) -> None:
    own.write_text("")
    with raising(CANNOT_LOCK), domain_lock(UUID, "a"):
        pass


def test_each_user_has_a_folder_of_their_own_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_folder() == LockFolder(Path("/run/holdfast-root"), shared=False)
    user = pwd.getpwnam("daemon")
    monkeypatch.setattr(os, "geteuid", lambda: user.pw_uid)
    for variable in ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "TMPDIR"):
        monkeypatch.setenv(variable, "/elsewhere")
    assert lock_folder() == LockFolder(Path(user.pw_dir, ".local/state/holdfast/locks"), shared=False)


GROUP, MEMBER, STRANGER = 54321, 12345, 12346
"""The group of the shared folder, the id of a user in it, and of one who is not."""


@pytest.fixture
def set_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is set up for all who are in GROUP, as the package does it."""
    folder = tmp_path / "holdfast"
    folder.mkdir()
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2770)
    for each in (folder.parent, *folder.parents):
        if each.stat().st_mode & 0o001 == 0:
            each.chmod(0o755)
    monkeypatch.setattr(lock, "SHARED", folder)
    return folder


def as_user(user: int, groups: list[int], shared: Path, code: str) -> subprocess.Popen[str]:
    """Run ``code`` as another user, who finds the shared folder at ``shared``."""
    begin = f"from holdfast.hostfiles import lock\nimport pathlib\nlock.SHARED = pathlib.Path({str(shared)!r})\n"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
    command = ["/usr/bin/python3", "-c", begin + code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
        command, user=user, group=user, extra_groups=groups, env=environment, text=True, cwd="/", **pipes
    )


HOLD = f"with lock.domain_lock({UUID!r}, 'a'):\n    print('held', flush=True)\n    input()\n"


def test_root_and_a_user_of_the_group_wait_for_each_other(set_up: Path) -> None:
    holder = as_user(MEMBER, [GROUP], set_up, HOLD)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with raising(LOCKED, holder=f"process {holder.pid}"), domain_lock(UUID, "a", timeout=0):
        pass
    assert holder.communicate("\n")[1] == ""
    with domain_lock(UUID, "a", timeout=0):
        waiting = as_user(MEMBER, [GROUP], set_up, f"with lock.domain_lock({UUID!r}, 'a', timeout=0):\n    pass\n")
        assert f"process {os.getpid()}" in waiting.communicate()[1]


def test_who_is_not_in_the_group_has_a_folder_of_their_own(set_up: Path) -> None:
    stranger = as_user(pwd.getpwnam("daemon").pw_uid, [], set_up, "print(lock.lock_folder().shared)")
    assert stranger.communicate()[0] == "False\n"


@pytest.mark.parametrize("mode", [0o770, 0o2777, 0o2775, 0o2750])
def test_a_folder_that_is_not_set_up_for_one_group_alone_is_nobodys_but_roots(set_up: Path, mode: int) -> None:
    set_up.chmod(mode)
    assert not lock_folder().shared


def test_a_file_that_is_no_lock_is_refused_in_the_shared_folder(set_up: Path, tmp_path: Path) -> None:
    lock_file = set_up / UUID
    (tmp_path / "victim").write_text("precious")
    lock_file.hardlink_to(tmp_path / "victim")
    with raising(LOCK_FILE), domain_lock(UUID, "a"):
        pass
    assert (tmp_path / "victim").read_text() == "precious"
    lock_file.unlink()
    os.mkfifo(lock_file)
    with raising(LOCK_FILE), domain_lock(UUID, "a"):
        pass
    lock_file.unlink()
    lock_file.touch(0o666)
    os.chown(lock_file, STRANGER, STRANGER)
    with raising(LOCK_FILE), domain_lock(UUID, "a"):
        pass


def test_what_a_lock_file_says_of_its_holder_is_shown_and_not_trusted(set_up: Path) -> None:
    lying = HOLD.partition("print")[0] + f"path = lock.SHARED / {UUID!r}\n    path.write_text('\\x1b[2J')\n"
    liar = as_user(MEMBER, [GROUP], set_up, lying + "    print('held', flush=True)\n    input()\n")
    assert liar.stdout is not None
    assert liar.stdout.readline() == "held\n"
    with raising(LOCKED, holder="an unknown process"), domain_lock(UUID, "a", timeout=0):
        pass
    liar.communicate("\n")


def test_an_operation_that_waits_too_long_says_who_holds_the_domain(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml())
    impatient = holdfast.connect(uri, lock_timeout=0)
    with domain_lock(domain.uuid, domain.name), raising(LOCKED, holder=f"process {os.getpid()}") as locked:
        operations.start(impatient, "a")
    assert (locked.value.fields["seconds"], domain.is_active()) == (0, False)


def test_a_command_waits_as_long_as_it_is_told(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml())
    with domain_lock(domain.uuid, domain.name):
        result = run(uri, "--lock-timeout", "0", "start", "a")
    assert (result.exit_code, domain.is_active()) == (1, False)
    assert f"(process {os.getpid()}), and did not finish within 0 s" in result.stderr
    assert "--lock-timeout" in result.stderr
    assert run(uri, "--lock-timeout", "-1", "start", "a").exit_code == 2
    done(uri, "--lock-timeout", "0", "start", "a", "--paused")
