"""``holdfast show``: one domain at a glance."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.describe.hardware_tree import Part
from holdfast.libvirtapi.connection import Connection
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, running

RNG = "<rng model='virtio'><backend model='builtin'/></rng>"


def flat(parts: Sequence[Part]) -> list[Part]:
    """All parts of a tree, each before what is below it."""
    return [part for root in parts for part in (root, *flat(root.children))]


def test_the_tree_has_every_device_of_the_document_once(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "data", "vda") + RNG))
    shown = operations.show_domain(connection, "a")
    names = [part.name for part in flat(shown.hardware)]
    assert names.count("pcie-root-port") == 8
    assert names[0] == "pcie-root"
    assert len([name for name in names if name in ("disk vda", "rng", "memballoon")]) == 3


def test_a_disk_hangs_below_the_port_it_is_behind(connection: Connection, uri: str, tmp_path: Path) -> None:
    running(connection, ports=3, extra=disk_xml(tmp_path, "data", "vda", "<serial>S1</serial>"))
    lines = done(uri, "show", "a").splitlines()
    port = next(number for number, line in enumerate(lines) if "→ bus 1" in line)
    assert lines[port + 1] == "│  └─ 0000:01:00.0  disk vda  virtio, serial S1"


def test_free_slots_are_counted_and_named(connection: Connection, uri: str) -> None:
    domain = running(connection, ports=4)
    assert "hot-plug  3 of 4 places free, the first at 0000:02:00.0" in done(uri, "show", "a")
    for _ in range(3):
        domain.attach(RNG, LIVE)
    assert "hot-plug  0 of 4 places free\n" in done(uri, "show", "a")


def test_what_waits_for_the_next_start_is_said(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = running(connection)
    disk = disk_xml(tmp_path, "data", "vda")
    domain.attach(RNG, CONFIG)
    domain.attach(disk, LIVE)
    domain.attach(disk, CONFIG)
    text = done(uri, "show", "a")
    assert "disk vda  virtio  [moves to pci 0000:03:00.0 at the next start]" in text
    assert "At the next start:\n" in text
    assert "  rng is added at pci 0000:02:00.0\n" in text
    domain.destroy()
    assert "At the next start" not in done(uri, "show", "a")


def test_a_device_of_live_only_is_marked(connection: Connection, uri: str) -> None:
    running(connection).attach(RNG, LIVE)
    assert "rng  virtio  [in live only: gone at the next start]" in done(uri, "show", "a")


def test_a_device_the_guest_has_not_released_is_marked(connection: Connection, uri: str, tmp_path: Path) -> None:
    running(connection, extra=disk_xml(tmp_path, "data", "vda"))
    assert run(uri, "disk", "detach", "a", "vda", "--timeout", "0.1").exit_code == 5
    assert "[detached; the guest has not released it]" in done(uri, "show", "a")


def test_show_and_the_list_of_devices_say_the_same_of_what_waits(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, extra=disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb"))
    other = image(tmp_path, "other")
    domain.update(disk_xml(tmp_path, "one", "vda").replace(f"{tmp_path}/one.img", str(other)), CONFIG)
    domain.detach(disk_xml(tmp_path, "two", "vdb"), CONFIG)
    domain.attach(RNG, CONFIG)
    shown = {part.name: part.waits for part in flat(operations.show_domain(connection, "a").hardware) if part.waits}
    assert shown == {"disk vda": f"has {other} at the next start", "disk vdb": "in live only: gone at the next start"}
    listed = {f"{each.tag} {each.label}": each.waits for each in operations.list_devices(connection, "a") if each.waits}
    assert listed == {**shown, "rng rng": "in config only: comes with the next start"}


def test_json_says_the_same(connection: Connection, uri: str) -> None:
    domain = running(connection, ports=2)
    domain.attach(RNG, LIVE)
    shown = json.loads(done(uri, "show", domain.uuid, "-o", "json"))
    assert (shown["format"], shown["version"]) == ("holdfast.show", 1)
    assert shown["name"] == "a"
    assert shown["state"] == "paused"
    assert shown["identity"]["memory"] == 64 * 1024**2
    assert shown["identity"]["machine"].startswith("pc-q35-")
    assert shown["free_slots"] == []
    assert shown["changes"][0]["kind"] == "removed"
    assert shown["hardware"][0]["name"] == "pcie-root"


def test_what_is_not_known_is_not_found(connection: Connection, uri: str) -> None:
    assert run(uri, "show", "nobody").exit_code == 4


def test_a_transient_domain_can_be_shown(connection: Connection, uri: str) -> None:
    running(connection).undefine()
    assert "transient" in done(uri, "show", "a")


@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_lines_fit_a_terminal(connection: Connection, uri: str, tmp_path: Path, machine: str) -> None:
    running(connection, machine=machine, extra=disk_xml(tmp_path, "data", "vda", "<serial>0123456789</serial>"))
    assert max(len(line) for line in done(uri, "show", "a").splitlines()) <= 80


def test_show_loads_no_rich() -> None:
    program = "import sys, holdfast.cli.look.show, holdfast.operations.look.show; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
