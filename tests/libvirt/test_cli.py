"""The command line as a whole: options, exit codes, completion; never a traceback unless it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.main import COMMANDS, holdfast
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running

ALL = [command for section in COMMANDS.values() for command in section]


def process(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """``holdfast args`` as a process of its own, against libvirt's test driver unless said otherwise."""
    return subprocess.run(
        [sys.executable, "-m", "holdfast", *args],
        env={**os.environ, "LIBVIRT_DEFAULT_URI": "test:///default", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )


def test_help_names_every_command_and_exit_code() -> None:
    out = process("--help").stdout
    for command in ALL:
        assert f"\n  {command} " in out
    for code in ("0 done", "1 failed", "2 usage", "3 difference", "4 not found", "5 partly done", "6 no connection"):
        assert code in " ".join(out.split())


@pytest.mark.parametrize("command", ALL)
def test_every_command_has_help_that_says_what_it_does(command: str) -> None:
    result = CliRunner().invoke(holdfast, [command, "--help"])
    assert result.exit_code == 0
    assert len(result.output.splitlines()[2]) > 10


def test_the_default_uri_is_libvirts_own() -> None:
    assert process("list", "--names").stdout == "test\n"
    assert process("-c", "test:///default", "list", "--names", LIBVIRT_DEFAULT_URI="nonsense:///").stdout == "test\n"


def test_no_connection_is_6() -> None:
    result = process("-c", "qemu+unix:///system?socket=/nosuch", "list")
    assert (result.returncode, result.stdout) == (6, "")
    assert result.stderr.startswith("error: cannot connect to qemu+unix:///system?socket=/nosuch: ")
    assert "hint: " in result.stderr


@pytest.mark.parametrize(
    "args", [["nosuch"], ["list", "--nosuch"], ["start"], ["list", "-o", "yaml"], ["shutdown", "a", "--timeout", "-1"]]
)
def test_usage_is_2_with_the_way_to_help(args: list[str]) -> None:
    result = process(*args)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--help" in result.stderr


def test_not_found_is_4() -> None:
    result = process("start", "nosuch")
    assert result.returncode == 4
    assert result.stderr == (
        "error: there is no domain 'nosuch' at test:///default\n"
        "hint: 'holdfast list' shows all domains; 'holdfast history restore NAME' brings a deleted one back\n"
    )


def broken(*args: str) -> Result:
    """Run ``list`` where the operation has a defect."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "domain_states", lambda *_: [][1])
        return CliRunner().invoke(holdfast, ["-c", "test:///default", *args, "list"])


def test_a_defect_is_one_sentence_and_with_v_the_traceback() -> None:
    plain, verbose = broken(), broken("-v")
    assert plain.exit_code == verbose.exit_code == 1
    assert "this should not have happened: IndexError" in plain.stderr
    assert "hint: run with -v" in plain.stderr
    assert "Traceback" not in plain.stderr
    assert "Traceback" in verbose.stderr


def test_ctrl_c_is_130() -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "domain_states", interrupted)
        result = CliRunner().invoke(holdfast, ["-c", "test:///default", "list"])
    assert result.exit_code == 130
    assert "Traceback" not in result.output


def test_a_reader_that_has_gone_is_quiet() -> None:
    command = f"{sys.executable} -m holdfast -c test:///default list | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout in ("141\n", "0\n")


def test_verbose_names_the_libvirt_calls_and_shows_no_document(connection: Connection) -> None:
    result = process("-v", "list")
    assert "Connection.domain_states" in result.stderr


def test_xml_is_what_libvirt_has(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml(extra="<graphics type='vnc' passwd='secret'/>"))
    assert done(uri, "xml", "a") == domain.xml(CONFIG)
    assert "secret" not in done(uri, "xml", "a")
    assert "secret" in done(uri, "xml", "a", "--security-info")
    refused = run(uri, "xml", "a", "--live")
    assert refused.exit_code == 1
    assert "is not running" in refused.stderr
    domain.start(paused=True)
    assert done(uri, "xml", "a", "--live") == domain.xml(LIVE)
    denied = run(uri, "-r", "xml", "a", "--security-info")
    assert (denied.exit_code, denied.stdout) == (1, "")


def test_a_transient_domain_has_no_config_document(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml())
    domain.start(paused=True)
    domain.undefine()
    result = run(uri, "xml", "a")
    assert result.exit_code == 3
    assert "xml --live" in result.stderr


def complete(line: str, shell: str = "bash", **environment: str) -> subprocess.CompletedProcess[str]:
    """What the shell gets for TAB at the end of ``line``."""
    words = line.split(" ")
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1), "_HOLDFAST_COMPLETE": f"{shell}_complete"}
    return process(**{**variables, **environment})


def test_domain_names_are_completed() -> None:
    assert complete("holdfast start ").stdout == "plain,test\n"
    assert complete("holdfast start t").stdout == "plain,test\n"
    assert complete("holdfast start x").stdout == "\n"
    assert complete("holdfast -c test:///default start ", LIBVIRT_DEFAULT_URI="nonsense:///").stdout == "plain,test\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_a_completion_script(shell: str) -> None:
    result = process(_HOLDFAST_COMPLETE=f"{shell}_source")
    assert result.returncode == 0
    assert "_HOLDFAST_COMPLETE" in result.stdout


def test_completion_without_connection_offers_nothing_and_is_silent() -> None:
    result = complete("holdfast start ", LIBVIRT_DEFAULT_URI="qemu+unix:///system?socket=/nosuch")
    assert (result.stdout, result.stderr) == ("\n", "")


def test_completion_does_not_wait_for_a_host_that_does_not_answer(tmp_path: Path) -> None:
    import socket

    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent"))
        silent.listen()
        result = complete("holdfast start ", LIBVIRT_DEFAULT_URI=f"qemu+unix:///system?socket={tmp_path}/silent")
    assert (result.stdout, result.stderr) == ("\n", "")


def test_device_names_of_the_domain_are_completed(daemon_uri: str, tmp_path: Path) -> None:
    import holdfast as api

    with api.connect(daemon_uri) as connection:
        domain = connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
        try:
            line = f"holdfast -c {daemon_uri} disk detach a "
            assert complete(line).stdout == "plain,vda\n"
            assert complete(line.replace(" a ", " nosuch ")).stdout == "\n"
        finally:
            domain.undefine()


SAYS_THAT_IT_WAITS = """
from holdfast.__main__ import main
from holdfast.libvirtapi.events import Wait
from holdfast_lab.patience import PATIENCE
real = Wait.wait
def wait(self, timeout):
    print("waits", flush=True)
    return real(self, timeout)
Wait.wait = wait
main()
"""


def test_sigterm_ends_a_command_in_good_order(daemon: Connection) -> None:
    daemon.define(domain_xml("deaf")).start()
    options = ["-c", daemon.uri, "shutdown", "deaf", "--timeout", str(PATIENCE)]
    command = [sys.executable, "-c", SAYS_THAT_IT_WAITS, *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waits\n"
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert "interrupted" in said


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_time_to_wait_that_is_none_is_a_usage_error(uri: str, connection: Connection, seconds: str) -> None:
    running(connection)
    assert run(uri, "shutdown", "a", "--timeout", seconds).exit_code == 2
    assert run(uri, "disk", "detach", "a", "vda", "--timeout", seconds).exit_code == 2
