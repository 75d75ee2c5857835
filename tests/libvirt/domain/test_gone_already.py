"""What is reported as removed was there before: of what was gone already it is said that it was gone."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.fact import DiskRecord
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.own_images import ImageFate
from holdfast.operations.facts import record_fact
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain, looking
from tests.libvirt.commands import done
from tests.libvirt.domains import disk_xml, domain_xml
from tests.libvirt.images import create_image

MIB = 1024 * 1024


def delete_an_image(connection: Connection, folder: Path) -> tuple[str, str]:
    connection.define(domain_xml(extra=disk_xml(folder, "one", "vda")))
    (folder / "one.img").unlink()
    return f"{folder}/one.img", "delete a --storage"


def merge_a_snapshot(connection: Connection, folder: Path) -> tuple[str, str]:
    create_image(f"{folder}/one.qcow2", "qcow2", MIB)
    disk = disk_xml(folder, "one", "vda").replace("raw", "qcow2").replace("one.img", "one.qcow2")
    connection.define(domain_xml(extra=disk)).start()
    operations.create_snapshot(connection, "a", "one", external=True)
    (folder / "a-memory.one.save").unlink()
    return f"{folder}/a-memory.one.save", "snapshot delete a one"


def detach_a_disk(connection: Connection, folder: Path) -> tuple[str, str]:
    connection.define(domain_xml())
    record_fact(looking(connection, "a"), DiskRecord("vdb", place=f"{folder}/one.img", format="raw"))
    return f"{folder}/one.img", "disk detach a vdb"


def abort_a_move(connection: Connection, folder: Path) -> tuple[str, str]:
    connection.define(domain_xml(extra=disk_xml(folder, "one", "vda")))
    record_fact(looking(connection, "a"), DiskRecord("vda", place=f"{folder}/two.img", format="raw"))
    return f"{folder}/two.img", "disk move a vda --abort"


def finish_a_move(connection: Connection, folder: Path) -> tuple[str, str]:
    connection.define(domain_xml(extra=disk_xml(folder, "two", "vda")))
    moved = DiskRecord("vda", place=f"{folder}/two.img", format="raw", old=f"{folder}/one.img")
    record_fact(looking(connection, "a"), moved)
    return f"{folder}/one.img", "disk move a vda"


GONE: dict[str, Callable[[Connection, Path], tuple[str, str]]] = {
    "ImageFate": delete_an_image,
    "SnapshotDeleted": merge_a_snapshot,
    "Detached": detach_a_disk,
    "MoveAborted": abort_a_move,
    "Moved": finish_a_move,
}
"""Every result that says what was removed: makes a domain of which that is gone; returns it, and the command."""


def test_every_result_that_says_what_was_removed_is_tried() -> None:
    for module in pkgutil.walk_packages(operations.__path__, "holdfast.operations."):
        importlib.import_module(module.name)
    results, found = [Result], {ImageFate.__name__}
    for each in results:  # grows
        results += each.__subclasses__()
        found |= {each.__name__ for field in dataclasses.fields(each) if field.name == "removed"}
    assert found == set(GONE)


@pytest.mark.parametrize("name", GONE)
def test_what_was_gone_is_not_said_to_be_removed(connection: Connection, uri: str, tmp_path: Path, name: str) -> None:
    gone, command = GONE[name](connection, tmp_path)
    promised = json.loads(done(uri, *command.split(), "--dry-run", "-o", "json"))
    assert gone not in str(promised.get("removed"))
    said = done(uri, *command.split(), "--dry-run")
    assert not any(gone in line and ("removed" in line or "would go" in line) for line in said.splitlines()), said
    assert ("gone already" in said) == (name in ("ImageFate", "SnapshotDeleted", "Moved"))
    assert all(image["gone"] for image in promised.get("images", ()))
    if name == "ImageFate":
        assert "removed" not in said and f"{gone}: gone already" in done(uri, *command.split())
        return
    real = json.loads(done(uri, *command.split(), "-o", "json"))
    assert (real["removed"], real["notes"]) == (promised["removed"], promised["notes"])


def test_an_nvram_that_was_never_made_is_not_said_to_go(connection: Connection, uri: str, tmp_path: Path) -> None:
    firmware = (
        "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>"
        f"<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>{tmp_path}/vars.fd</nvram></os>"
    )
    connection.define(domain_xml().replace("</os>", firmware))
    assert done(uri, "delete", "a", "--dry-run") == "a: would be deleted\n"
    assert done(uri, "delete", "a") == "a: deleted\n"


def test_a_volume_that_is_gone_is_not_said_to_stay(daemon_uri: str, tmp_path: Path) -> None:
    with holdfast.connect(daemon_uri) as connection:
        pool = connection._handle.storagePoolCreateXML(
            f"<pool type='dir'><name>p</name><target><path>{tmp_path}</path></target></pool>"
        )
        try:
            disk = "<disk type='volume' device='disk'><source pool='p' volume='one'/><target dev='vda'/></disk>"
            connection.define(domain_xml(extra=disk))
            for dry_run in (True, False):
                (fate,) = operations.delete_domain(connection, "a", storage=True, dry_run=dry_run).images
                assert fate == ImageFate("vda", "p/one", None, gone=True)
        finally:
            pool.destroy()


def test_an_image_that_vanishes_meanwhile_is_not_said_to_be_removed(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    written = OpenDomain.set_metadata

    def vanishes(*args: object) -> None:
        (tmp_path / "one.img").unlink(missing_ok=True)
        written(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(OpenDomain, "set_metadata", vanishes)  # that the deletion begins is recorded
    (fate,) = operations.delete_domain(connection, "a", storage=True).images
    assert fate.gone
