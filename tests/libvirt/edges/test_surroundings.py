"""A process that was started with too little: streams, characters, open files, folders, a terminal with no width."""

from __future__ import annotations

import io
import os
import pty
import shlex
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from holdfast.cli.streams import StandardOutput
from holdfast.errors.files import NO_TEMPORARY_FILE
from holdfast.hostfiles.cloud_init import write_seed
from holdfast.hostfiles.images.new_image import new_image_file
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml
from tests.raising import raising

LONG_NAME = "x" * 300
LONG_PATH = "/x" * 2500

Shell = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def shell(daemon: Connection, tmp_path: Path) -> Shell:
    """Runs a line of bash in which HOLDFAST is the command, on the domain "ä"."""
    daemon.define(domain_xml("ä", extra=disk_xml(tmp_path, "ü", "vda")))
    holdfast = f"{sys.executable} -m holdfast -c {shlex.quote(daemon.uri)}"

    def bash(line: str, pass_fds: Sequence[int] = (), **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", line.replace("HOLDFAST", holdfast)],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            pass_fds=pass_fds,
        )

    return bash


def test_reader_that_goes_ends_no_change_and_is_told_by_the_exit_code(daemon: Connection, shell: Shell) -> None:
    result = shell("HOLDFAST set ä --title t | true; echo ${PIPESTATUS[0]}")
    assert (result.stdout, result.stderr) == ("141\n", "")
    assert "<title>t</title>" in daemon.find_domain("ä").xml(CONFIG)


def test_output_that_is_lost_hides_no_trouble(daemon: Connection, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "ü.img").unlink()
    daemon.find_domain("ä").set_autostart(True)
    result = shell("HOLDFAST resume-host >/dev/full")
    assert (result.returncode, "1 of 1 did not start: ä" in result.stderr) == (5, True)


def test_reader_that_is_slow_is_waited_for_where_somebody_made_the_pipe_non_blocking() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)

    def write() -> None:
        with io.BufferedWriter(StandardOutput(writer, "w")) as output:
            output.write(b"x" * 1_000_000)

    writing = threading.Thread(target=write)
    writing.start()
    with os.fdopen(reader, "rb") as read:
        assert len(read.read()) == 1_000_000
    writing.join()


@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-", "2> >(true)"])
def test_error_that_nobody_can_be_told_has_its_exit_code(shell: Shell, stderr: str) -> None:
    result = shell(f"HOLDFAST -v show nosuch {stderr}")
    assert (result.returncode, result.stdout, result.stderr) == (4, "", "")


def test_process_without_any_stream_does_what_it_is_to(daemon: Connection, shell: Shell) -> None:
    assert shell("HOLDFAST set ä --title t <&- >&- 2>&-").returncode == 5
    assert "<title>t</title>" in daemon.find_domain("ä").xml(CONFIG)


def test_closed_standard_input_cannot_be_read(shell: Shell) -> None:
    result = shell("HOLDFAST create --from-xml - <&-")
    assert (result.returncode, result.stderr) == (1, "error: cannot read -: Bad file descriptor\n")
    assert shell("HOLDFAST console ä <&-").returncode == 2


@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"PYTHONIOENCODING": "ascii"}]
)
def test_names_are_utf8_whatever_the_locale_says(
    daemon: Connection, shell: Shell, tmp_path: Path, locale: dict[str, str]
) -> None:
    new = f"path={tmp_path}/é.qcow2,size=1MiB"
    assert shell(f"HOLDFAST disk attach ä {new} && HOLDFAST set ä --title ß", **locale).returncode == 0
    document = daemon.find_domain("ä").xml(CONFIG)
    assert "<title>ß</title>" in document and f"{tmp_path}/é.qcow2" in document
    assert "ä     shut off\n" in shell("HOLDFAST list", **locale).stdout
    assert r'"name": "\u00e4"' in shell("HOLDFAST list -o json", **locale).stdout
    assert shell("HOLDFAST show ñ", **locale).returncode == 4


