"""A snapshot whose making is cut off in the middle: what is left is told, and removed when the command is repeated.

libvirt dies here, as with its host: it runs inside a child process, killed once qemu-img has done the first disk.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from holdfast_lab.embedded import embedded_root, embedded_uri
from tests.libvirt.domains import domain_xml
from tests.libvirt.images import qcow2, qcow2_disk, tags

KILLER = """#!/bin/sh
{qemu_img} "$@" || exit
kill -9 $PPID
"""

CHILD = """
import json, sys
from holdfast import connect, operations
from holdfast.cli.as_json import as_json
from holdfast.errors import HoldfastError
uri, document, *calls = sys.argv[1:]
connection = connect(uri)
if document:
    connection.define(document)
for call in map(json.loads, calls):
    try:
        found = getattr(operations, call.pop("call"))(connection, "a", **call)
    except HoldfastError as error:
        print(json.dumps(error.message))
    else:
        print(json.dumps(as_json(found)))
"""


class Crashed:
    """An embedded libvirt with the domain "a", in which the making of the snapshot "one" was cut off."""

    def __init__(self, root: Path, folder: Path, *, external: bool) -> None:
        self.folder, self.uri = folder, embedded_uri(root)
        self.images = [qcow2(folder, name) for name in ("one", "two")]
        document = domain_xml(extra="".join(map(qcow2_disk, self.images, ("vda", "vdb"))))
        (folder / "bin").mkdir()
        killer = folder / "bin" / "qemu-img"
        killer.write_text(KILLER.format(qemu_img=shutil.which("qemu-img")))
        killer.chmod(0o755)
        self.making = {"call": "create_snapshot", "snapshot": "one", "external": external}
        path = f"{killer.parent}:{os.environ['PATH']}"
        assert self._child(document, self.making, path=path).returncode == -9

    def calls(self, *calls: dict[str, Any]) -> list[Any]:
        """What operations called one after the other in a new process return, or the message of their error."""
        done = self._child("", *calls)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    def files(self) -> list[str]:
        """The overlays that there are."""
        return sorted(path.name for path in self.folder.glob("a-*"))

    def _child(self, document: str, *calls: dict[str, Any], path: str = os.environ["PATH"]) -> Any:
        command = [sys.executable, "-c", CHILD, self.uri, document, *map(json.dumps, calls)]
        return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})


@pytest.fixture
def crashed(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """Such a libvirt."""
    with embedded_root() as root:
        yield Crashed(root, tmp_path, external=request.param)


LIST = {"call": "list_snapshots"}
DELETE_ALL = {"call": "delete_domain", "storage": True}
DELETE = {"call": "delete_snapshot", "snapshot": "one"}


@pytest.mark.parametrize("crashed", [False], indirect=True)
def test_internal_snapshot_in_one_of_two_images_is_told_and_repeating_makes_it_whole(crashed: Crashed) -> None:
    assert [tags(path) for path in crashed.images] == [["one"], []]
    (info,), made, (after,) = crashed.calls(LIST, crashed.making, LIST)
    assert (info["name"], info["state"]) == ("one", "unfinished")
    assert made["snapshot"] == "one", made
    assert after["state"] == "shutoff"
    assert [tags(path) for path in crashed.images] == [["one"], ["one"]]


@pytest.mark.parametrize("crashed", [True], indirect=True)
def test_overlay_of_one_of_two_disks_is_told_and_repeating_makes_both(crashed: Crashed) -> None:
    assert crashed.files() == ["a-vda.one.qcow2"]
    (info,), planned, made, (after,) = crashed.calls(LIST, {**crashed.making, "dry_run": True}, crashed.making, LIST)
    assert (info["state"], info["external"]) == ("unfinished", True)
    assert f"{crashed.folder}/a-vda.one.qcow2" in info["files"]
    assert [disk["overlay"] for disk in planned["disks"]] == [disk["overlay"] for disk in made["disks"]]
    assert after["state"] == "shutoff"
    assert crashed.files() == ["a-vda.one.qcow2", "a-vdb.one.qcow2"]


@pytest.mark.parametrize("crashed", [False, True], indirect=True)
def test_deleting_the_unfinished_snapshot_leaves_nothing_of_it(crashed: Crashed) -> None:
    planned, _, listed, again = crashed.calls({**DELETE, "dry_run": True}, DELETE, LIST, DELETE)
    assert planned["snapshot"] == "one"
    assert listed == []
    assert again == "the domain 'a' has no snapshot 'one'"
    assert (crashed.files(), [tags(path) for path in crashed.images]) == ([], [[], []])


@pytest.mark.parametrize("crashed", [True], indirect=True)
def test_domain_with_an_unfinished_snapshot_is_not_released_and_its_files_go_with_it(crashed: Crashed) -> None:
    released, kept, gone = crashed.calls({"call": "release_domain"}, {"call": "delete_domain"}, DELETE_ALL)
    assert released == "creating the snapshot 'one' of 'a' was interrupted"
    assert "a-vda.one.qcow2" in kept
    removed = {image["source"] for image in gone["images"] if image["kept"] is None}
    assert removed == {str(path) for path in crashed.folder.glob("*.qcow2")} | {
        f"{crashed.folder}/{name}" for name in ("one.qcow2", "two.qcow2", "a-vda.one.qcow2")
    }
    assert list(crashed.folder.glob("*.qcow2")) == []


@pytest.mark.parametrize("crashed", [False], indirect=True)
def test_another_snapshot_is_not_held_up_by_it(crashed: Crashed) -> None:
    other, listed = crashed.calls({**crashed.making, "snapshot": "two"}, LIST)
    assert other["snapshot"] == "two"
    assert [(each["name"], each["state"]) for each in listed] == [("two", "shutoff"), ("one", "unfinished")]
