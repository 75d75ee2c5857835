"""Commands on one domain wait for each other, in threads and in processes; on two domains they do not."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.errors import Failed
from holdfast.hostfiles import lock
from holdfast.hostfiles.lock import domain_lock, lock_folder
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places

UUID = "00000000-0000-4000-8000-000000000001"


def in_thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_threads_wait_on_one_domain(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    with domain_lock(domain.uuid):
        thread = in_thread(lambda: operations.start(connection, "a", paused=True))
        thread.join(0.5)
        assert domain.state() == "shut off"
    thread.join(60)
    assert domain.state() == "paused"


def test_another_domain_does_not_wait(connection: Connection) -> None:
    held, free = connection.define(domain_xml("held")), connection.define(domain_xml("free"))
    with domain_lock(held.uuid):
        assert operations.start(connection, "free", paused=True).after == "paused"
    assert free.is_active()


def test_attaches_in_parallel_all_end_at_one_place_in_both(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(ports=12))
    domain.start(paused=True)
    disks = [disk_xml(tmp_path, f"d{number}") for number in range(6)]
    threads = [in_thread(lambda disk=disk: operations.attach_device(connection, "a", disk)) for disk in disks]  # type: ignore[misc]
    for thread in threads:
        thread.join(60)
    assert places(domain, LIVE) == places(domain, CONFIG)
    assert {f"vd{letter}" for letter in "abcdef"} < places(domain, LIVE).keys()


def holdfast_process(uri: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "holdfast", "-c", uri, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_a_process_waits_says_so_and_goes_on(daemon_uri: str) -> None:
    with holdfast.connect(daemon_uri) as connection:
        domain = connection.define(domain_xml())
        with domain_lock(domain.uuid):
            process = holdfast_process(daemon_uri, "start", "a", "--paused")
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said == f"waiting for another holdfast command on this domain (process {os.getpid()})\n"
            assert not domain.is_active()
        out, _ = process.communicate(timeout=60)
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
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        assert places(domain, LIVE) == places(domain, CONFIG)
        assert {"vda", "vdb", "vdc", "vdd"} < places(domain, LIVE).keys()
        operations.delete_domain(connection, "a", force=True)


def test_a_killed_process_frees_its_lock(tmp_path: Path) -> None:
    hold = (
        "from holdfast.hostfiles.lock import domain_lock\nimport time\n"
        f"with domain_lock({UUID!r}):\n    print('held', flush=True)\n    time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    process.kill()
    with domain_lock(UUID):
        pass
    process.wait()


def test_no_file_stays_and_whoever_waited_for_it_still_waits_for_the_next(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    count = (
        "from holdfast.hostfiles.lock import domain_lock\nimport pathlib, time\n"
        f"counter = pathlib.Path({str(counter)!r})\n"
        "for _ in range(100):\n"
        f"    with domain_lock({UUID!r}):\n"
        "        number = int(counter.read_text())\n        time.sleep(0.001)\n"
        "        counter.write_text(str(number + 1))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", count]) for _ in range(4)]
    assert [process.wait() for process in processes] == [0] * 4
    assert counter.read_text() == "400"
    assert not (lock_folder() / UUID).exists()


def test_a_full_disk_locks_all_the_same() -> None:
    limited = (
        "from holdfast.hostfiles.lock import domain_lock\nimport resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n"
        f"with domain_lock({UUID!r}):\n    pass\n"
    )
    subprocess.run([sys.executable, "-c", limited], check=True)


def test_an_error_frees_the_lock() -> None:
    with pytest.raises(ZeroDivisionError), domain_lock(UUID):
        _ = 1 / 0
    with domain_lock(UUID):
        pass


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock folder, at a place where others could have been before us."""
    folder = tmp_path / "holdfast"
    monkeypatch.setattr(lock, "lock_folder", lambda: folder)
    return folder


def test_a_folder_of_someone_else_is_refused(shared: Path) -> None:
    shared.mkdir()
    os.chown(shared, 12345, -1)
    with pytest.raises(Failed, match="not a folder of this user alone"), domain_lock(UUID):
        pass


def test_a_folder_that_others_may_write_is_refused(shared: Path) -> None:
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(Failed, match="not a folder of this user alone"), domain_lock(UUID):
        pass


def test_a_link_in_place_of_the_folder_is_refused(shared: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    shared.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failed, match="not a folder of this user alone"), domain_lock(UUID):
        pass


def test_a_link_in_place_of_the_file_is_not_followed(shared: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    shared.mkdir(mode=0o700)
    (shared / UUID).symlink_to(victim)
    with pytest.raises(Failed, match="cannot lock"), domain_lock(UUID):
        pass
    assert victim.read_text() == "precious"


def test_a_place_that_cannot_be_written_is_one_sentence(shared: Path) -> None:
    shared.write_text("")
    with pytest.raises(Failed, match="cannot lock the domain"), domain_lock(UUID):
        pass


def test_each_user_has_a_folder_of_their_own_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_folder() == Path("/run/holdfast")
    user = pwd.getpwnam("daemon")
    monkeypatch.setattr(os, "geteuid", lambda: user.pw_uid)
    for variable in ("HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "RUNTIME_DIRECTORY", "STATE_DIRECTORY", "TMPDIR"):
        monkeypatch.setenv(variable, "/elsewhere")
    assert lock_folder() == Path(user.pw_dir, ".local/state/holdfast/locks")
