"""Looking at a domain as it was: ``NAME@REV``."""

from __future__ import annotations

import json

import pytest

from holdfast import operations
from holdfast.errors.domains import NO_DOMAIN
from holdfast.errors.history import BEFORE_HISTORY, NO_ENTRIES, NO_SUCH_ENTRY, NOT_A_TIME, SEVERAL_HAD_NAME
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import InterfaceSpec
from tests.libvirt.commands import done, run
from tests.libvirt.domains import domain_xml
from tests.raising import raising

MAC = "52:54:00:00:00:01"


@pytest.fixture
def then(connection: Connection) -> str:
    """The domain "a" as it was before it got an interface: "a@…"."""
    connection.define(domain_xml())
    operations.attach_interface(connection, "a", InterfaceSpec(kind="user", mac=MAC))
    return f"a@{operations.log_domain(connection, 'a')[-1].short_id}"


def test_diff_says_what_the_guest_has_seen_since(connection: Connection, uri: str, then: str) -> None:
    operations.start(connection, "a", paused=True)
    found = run(uri, "diff", then, "a")
    assert found.stdout.splitlines() == [f"interface {MAC} is added at pci 0000:02:00.0"]
    assert (found.exit_code, run(uri, "diff", "a", "a@{0 days ago}").exit_code) == (3, 0)
    assert f"interface {MAC} is removed" in run(uri, "diff", "a", then).stdout


def test_show_draws_the_hardware_of_then(connection: Connection, uri: str, then: str) -> None:
    shown = done(uri, "show", then)
    assert shown.startswith("a  as of ")
    assert "first seen" in shown
    assert MAC not in shown
    assert MAC in done(uri, "show", "a@{0 days ago}")
    assert json.loads(done(uri, "show", then, "-o", "json"))["entry"]["kind"] == "first seen"


def test_document_of_then_can_be_defined_again(connection: Connection, uri: str, then: str) -> None:
    document = done(uri, "xml", then)
    operations.delete_domain(connection, "a")
    connection.define(document)
    assert operations.record_host(connection).recorded == ("a",)
    assert done(uri, "xml", "a@{0 days ago}") == document


@pytest.mark.parametrize("option", ["--live", "--security-info"])
def test_history_has_config_without_secrets_alone(uri: str, then: str, option: str) -> None:
    result = run(uri, "xml", then, option)
    assert (result.exit_code, "config documents alone" in result.stderr) == (2, True)


def test_last_start_is_the_entry_of_it(connection: Connection, uri: str, then: str) -> None:
    with raising(NO_SUCH_ENTRY, revision="last-start"):
        operations.document(connection, "a@last-start")
    operations.start(connection, "a", paused=True)
    operations.detach_device(connection, "a", MAC, config_only=True)
    assert MAC in done(uri, "xml", "a@last-start")
    assert MAC not in done(uri, "xml", "a@{0 minutes ago}")


def test_moment_is_the_last_entry_before_it(connection: Connection, then: str) -> None:
    for moment in ("2 days ago", "1 week ago", "2001-01-01", "2001-01-01 10:00"):
        with raising(BEFORE_HISTORY):
            operations.document(connection, f"a@{{{moment}}}")
    assert MAC in operations.document(connection, "a@{2999-12-31}")


@pytest.mark.parametrize(
    "moment", ["yesterday", "2 fortnights ago", "", "-1 days ago", "2026-13-01", "999999 weeks ago"]
)
def test_what_is_no_moment_is_said(connection: Connection, uri: str, then: str, moment: str) -> None:
    with raising(NOT_A_TIME):
        operations.document(connection, f"a@{{{moment}}}")
    assert run(uri, "log", "a", "--since", moment).exit_code == 2


@pytest.mark.parametrize("revision", ["0000000", "f" * 40])
def test_an_entry_that_is_not_there_is_said(connection: Connection, then: str, revision: str) -> None:
    with raising(NO_SUCH_ENTRY, revision=revision):
        operations.show_past(connection, f"a@{revision}")


def test_other_names_are_looked_up_as_they_stand(connection: Connection, then: str) -> None:
    with raising(NO_DOMAIN):
        operations.document(connection, "a@b")
    with raising(NO_ENTRIES):
        operations.document(connection, "b@last-start")
    connection.define(domain_xml(then))  # a domain of that very name
    assert f"<name>{then}</name>" in operations.document(connection, then)


def test_name_of_several_deleted_domains_is_none(connection: Connection, uri: str) -> None:
    for _ in range(2):
        connection.define(domain_xml())
        operations.attach_interface(connection, "a", InterfaceSpec(kind="user"))
        operations.delete_domain(connection, "a")
    uuids = sorted({entry.uuid for entry in operations.log_host(connection)})
    with raising(SEVERAL_HAD_NAME, uuids=uuids):
        operations.log_domain(connection, "a")
    assert len(operations.log_domain(connection, uuids[0])) == 3


def test_log_of_the_host_has_all_domains(connection: Connection, uri: str, then: str) -> None:
    connection.define(domain_xml("b"))
    operations.record_host(connection)
    entries = json.loads(done(uri, "log", "--all", "--patch", "-o", "json"))["entries"]
    assert {entry["name"] for entry in entries} == {"a", "b"}
    assert [entry["time"] for entry in entries] == sorted((entry["time"] for entry in entries), reverse=True)
    assert any(f'+      <mac address="{MAC}"/>' in entry["patch"] for entry in entries)
    assert done(uri, "log", "--all", "--since", "2999-01-01") == ""
    assert MAC in done(uri, "log", "--all", "--since", "1 hour ago")


@pytest.mark.parametrize("words", [("log",), ("log", "a", "--all")])
def test_log_wants_a_domain_or_all(uri: str, words: tuple[str, ...]) -> None:
    assert run(uri, *words).exit_code == 2


def test_log_prints_nothing_that_a_terminal_obeys(connection: Connection, uri: str) -> None:
    connection.define(domain_xml("a\x7fb"))
    operations.record_host(connection)
    assert "\x7f" not in done(uri, "log", "--all", "--patch")
