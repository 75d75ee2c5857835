"""``holdfast edit``: the document in an editor, defined as it was edited, or kept for another try."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from holdfast.domainxml.document import parse, same
from holdfast.errors import InvalidDocument, LibvirtRefused
from holdfast.errors.files import NO_TEMPORARY_FILE
from holdfast.errors.guard import CHANGED_MEANWHILE, LIBVIRT_ADDS
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import edit_domain
from holdfast.operations.domain.edit import Edited
from holdfast.operations.files import Draft
from holdfast_lab.patience import PATIENCE
from tests.libvirt.commands import done, run
from tests.libvirt.domain.conftest import Drafts
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running
from tests.raising import raising

GRAPHICS = "<graphics type='vnc' passwd='s3cret!' listen='127.0.0.1'/>"
END_OF_INPUT = "\x04"
pytestmark = pytest.mark.usefixtures("drafts")
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/></rng>"


@pytest.fixture
def domain(connection: Connection) -> Domain:
    """A domain with a password, shut off."""
    return connection.define(domain_xml(extra=GRAPHICS + RNG))


def text_of(domain: Domain) -> str:
    return domain.xml(CONFIG, secure=True)


def test_edit_is_defined_and_nothing_else_changes(domain: Domain, uri: str, editor: Path, drafts: Drafts) -> None:
    before = parse(text_of(domain))
    editor.write_text('#!/bin/sh\nstat -c \'%a %U\' "$1" "${1%/*}" >&2; sed -i s:/dev/urandom:/dev/random: "$1"\n')
    assert done(uri, "edit", "a") == "the guest sees no difference\na is edited\n"
    before.find("devices/rng/backend").text = "/dev/random"  # type: ignore[union-attr]
    assert same(before, parse(text_of(domain)))
    assert drafts() == []


def test_file_is_for_this_user_alone_and_has_the_passwords(
    domain: Domain, uri: str, editor: Path, tmp_path: Path, drafts: Drafts
) -> None:
    editor.write_text(f'#!/bin/sh\n(stat -c %a "$1" "${{1%/*}}"; grep -c s3cret "$1") >{tmp_path}/seen\n')
    assert done(uri, "edit", "a") == "a: nothing was edited\n"
    assert (tmp_path / "seen").read_text().split() == ["600", "700", "1"]
    assert drafts() == []


def test_what_the_guest_would_see_is_refused_without_accept(domain: Domain, uri: str, editor: Path) -> None:
    before = text_of(domain)
    editor.write_text(
        "#!/bin/sh\nsed -i \"s:model='virtio'>:model='virtio-transitional'>:; s:>65536<:>131072<:g\" \"$1\"\n"
    )
    result = run(uri, "edit", "a")
    assert (result.exit_code, "memory is 128 MiB, was 64 MiB" in result.stderr) == (3, True), result.output
    assert "--accept" in result.stderr
    kept = re.search(r"your text is kept, with any secrets in it: (\S+)", result.stderr)
    assert kept is not None
    assert "131072" in Path(kept[1]).read_text()
    assert text_of(domain) == before
    would = done(uri, "edit", "a", "--dry-run")
    assert ("the guest will see: memory is 128 MiB, was 64 MiB" in would, "nothing was changed" in would) == (
        True,
        True,
    )
    assert text_of(domain) == before
    found = json.loads(done(uri, "edit", "a", "--accept", "-o", "json"))
    assert (found["format"], found["edited"], found["at_next_start"], found["waits"], found["blocks"]) == (
        "holdfast.edit", True, False, [], []
    )  # fmt: skip
    assert found["changes"][0]["where"] == "memory"
    assert parse(text_of(domain)).findtext("memory") == "131072"


def test_running_guest_keeps_what_it_has(connection: Connection, uri: str, editor: Path) -> None:
    domain = running(connection)
    before = domain.xml(LIVE)
    editor.write_text("#!/bin/sh\nsed -i 's:>65536<:>131072<:g' \"$1\"\n")
    assert "at the next start" in done(uri, "edit", "a", "--accept")
    assert domain.xml(LIVE) == before
    original = text_of(domain)
    more = edit_domain(connection, "a", original, original.replace(">131072<", ">196608<"), dry_run=True)
    assert more.waits == ("memory is 192 MiB, was 64 MiB",)
    back = edit_domain(connection, "a", original, original.replace(">131072<", ">65536<"), dry_run=True)
    assert ([str(change) for change in back.changes], back.waits) == (["memory is 64 MiB, was 128 MiB"], ())


@pytest.mark.parametrize(
    ("deed", "code", "words"),
    [
        ("exit 7", 1, "ended with 7"),
        ('sed -i s:/domain:/demesne: "$1"', 2, "not well-formed XML"),
        ("echo '<network/>' >\"$1\"", 2, "expected <domain>"),
        ("printf '\\377' >\"$1\"", 2, "line 1 is not UTF-8"),
        (': >"$1"', 2, "not well-formed"),
        ('rm "$1"', 4, "there is no file"),
        ("sed -i 's:<name>a<:<name>b<:' \"$1\"", 3, "cannot change the name of 'a'"),
        ("sed -i 's:<uuid>.*</uuid>:<uuid>00000000-0000-0000-0000-000000000001</uuid>:' \"$1\"", 3, "the UUID of 'a'"),
        ("sed -i '/<uuid>/d' \"$1\"", 3, "the UUID of 'a'"),
        ("sed -i 's:<devices>:<devices><flux/>:' \"$1\"", 1, "failed to validate"),
        ("sed -i \"s:machine='[^']*':machine='pc-q35-99.0':\" \"$1\"", 3, "would"),
    ],
)
def test_what_cannot_be_defined_changes_nothing_and_is_kept(
    domain: Domain, uri: str, editor: Path, deed: str, code: int, words: str, drafts: Drafts
) -> None:
    before = text_of(domain)
    editor.write_text(f"#!/bin/sh\n{deed}\n")
    result = run(uri, "edit", "a", *(["--accept"] if "flux" in deed else []))
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    assert text_of(domain) == before
    kept = drafts()
    assert len(kept) == (0 if deed.startswith(("exit", "rm")) else 1)
    assert all(str(file) in result.stderr for file in kept)


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RuntimeError("nobody thought of it"), 1, "this should not have happened"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError(), 1, "this should not have happened"),
        (RecursionError(), 1, "this should not have happened"),
    ],
)
@pytest.mark.parametrize("rounds", [1, 2])
def test_text_is_kept_whatever_goes_wrong(
    domain: Domain,
    uri: str,
    editor: Path,
    drafts: Drafts,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    words: str,
    rounds: int,
) -> None:
    """In the look before the define, and in the define."""
    calls: list[bool] = []

    def failing(*args: Any, **options: Any) -> Edited:
        calls.append(True)
        if len(calls) > rounds:
            raise error
        return edit_domain(*args, **options)

    monkeypatch.setattr("holdfast.operations.domain.edit.edit_domain", failing)
    editor.write_text('#!/bin/sh\nsed -i s:/dev/urandom:/dev/random: "$1"\n')
    result = run(uri, "edit", "a")
    assert (result.exit_code, words in result.stderr) == (code, True), result.output
    (kept,) = drafts()
    assert "/dev/random" in kept.read_text()
    assert str(kept) in result.stderr


def test_text_that_was_only_looked_at_is_kept(domain: Domain, uri: str, editor: Path, drafts: Drafts) -> None:
    assert "nothing was edited" in done(uri, "edit", "a", "--dry-run")
    assert drafts() == []
    editor.write_text('#!/bin/sh\nsed -i s:/dev/urandom:/dev/random: "$1"\n')
    result = run(uri, "edit", "a", "--dry-run")
    (kept,) = drafts()
    assert (result.exit_code, str(kept) in result.stderr, "nothing was changed" in result.stdout) == (0, True, True)


def test_name_of_any_length_has_a_text_to_edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Draft("\U0001f40b/" * 300, "uuid", "text") as draft:
        assert draft.path.read_text() == "text"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with raising(NO_TEMPORARY_FILE):
        Draft("a", "uuid", "text")


@pytest.mark.parametrize(
    ("command", "words"),
    [("/no/such/editor", "cannot be started"), ("'", "cannot be started"), ("", "no editor is set")],
)
def test_editor_that_is_not_there_is_said(
    domain: Domain, uri: str, monkeypatch: pytest.MonkeyPatch, command: str, words: str, drafts: Drafts
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", command)
    result = run(uri, "edit", "a")
    assert (result.exit_code, words in result.stderr, "set EDITOR" in result.stderr) == (1, True, True), result.output
    assert drafts() == []


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(domain: Domain, connection: Connection) -> None:
    original = text_of(domain)
    edited = original.replace("/dev/urandom", "/dev/random")
    domain.set_title("theirs", CONFIG)
    with raising(CHANGED_MEANWHILE):
        edit_domain(connection, "a", original, edited)
    assert parse(text_of(domain)).findtext("title") == "theirs"
    assert "/dev/urandom" in text_of(domain)


def test_device_written_into_the_document_gets_its_place(
    domain: Domain, connection: Connection, tmp_path: Path
) -> None:
    original = text_of(domain)
    disk = disk_xml(tmp_path, "new", "vda")
    done_ = edit_domain(connection, "a", original, original.replace("</devices>", f"{disk}</devices>"), accept=True)
    assert [str(change) for change in done_.changes] == ["disk vda is added"]
    assert parse(text_of(domain)).find("devices/disk/address") is not None
    original = text_of(domain)
    interface = "<interface type='user'><model type='virtio'/></interface>"
    edit_domain(connection, "a", original, original.replace("</devices>", f"{interface}</devices>"), accept=True)
    assert parse(text_of(domain)).find("devices/interface/mac") is not None


def test_what_libvirt_would_add_beside_the_edit_is_not_taken(connection: Connection, tmp_path: Path) -> None:
    """No port is free, so libvirt would add one."""
    domain = connection.define(domain_xml(ports=1))
    original = text_of(domain)
    edited = original.replace("</devices>", f"{disk_xml(tmp_path, 'new', 'vda')}</devices>")
    with raising(LIBVIRT_ADDS, changes=re.compile("(.*, )?controller pci 2 is added at pci 0000:00:01.1")):
        edit_domain(connection, "a", original, edited, accept=True)
    assert text_of(domain) == original


def test_python_call_raises_what_the_command_says(domain: Domain, connection: Connection) -> None:
    original = text_of(domain)
    with pytest.raises(InvalidDocument):
        edit_domain(connection, "a", original, "<domain>")
    with pytest.raises(LibvirtRefused):
        edit_domain(connection, "a", original, original.replace("</memory>", "x</memory>"), accept=True)
    assert not edit_domain(connection, "a", original, original.replace("\n", "\n ")).edited
    assert text_of(domain) == original


def test_transient_domain_and_reader_have_nothing_to_edit(connection: Connection, uri: str, editor: Path) -> None:
    running(connection).undefine()
    result = run(uri, "edit", "a")
    assert (result.exit_code, "transient" in result.stderr) == (3, True)
    connection.define(domain_xml("b"))
    result = run(uri, "-r", "edit", "b")
    assert (result.exit_code, "is read-only" in result.stderr) == (1, True), result.output


def test_managed_save_is_told(connection: Connection, uri: str, editor: Path) -> None:
    running(connection)._handle.managedSave(0)
    editor.write_text("#!/bin/sh\nsed -i 's:>65536<:>131072<:g' \"$1\"\n")
    assert "continues from the managed-save image" in done(uri, "edit", "a", "--accept")


def converse(command: list[str], environment: dict[str, str], answers: list[tuple[str, str]]) -> tuple[int, str]:
    """Run a command on a terminal; give each answer once its question has appeared. Its exit code, and all it said."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True)
    os.close(theirs)
    said, answered = "", 0
    while select.select([ours], [], [], PATIENCE)[0]:
        try:
            data = os.read(ours, 4096)
        except OSError:  # EIO: the other end was closed
            break
        said += data.decode(errors="replace")
        if answers and answers[0][0] in said[answered:]:
            answered = len(said)
            os.write(ours, f"{answers.pop(0)[1]}\n".encode())
    os.close(ours)
    return process.wait(PATIENCE), said


