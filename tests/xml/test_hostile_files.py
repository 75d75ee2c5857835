"""Files that a user names for a document: of any encoding, kind and size, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from holdfast.cli.main import holdfast

DOMAIN = "<domain><name>a</name><devices><rng><backend>/dev/urandom</backend></rng></devices></domain>"
BOMB = '<!DOCTYPE domain [<!ENTITY a "{}"><!ENTITY b "{}">]><domain><name>&b;</name></domain>'
DEEP = "<domain>" + "<a>" * 300 + "</a>" * 300 + "</domain>"

REFUSED = {
    "empty": (b"", "line 1: Document is empty"),
    "spaces": (b"  \n ", "line 2: Start tag expected"),
    "NUL": (DOMAIN.replace("a<", "\0<").encode(), "line 1: "),
    "invalid UTF-8": (b"\n" + DOMAIN.encode().replace(b">a<", b">\xff<"), "line 2 is not UTF-8 text"),
    "Latin 1": (
        "<?xml version='1.0' encoding='latin1'?><domain>é</domain>".encode("latin1"),
        "line 1 is not UTF-8 text",
    ),
    "UTF-16": (DOMAIN.encode("utf-16"), "line 1 is not UTF-8 text"),
    "UTF-32": (DOMAIN.encode("utf-32"), "line 1 is not UTF-8 text"),
    "a DOCTYPE": (f"\n<!DOCTYPE domain>{DOMAIN}".encode(), "line 2: the document has a DOCTYPE"),
    "entities": (BOMB.format("x" * 100, "&a;" * 100).encode(), "line 1: the document has a DOCTYPE"),
    "an entity of a file": (BOMB.format("x", "y").replace('"x"', "SYSTEM 'file:///etc/passwd'").encode(), "DOCTYPE"),
    "an entity that nobody declared": (b"<domain>&amp;&passwd;</domain>", "line 1: "),
    "deep nesting": (DEEP.encode(), "line 1: "),
    "a text of 10 MB": (DOMAIN.replace("urandom", "x" * (10 << 20)).encode(), "line 1: "),
    "two documents": (DOMAIN.encode() * 2, "line 1: Extra content"),
    "no XML": (b"name: a\n", "line 1: Start tag expected"),
    "a prefix of nobody": (b"<domain>\n<qemu:commandline/></domain>", "line 2: Namespace prefix qemu"),
    "more than is read": (b"<domain>" + b" " * (16 << 20) + b"</domain>", "is larger than 16384 KiB"),
}
"""What is in the file → the file, and what is said of it."""

TAKEN = {
    "a BOM": b"\xef\xbb\xbf" + DOMAIN.encode(),
    "a declaration of UTF-16 in UTF-8": f"<?xml version='1.0' encoding='utf-16'?>{DOMAIN}".encode(),
    "CDATA": DOMAIN.replace("/dev/urandom", "<![CDATA[/dev/urandom]]>").encode(),
    "comments and processing instructions": f"<?a b?><!-- c -->{DOMAIN}".replace(
        "<rng>", "<!-- d --><?e?><rng>"
    ).encode(),
    "10 MB": DOMAIN.replace("<rng>", f"<!--{' ' * (1 << 20)}-->" * 10 + "<rng>").encode(),
    "Windows' line ends": DOMAIN.replace("><", ">\r\n<").encode(),
}


def diff(path: Path) -> Result:
    """Compare the file with a good one in the same folder."""
    return CliRunner().invoke(holdfast, ["diff", str(path.parent / "good.xml"), str(path)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "good.xml").write_text(DOMAIN)
    return tmp_path


@pytest.mark.parametrize("name", REFUSED)
def test_file_that_is_no_document_is_refused_with_its_name_and_line(folder: Path, name: str) -> None:
    data, words = REFUSED[name]
    path = folder / "other.xml"
    path.write_bytes(data)
    result = diff(path)
    assert (result.exit_code, words in result.stderr, str(path) in result.stderr) == (2, True, True), result.output
    assert len(result.stderr) < 1000


@pytest.mark.parametrize(
    "text",
    [
        "<domain><!-- t0psecrt -- --></domain>",
        "<domain><entry><![CDATA[t0psecrt</entry></domain>",
        "<domain passwd='it' t0psecrt'/>",
        "<domain passwd='a<t0psecrt'/>",
        "<domain passwd='a&t0psecrt'/>",
        "<domain passwd='a&t0psecrt;'/>",
    ],
)
def test_nothing_of_a_value_is_told_of_a_file_that_is_no_xml(folder: Path, text: str) -> None:
    (folder / "other.xml").write_text(text)
    result = diff(folder / "other.xml")
    assert (result.exit_code, "t0psecrt" in result.output, "line 1: " in result.stderr) == (2, False, True)


@pytest.mark.parametrize("name", TAKEN)
def test_document_in_another_notation_is_the_same(folder: Path, name: str) -> None:
    path = folder / "other.xml"
    path.write_bytes(TAKEN[name])
    result = diff(path)
    assert result.exit_code == 0, result.output


def test_folder_and_what_is_not_there_are_no_documents(folder: Path) -> None:
    (folder / "folder.xml").mkdir()
    for path, words, code in (("folder.xml", "Is a directory", 1), ("none.xml", "there is no file", 4)):
        result = diff(folder / path)
        assert (result.exit_code, words in result.stderr) == (code, True), result.output


def test_pipe_is_read_as_a_shell_gives_it(folder: Path) -> None:
    pipe = folder / "pipe.xml"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(DOMAIN,))
    writer.start()
    result = diff(pipe)
    writer.join()
    assert result.exit_code == 0, result.output


def test_what_never_ends_is_read_to_the_limit(folder: Path) -> None:
    (folder / "zero.xml").symlink_to("/dev/zero")
    result = diff(folder / "zero.xml")
    assert (result.exit_code, "is larger than" in result.stderr) == (2, True), result.output


@pytest.mark.parametrize(("encoding", "options"), [("ascii", ""), ("cp1252", ""), ("utf-8", ""), ("ascii", "-ojson")])
def test_name_that_the_locale_has_no_characters_for_is_told(folder: Path, encoding: str, options: str) -> None:
    (folder / "whale.xml").write_text(DOMAIN.replace("<rng>", "<disk><target dev='\U0001f40b'/></disk><rng>"))
    command = [sys.executable, "-m", "holdfast", "diff", "./good.xml", "./whale.xml", *options.split()]
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    ended = subprocess.run(command, cwd=folder, env=environment, capture_output=True)
    assert (ended.returncode, ended.stderr) == (3, b"")
    if options:
        assert json.loads(ended.stdout)["changes"][0]["what"] == "disk \U0001f40b"
