"""Asking libvirt what it would make of a document: by a child process, of which nothing stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from holdfast.domainxml.document import Element, canonical, parse, serialize
from holdfast.errors import LibvirtRefused
from holdfast.hostfiles.child_process import Spoken, private_folder, speak
from holdfast.hostfiles.own_folder import CHILD, left_folders
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.private_libvirt import library_version
from holdfast.operations.asked_of_libvirt import Step, ask_libvirt, ask_of_steps
from holdfast_lab.patience import wait_until
from tests.libvirt.domains import CONFIG, domain_xml

RNG = parse("<rng model='virtio'><backend model='builtin'/></rng>")

HANGS = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", sys.argv[1]], start_new_session=True)
print(sys.stdin.read(), flush=True)
time.sleep(1000)
"""
"""As a libvirt that looks at a QEMU which does not answer."""


def document(**kwargs: str | int) -> Element:
    return parse(domain_xml(**kwargs))  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What other tests ask at the same time lies elsewhere. The path is short, for sockets."""
    tmp_path_factory.getbasetemp()  # pytest's own folder stays
    with tempfile.TemporaryDirectory(prefix="a-") as folder:
        Path(folder).chmod(0o1777)
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield


HAS, VNC = Step("have", document()), parse("<graphics type='vnc'/>")


def folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"{CHILD}*"))


def processes(folder: Path) -> list[str]:
    listed = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line]


def test_the_answer_is_what_libvirt_then_makes_of_it(connection: Connection) -> None:
    of_others = "<metadata><a:b xmlns:a='urn:c' passwd='d'><cookies/></a:b></metadata>"
    text = domain_xml(extra="<console type='pty'/>").replace("<memory", f"{of_others}<memory")
    answer = ask_of_steps(connection, Step("define", parse(text)), Step("attach", RNG))
    assert (answer.reason, connection.domains(), folders()) == ("", [], [])
    made = connection.define(text)
    for promised in answer.documents:
        promised.find("uuid").text = made.uuid  # type: ignore[union-attr]
    assert canonical(answer.documents[0]) == canonical(parse(made.xml(CONFIG)))
    made.attach(serialize(RNG), CONFIG)
    assert canonical(answer.documents[1]) == canonical(parse(made.xml(CONFIG)))


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([Step("define", parse(domain_xml().replace(">64<", ">-5<")))], "doesn't allow value '-5'"),
        ([Step("define", document(extra="<rng colour='red'/>"))], "failed to validate"),
        ([HAS, Step("attach", VNC)], "persistent attach of device 'graphics' is not supported"),
        ([HAS, Step("detach", RNG)], "no matching RNG device was found"),
        ([HAS, Step("update", RNG)], "persistent update of device 'rng' is not supported"),
    ],
)
def test_what_libvirt_refuses_is_refused_as_the_deed_would_be(
    connection: Connection, steps: list[Step], words: str
) -> None:
    with pytest.raises(LibvirtRefused, match=words) as foreseen:
        ask_of_steps(connection, *steps)
    assert (connection.domains(), folders()) == ([], [])
    with pytest.raises(LibvirtRefused) as refused:
        domain = connection.define(serialize(steps[0].element))
        do = {"attach": domain.attach, "detach": domain.detach, "update": domain.update}
        do[steps[1].verb](serialize(steps[1].element), CONFIG)
    assert foreseen.value.fields == refused.value.fields


def test_a_domain_that_others_have_defined_past_the_schema_is_taken_as_it_is(connection: Connection) -> None:
    loose = document(extra="<rng colour='red' model='virtio'><backend model='builtin'/></rng>")
    assert ask_of_steps(connection, Step("have", loose), Step("attach", RNG)).reason == ""
    answer = ask_of_steps(connection, Step("have", parse("<domain type='qemu'><name>a</name></domain>")))
    assert (answer.documents, answer.reason.startswith("it does not accept the domain as it is: ")) == ((), True)


def test_a_path_that_libvirt_chooses_is_where_the_domain_will_have_it(connection: Connection) -> None:
    loader = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
    asked = parse(domain_xml().replace("hvm</type>", f"hvm</type>{loader}"))
    promised = ask_libvirt(connection, asked).document
    assert promised is not None
    nvram = parse(connection.define(serialize(asked)).xml(CONFIG)).findtext("os/nvram")
    assert promised.findtext("os/nvram") == nvram is not None


def test_passwords_stay_with_us(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def noting(module: str, folder: Path, words: str) -> Spoken:
        told.append(words)
        return speak(module, folder, words)

    monkeypatch.setattr("holdfast.operations.asked_of_libvirt.speak", noting)
    disk = (
        "<disk type='network'><driver type='raw'/><source protocol='https' name='a'><host name='b.example' port='443'/>"
        "<cookies><cookie name='c'>pssst</cookie></cookies></source><target dev='vda'/></disk>"
    )
    answer = ask_libvirt(connection, document(extra=f"<graphics type='vnc' passwd='pssst'/>{disk}"))
    assert (answer.reason, len(told), "b.example" in told[0], "pssst" in told[0]) == ("", 1, True, False)


def test_another_libvirt_is_not_asked(
    connection: Connection, uri: str, remote_uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_connection(remote_uri) as remote, open_connection(uri, readonly=True) as readonly:
        for other, reason in ((remote, f"{remote_uri} is on another host"), (readonly, "the connection may only read")):
            answer = ask_libvirt(other, document())
            assert (answer.document, answer.reason) == (None, reason)
    monkeypatch.setattr("holdfast.operations.asked_of_libvirt.library_version", lambda: (99, 1, 0))
    assert ask_libvirt(connection, document()).reason.endswith("answers, and libvirt 99.1.0 is installed here")


def test_a_kind_of_domain_that_only_others_have_here_is_not_judged(connection: Connection) -> None:
    asked = document()
    asked.set("type", "xen")
    answer = ask_libvirt(connection, asked)
    assert (answer.document, "is not supported" in answer.reason) == (None, True)


@pytest.mark.parametrize(
    ("of", "name", "reason"),
    [
        (tempfile, "tempdir", "no temporary file can be made: No such file or directory"),
        (sys, "executable", "/not/there does not start: No such file or directory"),
    ],
)
def test_why_libvirt_could_not_be_asked_is_said(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, of: ModuleType, name: str, reason: str
) -> None:
    monkeypatch.setattr(of, name, "/not/there")
    answer = ask_libvirt(connection, document())
    assert (answer.was_asked, answer.reason) == (False, reason)


def test_no_answer_in_time_leaves_neither_processes_nor_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs.py").write_text(HANGS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with private_folder() as folder:
        spoken = speak("hangs", folder, "", limit=1)
        assert (spoken.output, spoken.failure) == ("", "there was no answer within 1 seconds")
        wait_until(lambda: not processes(folder), "what it started goes on")
    assert folders() == []


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os; os.kill(os.getpid(), 11)", "ended by signal 11"),
        ("raise OSError('no room')", "its process failed: OSError: no room"),
    ],
)
def test_a_child_that_crashes_gives_no_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    (tmp_path / "crashes.py").write_text(program)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with private_folder() as folder:
        assert words in speak("crashes", folder, "").failure


def asking(folder: Path) -> subprocess.Popen[bytes]:
    """A process whose child does not answer, and has started another one."""
    program = (
        "from holdfast.hostfiles.child_process import private_folder, speak\n"
        "with private_folder() as folder: print(speak('hangs', folder, ''))"
    )
    (folder / "hangs.py").write_text(HANGS)
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    process = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": path})
    wait_until(lambda: bool(folders()) and len(processes(folders()[0])) == 2, "nothing was begun")
    return process


def test_a_child_whose_parent_is_killed_leaves_nothing(tmp_path: Path) -> None:
    killed = asking(tmp_path)
    (folder,) = folders()
    killed.kill()
    killed.wait()
    wait_until(lambda: not (folders() or processes(folder)), "something is left")


def test_what_killed_processes_left_is_removed_by_the_next(tmp_path: Path) -> None:
    killed = asking(tmp_path)
    (left,) = folders()
    child = int(Path(f"/proc/{killed.pid}/task/{killed.pid}/children").read_text())
    os.kill(child, signal.SIGSTOP)
    killed.kill()
    killed.wait()
    with private_folder():
        assert left.exists()  # it is still at work
    assert left_folders(CHILD) == []
    os.kill(child, signal.SIGKILL)
    wait_until(lambda: left_folders(CHILD) == [left], "it is not known as left")
    with private_folder():
        assert not left.exists()
    wait_until(lambda: not processes(left), "what was left goes on")


NOBODY = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", sys.executable, "-c"]

AS_NOBODY = """
import sys
from holdfast.domainxml.document import parse
from holdfast.operations import asked_of_libvirt
class OfTheHost:
    is_of_host, state_folders = True, None