@pytest.mark.parametrize(
    ("deed", "answers"),
    [
        ("s:</domain>:</demesne>:", [("Edit again?", END_OF_INPUT)]),
        ("s:</domain>:</demesne>:", [("Edit again?", "n")]),
        ("s:>65536<:>131072<:g", [("Define it?", END_OF_INPUT)]),
        ("s:>65536<:>131072<:g", [("Define it?", "n"), ("Edit again?", END_OF_INPUT)]),
        ("s:>65536<:>131072<:g", [("Define it?", "n"), ("Edit again?", "n")]),
    ],
)
def test_text_is_kept_however_a_question_is_answered(
    daemon_uri: str, editor: Path, drafts: Drafts, deed: str, answers: list[tuple[str, str]]
) -> None:
    editor.write_text(f"#!/bin/sh\nsed -i '{deed}' \"$1\"\n")
    with open_connection(daemon_uri) as connection:
        domain = connection.define(domain_xml("answers"))
        before = text_of(domain)
        try:
            command = [str(Path(sys.executable).with_name("holdfast")), "-c", daemon_uri, "edit", "answers"]
            _, said = converse(command, dict(os.environ), list(answers))
            assert text_of(domain) == before
        finally:
            domain.undefine()
    (kept,) = drafts()
    assert str(kept) in "".join(said.split("\r\n"))