def test_name_that_is_no_utf8_is_refused(shell: Shell) -> None:
    result = shell(r"HOLDFAST show $'\xff'")
    assert (result.returncode, "is not UTF-8 text" in result.stderr) == (2, True)


def test_so_few_open_files_that_libvirt_would_abort_are_refused_and_a_limit_that_can_be_raised_is(
    shell: Shell,
) -> None:
    for limit in (5, 10, 31):
        result = shell(f"ulimit -n {limit}; HOLDFAST list")
        assert (result.returncode, result.stderr.splitlines()[0]) == (
            1,
            f"error: this process may open only {limit} files, and needs 32",
        )
    assert shell("ulimit -Sn 10; HOLDFAST list").returncode == 0


def test_folder_that_is_gone_and_a_home_that_is_none_stop_nothing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    for command in ("list", "audit", "set ä --title t", "edit ä"):
        line = f"mkdir -p {tmp_path}/gone; cd {tmp_path}/gone; rmdir {tmp_path}/gone; env -u HOME HOLDFAST {command}"
        result = shell(line, EDITOR="true")
        assert (result.returncode in (0, 3), result.stderr) == (True, "")


def test_no_temporary_folder_is_a_sentence(
    daemon: Connection, shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("EDITOR", "true")
    edited = run(daemon.uri, "edit", "ä")
    assert (edited.exit_code, "error: no temporary file can be made" in edited.stderr) == (1, True)
    planned = run(daemon.uri, "set", "ä", "--max-vcpus", "2", "--dry-run")
    assert (planned.exit_code, "not asked of libvirt: no temporary file can be made" in planned.stdout) == (0, True)
    with raising(NO_TEMPORARY_FILE), new_image_file(str(tmp_path / "seed"), "raw") as (_, image):
        write_seed(image, b"#cloud-config\n", instance_id="i", hostname="h")


@pytest.mark.parametrize(
    "words",
    [
        "disk attach ä path={long},size=1MiB,format=raw",
        "disk attach ä path={long},format=raw",
        "disk attach ä path=/x.qcow2,overlay-of={long},source-format=raw",
        "disk move ä vda path={long}",
        "disk swap ä vda path={long},format=raw",
        "rescue ä --image {long} --format raw",
        "create y --memory 64MiB --virt-type qemu --cdrom {long}",
        "create y --memory 64MiB --virt-type qemu --cloud-init {long}",
        "create --from-xml {long}",
        "device attach ä {long}",
        "diff ä {long}",
        "audit --html {long}",
        "set ä --graphics-password {long}",
        "snapshot create ä s --external --no-memory --folder {long}",
    ],
)
def test_name_or_path_that_is_too_long_is_a_sentence(daemon: Connection, tmp_path: Path, words: str) -> None:
    daemon.define(domain_xml("ä", extra=disk_xml(tmp_path, "ü", "vda")))
    for path in (LONG_PATH, f"/{LONG_NAME}", f"/{LONG_NAME}/x"):
        result = run(daemon.uri, *(word.replace("{long}", path) for word in words.split()))
        assert result.exit_code in (1, 2, 3, 4), result.output[:300]
        assert result.stderr.startswith("error: ")
        assert "should not have happened" not in result.stderr


def test_page_has_a_name_as_long_as_a_name_can_be(daemon: Connection, tmp_path: Path) -> None:
    assert run(daemon.uri, "audit", "--html", str(tmp_path / ("x" * 255))).exit_code == 0


@pytest.mark.parametrize("columns", ["0", "1"])
def test_terminal_without_a_width_shows_everything(shell: Shell, columns: str) -> None:
    ours, its = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        with os.fdopen(its, "wb") as terminal:
            line = f"stty cols {columns} rows {columns} <&3; HOLDFAST audit >&3 2>&3; HOLDFAST --help >&3"
            shell(line.replace("&3", f"&{its}"), pass_fds=[its])
            terminal.write(b"\nthe end\n")
        shown = b""
        while b"the end" not in shown:
            shown += screen.read(4096)
    assert b"need attention" in shown or b"needs attention" in shown
    assert b"Usage" in shown and b"Traceback" not in shown
