"""``holdfast list``: all domains in one call, without the libraries it does not need."""

from __future__ import annotations

import json
import subprocess
import sys

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from tests.libvirt.commands import done, run
from tests.libvirt.domains import domain_xml, running


def test_all_domains_are_listed_by_name_with_their_state(connection: Connection, uri: str) -> None:
    for name in ("long-name", "b", "a"):
        connection.define(domain_xml(name))
    operations.start(connection, "b", paused=True)
    assert done(uri, "list") == "NAME       STATE\na          shut off\nb          paused\nlong-name  shut off\n"


def test_running_leaves_out_what_is_shut_off(connection: Connection, uri: str) -> None:
    connection.define(domain_xml("a"))
    connection.define(domain_xml("b")).start(paused=True)
    assert done(uri, "list", "--running", "--names") == "b\n"


def test_json_has_name_uuid_state_rescue_and_saved(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml("a"))
    listed = {"name": "a", "uuid": domain.uuid, "state": "shut off", "in_rescue": False, "managed_save": False}
    envelope = {"format": "holdfast.list", "version": 1, "dry_run": False}
    assert json.loads(done(uri, "list", "-o", "json")) == {**envelope, "domains": [listed]}


def test_without_domains_the_list_is_its_heads(connection: Connection, uri: str) -> None:
    assert done(uri, "list") == "NAME  STATE\n"
    assert done(uri, "list", "--names") == ""
    assert json.loads(done(uri, "list", "-o", "json"))["domains"] == []


def test_a_read_only_connection_lists(connection: Connection, uri: str) -> None:
    connection.define(domain_xml("a"))
    assert run(uri, "-r", "list", "--names").stdout == "a\n"


def test_list_imports_neither_lxml_nor_rich_nor_logging() -> None:
    """Also where a domain is asked whether it is in rescue: a paused one may be."""
    code = (
        "import libvirt\nconnection = libvirt.open('test:///default')\nconnection.lookupByName('test').suspend()\n"
        "import sys\nsys.argv = ['holdfast', '-c', 'test:///default', 'list']\n"
        "from holdfast.cli.main import holdfast\n"
        "try:\n    holdfast.main()\nexcept SystemExit as end:\n    assert end.code == 0, end.code\n"
        "heavy = {'lxml', 'rich', 'logging', 'json', 'urllib'} & {name.split('.')[0] for name in sys.modules}\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[1].split() == ["test", "paused"]


def test_domains_that_were_started_as_usual_are_not_asked_whether_they_are_in_rescue(connection: Connection) -> None:
    connection.define(domain_xml("off"))
    connection.define(domain_xml("booted")).start()
    connection.define(domain_xml("paused")).start(paused=True)
    asked = []

    def is_rescue(domain: Domain) -> bool:
        asked.append(domain.name)
        return False

    connection.domain_states(is_rescue=is_rescue)
    assert asked == ["paused"]


def test_saved_memory_is_told_and_a_name_cannot_move_the_cursor(uri: str, connection: Connection) -> None:
    running(connection, "web")._handle.managedSave(0)
    connection.define(domain_xml("a\u009b31m"))
    listed = done(uri, "list")
    assert "web       shut off, saved\n" in listed
    assert "a\\x9b31m" in listed and "\u009b" not in listed
    domains = json.loads(done(uri, "list", "-o", "json"))["domains"]
    assert {each["name"]: each["managed_save"] for each in domains} == {
        "web": True,
        "a\u009b31m": False,
    }