def test_on_a_terminal_it_asks_and_lets_mistakes_be_mended(daemon_uri: str, tmp_path: Path, drafts: Drafts) -> None:
    script = tmp_path / "editor"
    script.write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/rounds\ncase $(wc -l <{tmp_path}/rounds) in\n"
        "1) sed -i 's:</domain>:</demesne>:' \"$1\" ;;\n"
        "2) sed -i 's:</demesne>:</domain>:; s:<devices>:<devices><flux/>:' \"$1\" ;;\n"
        "3) sed -i 's:<flux/>::; s:>65536<:>131072<:g' \"$1\" ;;\n"
        "4) sed -i 's:>131072<:>196608<:g' \"$1\" ;;\nesac\n"
    )
    script.chmod(0o755)
    with open_connection(daemon_uri) as connection:
        domain = connection.define(domain_xml("terminal"))
        try:
            command = [str(Path(sys.executable).with_name("holdfast")), "-c", daemon_uri, "edit", "terminal"]
            environment = {**os.environ, "VISUAL": str(script)}
            answers = [
                ("Edit again?", "y"),
                ("Define it?", "y"),
                ("Edit again?", ""),
                ("Define it?", "n"),
                ("Edit again?", "y"),
                ("Define it?", "y"),
            ]
            code, said = converse(command, environment, answers)
            assert code == 0, said
            for words in (
                "not well-formed",
                "failed to validate",
                "memory is 128 MiB, was 64 MiB",
                "memory is 192 MiB, was 64 MiB",
            ):
                assert words in said
            assert parse(domain.xml(CONFIG)).findtext("memory") == "196608"
            code, said = converse(command, environment, [("Define it?", "n")])
            assert "nothing was edited" in said
        finally:
            domain.undefine()
    assert drafts() == []
