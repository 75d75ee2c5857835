"""Watching: whoever changes a domain, one notice says what and whether the guest has it now or at its next start."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from holdfast import operations
from holdfast.errors.libvirt import CANNOT_CONNECT
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.look.notice import About, Notice
from holdfast_lab import relay
from holdfast_lab.patience import wait_until
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.processes import kill
from tests.raising import raising

NOWHERE = "qemu+unix:///system?socket=/nonexistent/libvirt-sock"


class Watched:
    """A watch, and its first notice of each host."""

    def __init__(self, *uris: str, interval: float) -> None:
        self._watch = operations.watch(uris, interval=interval)
        self.first = [next(self._watch) for _ in uris]
        self.close = self._watch.close

    def until(self, words: str) -> list[Notice]:
        """All notices up to the first whose sentence has these words."""
        found: list[Notice] = []
        for notice in self._watch:
            found.append(notice)
            if words in notice.sentence:
                break
        return found


class StartWatch(Protocol):
    """How a test begins a watch."""

    def __call__(self, *uris: str, interval: float) -> Watched: ...


@pytest.fixture
def watch() -> Iterator[StartWatch]:
    """Watches that end with the test."""
    with contextlib.ExitStack() as ending:

        def start(*uris: str, interval: float) -> Watched:
            watched = Watched(*uris, interval=interval)
            ending.callback(watched.close)
            return watched

        yield start


def test_state_and_live_hardware_are_told_by_event(daemon: Connection, tmp_path: Path, watch: StartWatch) -> None:
    domain = daemon.define(domain_xml())
    watched = watch(daemon.uri, interval=3600)
    assert watched.first[0].about is About.HOST
    domain.start(paused=True)
    domain.attach(disk_xml(tmp_path, "one", "vda"), LIVE)
    added = watched.until("disk vda is added")
    assert any(notice.about is About.STATE and "paused" in notice.sentence for notice in added)
    assert (added[-1].definitions, added[-1].about, added[-1].name) == ((LIVE,), About.HARDWARE, "a")
    assert added[-1].change is not None
    assert added[-1].uuid == domain.uuid
    domain.destroy()
    assert watched.until("stopped")[-1].sentence == "stopped: destroyed"


def test_config_changes_that_libvirt_does_not_announce_are_found_by_comparing(
    daemon: Connection, tmp_path: Path, watch: StartWatch
) -> None:
    domain = daemon.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    domain.start(paused=True)
    watched = watch(daemon.uri, interval=0.2)
    domain.attach(disk_xml(tmp_path, "two", "vdb"), CONFIG)
    assert watched.until("disk vdb is added")[-1].definitions == (CONFIG,)
    domain.update(disk_xml(tmp_path, "one", "vda").replace("one.img", f"{image(tmp_path, 'three').name}"), CONFIG)
    source = watched.until("three.img")[-1]
    assert (source.about, source.definitions, source.change) == (About.SOURCE, (CONFIG,), None)


def test_silence_about_an_untouched_domain_and_about_our_own_records(
    daemon: Connection, tmp_path: Path, watch: StartWatch
) -> None:
    domain = daemon.define(domain_xml())
    domain.start(paused=True)
    daemon.define(domain_xml("untouched"))
    watched = watch(daemon.uri, interval=0.2)
    operations.adopt_domain(daemon, "a")
    for target in ("vda", "vdb"):
        domain.attach(disk_xml(tmp_path, target, target), CONFIG)
        (notice,) = watched.until(f"disk {target} is added")
        assert notice.name == "a"
    domain.destroy()
    assert [notice.sentence for notice in watched.until("stopped")] == ["stopped: destroyed"]


def test_attach_to_both_documents_is_told_once(daemon: Connection, tmp_path: Path, watch: StartWatch) -> None:
    daemon.define(domain_xml()).start(paused=True)
    watched = watch(daemon.uri, interval=3600)
    operations.attach_device(daemon, "a", disk_xml(tmp_path, "one", "vda"))
    assert watched.until("disk vda is added")[-1].definitions == (LIVE, CONFIG)


def test_start_with_other_hardware_than_in_the_last_run_is_told(daemon: Connection, watch: StartWatch) -> None:
    rng = "<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-rng'/>{}</rng>"
    place = "<address type='pci' domain='0' bus='{}' slot='0' function='0'/>"
    domain = daemon.define(domain_xml(extra=rng.format(place.format("3"))))
    domain.start(paused=True)
    watched = watch(daemon.uri, interval=3600)
    domain.destroy()
    watched.until("stopped")
    elsewhere = domain_xml(extra=rng.format(place.format("4")))
    daemon.define(elsewhere.replace("<name>", f"<uuid>{domain.uuid}</uuid><name>"))
    for definition in (CONFIG, LIVE):
        moved = watched.until("rng ua-rng moved from pci 0000:03:00.0 to pci 0000:04:00.0")[-1]
        assert moved.definitions == (definition,)
        if definition is CONFIG:
            domain.start(paused=True)


def test_domain_that_stops_while_it_is_looked_at_has_no_other_hardware(
    daemon: Connection, tmp_path: Path, watch: StartWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = daemon.define(domain_xml())
    domain.start(paused=True)
    domain.attach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    watched = watch(daemon.uri, interval=0.2)
    real = Domain.xml

    def xml(self: Domain, definition: Definition, secure: bool = False) -> str:
        if definition is LIVE and domain.is_active():
            domain.destroy()
        return real(self, definition, secure)

    monkeypatch.setattr(Domain, "xml", xml)
    assert {notice.about for notice in watched.until("stopped")} == {About.STATE}


def test_new_renamed_and_deleted_domains_are_told(daemon: Connection, watch: StartWatch) -> None:
    watched = watch(daemon.uri, interval=0.2)
    domain = daemon.define(domain_xml())
    assert watched.until("new")[-1].sentence == "new, shut off"
    domain._handle.rename("b")
    assert watched.until("renamed")[-1].name == "b"
    domain.undefine()
    assert watched.until("gone")[-1].name == "b"


def put(file: Path, program: str) -> None:
    """Write a program, of which nobody ever runs a half."""
    new = file.with_suffix(".new")
    new.write_text(program)
    new.chmod(0o755)
    new.rename(file)


def test_what_happened_while_the_host_was_lost_is_found_when_it_is_back(
    daemon: Connection, tmp_path: Path, watch: StartWatch
) -> None:
    domain = daemon.define(domain_xml())
    uri = relay.remote_uri(daemon.uri, tmp_path)
    watched = watch(uri, interval=0.2)
    program, attempts = tmp_path / "relay", tmp_path / "attempts"
    works = program.read_text()
    put(program, f"#!/bin/sh\necho >>{attempts}\nexit 1\n")
    kill(str(program))
    lost = watched.until("was lost")[-1]
    assert (lost.about, lost.host, lost.unreached) == (About.HOST, uri, False)
    domain.attach(disk_xml(tmp_path, "one", "vda"), CONFIG)
    wait_until(lambda: attempts.exists() and attempts.read_text().count("\n") > 2, "nobody tries again")
    put(program, works)
    assert [notice.sentence.partition(" (")[0] for notice in watched.until("back")] == [
        "disk vda is added at pci 0000:02:00.0",
        "back: compared with what was seen before",
    ]


def test_watch_without_any_host_is_refused_and_one_of_two_is_enough(daemon: Connection, watch: StartWatch) -> None:
    with raising(CANNOT_CONNECT):
        next(operations.watch([NOWHERE]))
    first = watch(daemon.uri, NOWHERE, interval=3600).first
    assert sorted(notice.unreached for notice in first) == [False, True]


def test_command_prints_lines_and_objects_until_it_is_interrupted(daemon: Connection) -> None:
    command = [sys.executable, "-m", "holdfast", "-c", daemon.uri, "watch"]
    for options in ([], ["-o", "json"]):
        with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            with contextlib.ExitStack() as undo:
                undo.callback(os.kill, child.pid, signal.SIGINT)
                assert "watching" in child.stdout.readline()
                domain = daemon.define(domain_xml())
                line = child.stdout.readline()
                domain.undefine()
            if options:
                notice = json.loads(line)
                assert (notice["name"], notice["about"], notice["format"]) == ("a", "state", "holdfast.watch")
            else:
                assert line.endswith("  a  new, shut off\n")
            assert child.wait() == 130
            assert child.stderr is not None
            assert child.stderr.read() == ""