asked_of_libvirt._reason_not_to_ask = lambda connection: ""
print(asked_of_libvirt.ask_libvirt(OfTheHost, parse(sys.argv[1])))
"""

VIRTIOFS = """
<filesystem type='mount'><driver type='virtiofs'/><source dir='/tmp'/><target dir='shared'/></filesystem>
"""


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("", "reason=''"),
        ("<rng colour='red'/>", "failed to validate"),
        # "virtiofs is not yet supported in session mode" (9.0)
        (
            VIRTIOFS,
            "this user's libvirt cannot do all that the host's can" if library_version() < (10,) else "reason=''",
        ),
    ],
)
def test_a_user_without_rights_asks_for_the_libvirt_of_the_host(extra: str, words: str) -> None:
    """Nothing of a libvirt of that user is touched: there is no folder for it."""
    Path(os.environ["TMPDIR"]).parent.chmod(0o1777)
    memory = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    text = domain_xml(extra=extra).replace("<os>", f"{memory}<os>")
    done = subprocess.run(
        [*NOBODY, AS_NOBODY, text], env={**os.environ, "HOME": "/nonexistent"}, capture_output=True, text=True
    )
    assert words in done.stdout + done.stderr
    assert folders() == []


END = """
import sys
from pathlib import Path
from holdfast.hostfiles import child_process
child_process._end_processes(Path(sys.argv[1]))
"""


def test_a_process_of_another_user_that_names_the_folder_is_left_alone(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()", tmp_path], stdin=subprocess.PIPE) as other:
        subprocess.run([*NOBODY, END, tmp_path], check=True)
        assert other.poll() is None
