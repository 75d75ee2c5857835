"""``plan hosts``: which domain can move to which of several hosts, by one judge with ``migrate``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from holdfast import operations
from holdfast.domainxml.make.rebind import HostMaps
from holdfast.errors.domains import NO_DOMAIN
from holdfast.errors.hosts import NO_MACHINE_TYPE
from holdfast.errors.programs import NO_HOST_REACHED
from holdfast.libvirtapi.connection import Connection, open_connection
from tests.corpus import CORPUS
from tests.libvirt.domains import domain_xml
from tests.raising import raising

NOWHERE = "qemu+unix:///system?socket=/nonexistent"


def plan(uri: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "holdfast", "-c", uri, "plan", "hosts", *words]
    return subprocess.run(command, capture_output=True, text=True)


def test_each_domain_is_judged_on_each_host(
    older: Connection, older_uri: str, newer_uri: str, newest_uri: str, folder: Path
) -> None:
    """A host that cannot be reached is named; the one that the domains are on is none to move to."""
    for name in ("disk-virtio", "machine-pc-i440fx-2.0"):
        older.define(CORPUS[name].document(folder))
    uris = (newer_uri, newest_uri, older_uri, NOWHERE)
    same = HostMaps(paths={str(folder): str(folder)})
    found = operations.plan_hosts(older, uris, maps=same)
    assert found.uris == uris and list(found.errors) == [NOWHERE]
    moves = {each.name: [str(move.move) for move in each.moves] for each in found.domains}
    assert moves == {
        "disk-virtio": ["changes", "changes", "no", "unknown"],
        "machine-pc-i440fx-2.0": ["no", "no", "no", "unknown"],
    }
    (lacking, *_) = found.domains[1].moves
    assert lacking.reasons == ("the host has no machine type pc-i440fx-2.0",)
    run = plan(older_uri, *uris, "--map-path", f"{folder}={folder}")
    assert run.returncode == 3
    assert run.stdout.splitlines()[0].split() == ["DOMAIN", "STATE", "HOST", "MOVE", "WHY"]
    assert f"{NOWHERE} was not asked: " in run.stdout


def test_what_is_said_is_what_migrate_does(older: Connection, newer: Connection, newer_uri: str) -> None:
    for document in (domain_xml(), domain_xml("b", "pc-i440fx-2.0")):
        older.define(document).start(paused=True)
    changes, lacking = operations.plan_hosts(older, [newer_uri]).domains
    with raising(NO_MACHINE_TYPE) as refused:
        operations.migrate_domain(older, lacking.name, newer, dry_run=True)
    assert lacking.moves[0].reasons == (refused.value.message,)
    moved = operations.migrate_domain(older, changes.name, newer, dry_run=True)
    assert tuple(str(each) for each in moved.outlooks) == changes.moves[0].reasons


def test_a_domain_that_fits_moves_as_it_is(newer: Connection, newer_uri: str, newest_uri: str) -> None:
    """One without virtio, watchdog and ACPI tables: nothing that the versions give otherwise."""
    document = domain_xml(machine="pc").replace("<memballoon model='virtio'/>", "<memballoon model='none'/>")
    newer.define(document.replace("<acpi/>", ""))
    run = plan(newer_uri, newest_uri, "-o", "json")
    (domain,) = json.loads(run.stdout)["domains"]
    assert (run.returncode, domain["moves"][0]["move"]) == (0, "yes"), run.stdout
    assert plan(newer_uri, newest_uri, NOWHERE).returncode == 5
    assert plan(newer_uri, NOWHERE).returncode == 6


def test_what_is_another_domains_there_stands_in_the_way(older: Connection, newer: Connection, newer_uri: str) -> None:
    older.define(domain_xml())
    newer.define(domain_xml())
    (domain,) = operations.plan_hosts(older, [newer_uri]).domains
    (move,) = domain.moves
    assert (str(move.move), len(move.reasons)) == ("no", 1) and "another domain 'a'" in move.reasons[0]


def test_a_transient_domain_moves_nowhere(older: Connection, newer_uri: str) -> None:
    older.define(domain_xml())
    with open_connection(older.uri) as again:
        domain = again.find_domain("a")
        domain.start(paused=True)
        domain.undefine()
        (found,) = operations.plan_hosts(older, [newer_uri]).domains
    assert found.moves[0].reasons == ("it is transient: there is no document that could arrive",)
    older.find_domain("a").destroy()


def test_names_and_hosts_that_are_not_there_are_refused(older: Connection, newer_uri: str) -> None:
    with raising(NO_DOMAIN, name="b"):
        operations.plan_hosts(older, [newer_uri], ["b"])
    with raising(NO_HOST_REACHED):
        operations.plan_hosts(older, [NOWHERE])
