"""What create, attach, detach, adopt and delete record of a disk, who sees it, and what it does."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors import devices, disks, files
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.disks.keep_record import left_in_making, record_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.session import looking
from tests.libvirt.commands import done
from tests.libvirt.domain.test_adopt import NOVA, with_metadata
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image, running
from tests.raising import raising

MIB = 1024 * 1024
VOLUME = "0b5a8e9f-3a0e-4a8e-9a3c-0d3b1a2f4c5d"


def records(domain: Domain, definition: Definition = CONFIG) -> dict[str, DiskRecord]:
    found = facts(parse(domain.xml(definition)), DiskRecord)
    return {record.target: replace(record, target="", alias="") for record in found}


def create(connection: Connection, *disks: DiskSpec, **spec: Any) -> Domain:
    operations.create_domain(connection, "a", DomainSpec(memory=64 * MIB, disks=disks, graphics="none", **spec))
    return connection.find_domain("a")


def adopted(connection: Connection, folder: Path, start: bool = True) -> Domain:
    domain = connection.define(domain_xml(extra=disk_xml(folder, "root", "vda")))
    if start:
        domain.start(paused=True)
    operations.adopt_domain(connection, "a")
    return domain


def findings(connection: Connection, kind: FindingKind) -> list[str]:
    found = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    return [finding.sentence for finding in found if finding.kind is kind]


def test_create_records_what_each_disk_is_for_and_what_it_was_made_from(connection: Connection, tmp_path: Path) -> None:
    base, iso, user_data = image(tmp_path, "base"), image(tmp_path, "cd"), tmp_path / "user-data"
    user_data.write_text("#cloud-config\n")
    root = DiskSpec(path=str(tmp_path / "root"), copy_from=str(base), source_format="raw")
    data = DiskSpec(path=str(tmp_path / "data"), size=MIB, id=VOLUME, delete_with_domain=True)
    swap = DiskSpec(path=str(tmp_path / "swap"), size=MIB, role="swap", delete_with_domain=False)
    domain = create(connection, root, data, swap, cdroms=(str(iso),), user_data=str(user_data))
    assert records(domain) == {
        "vda": DiskRecord("", "", "root", image=str(base)),
        "vdb": DiskRecord("", "", "volume", id=VOLUME, delete="yes"),
        "vdc": DiskRecord("", "", "swap", delete="no"),
        "sda": DiskRecord("", "", "cdrom"),
        "sdb": DiskRecord("", "", "config", image=str(user_data), place=str(tmp_path / "a-seed.iso")),
    }
    assert not findings(connection, FindingKind.RECORD) and not findings(connection, FindingKind.UNFINISHED)
    exported = domain.xml(CONFIG)
    domain.undefine()
    operations.create_domain_from_document(connection, exported, name="b")
    again = records(connection.find_domain("b"))
    assert again["vdb"].id == VOLUME and again["sda"].role == "cdrom"
    assert again["sdb"] == DiskRecord("", "", "cdrom"), "the seed was not made for this one"


def test_attach_records_it_in_each_document_that_has_the_disk(connection: Connection, tmp_path: Path) -> None:
    domain, base = adopted(connection, tmp_path), image(tmp_path, "base")
    over = DiskSpec(path=str(tmp_path / "o"), overlay_of=str(base), source_format="raw", role="ephemeral")
    operations.attach_disk(connection, "a", over)
    operations.attach_disk(connection, "a", DiskSpec(path=str(image(tmp_path, "x")), format="raw"), config_only=True)
    operations.attach_device(connection, "a", disk_xml(tmp_path, "y", "vdd"))
    ephemeral, volume = DiskRecord("", "", "ephemeral", image=str(base)), DiskRecord("", "", "volume")
    root = DiskRecord("", "", "root")
    assert records(domain, LIVE) == {"vda": root, "vdb": ephemeral, "vdd": volume}
    assert records(domain) == {"vda": root, "vdb": ephemeral, "vdc": volume, "vdd": volume}
    assert not findings(connection, FindingKind.RECORD)


def test_domain_that_was_never_adopted_gets_a_record_only_of_what_is_said(
    connection: Connection, tmp_path: Path
) -> None:
    domain = running(connection, "a")
    operations.attach_disk(connection, "a", DiskSpec(path=str(image(tmp_path, "x")), format="raw"))
    operations.attach_device(connection, "a", disk_xml(tmp_path, "y"))
    assert "holdfast" not in domain.xml(LIVE) + domain.xml(CONFIG)
    operations.attach_disk(connection, "a", DiskSpec(path=str(image(tmp_path, "z")), format="raw", role="swap"))
    assert records(domain) == records(domain, LIVE) == {"vdc": DiskRecord("", "", "swap")}


def test_attach_that_is_refused_leaves_no_image_and_no_record(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, "a", ports=1)
    before = domain.xml(CONFIG)
    with raising(devices.NO_FREE_PLACE):
        operations.attach_disk(connection, "a", DiskSpec(path=str(tmp_path / "new"), size=MIB, role="swap"))
    assert not (tmp_path / "new").exists()
    assert domain.xml(CONFIG).replace("  <metadata/>\n", "") == before
    assert not records(domain, LIVE)


def test_interrupt_between_config_and_live_keeps_the_image_and_repeating_finishes(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain, spec = running(connection, "a"), DiskSpec(path=str(tmp_path / "new"), size=MIB, role="swap")
    attach = Domain.attach

    def interrupted(self: Domain, device: str, definition: Definition) -> None:
        if definition is LIVE:
            raise KeyboardInterrupt
        attach(self, device, definition)

    with monkeypatch.context() as patch:
        patch.setattr(Domain, "attach", interrupted)
        with pytest.raises(KeyboardInterrupt):
            operations.attach_disk(connection, "a", spec)
    assert (tmp_path / "new").exists()
    with raising(files.EXISTS):
        operations.attach_disk(connection, "a", replace(spec, size=2 * MIB))
    attached = operations.attach_disk(connection, "a", spec)
    assert (attached.label, attached.definitions) == ("vda", (LIVE, CONFIG))
    assert records(domain) == records(domain, LIVE) == {"vda": DiskRecord("", "", "swap")}


def test_detach_takes_the_record_out_of_each_document_as_the_disk_leaves_it(
    connection: Connection, tmp_path: Path
) -> None:
    domain = adopted(connection, tmp_path)
    with raising(devices.NOT_RELEASED, devices.NOT_RELEASED_PAUSED):
        operations.detach_device(connection, "a", "vda", timeout=0)
    assert not records(domain) and records(domain, LIVE).keys() == {"vda"}
    domain.destroy()
    domain.start(paused=True)
    assert not records(domain, LIVE)
    assert operations.detach_device(connection, "a", "vda").definitions == ()
    assert not findings(connection, FindingKind.RECORD)


def test_audit_tells_where_document_and_record_do_not_agree_and_adopt_mends_it(
    connection: Connection, tmp_path: Path
) -> None:
    domain = adopted(connection, tmp_path, start=False)
    assert findings(connection, FindingKind.RECORD) == []
    domain.attach(disk_xml(tmp_path, "new", "vdb"), CONFIG)
    assert findings(connection, FindingKind.RECORD) == ["nothing is recorded about vdb, although the domain is adopted"]
    domain.detach(disk_xml(tmp_path, "root", "vda"), CONFIG)
    gone = "vda is recorded as root, but the document has no such disk"
    assert findings(connection, FindingKind.RECORD)[0] == gone
    domain.start(paused=True)
    assert findings(connection, FindingKind.RECORD)[0] == gone, (
        "the same of a running one, which is read in another way"
    )
    assert operations.adopt_domain(connection, "a", dry_run=True).updated
    assert operations.adopt_domain(connection, "a").updated
    assert findings(connection, FindingKind.RECORD) == []
    assert not operations.adopt_domain(connection, "a").updated
    assert records(domain).keys() == records(domain, LIVE).keys() == {"vdb"}


def test_novas_volumes_are_known_by_their_serial(connection: Connection, tmp_path: Path) -> None:
    disks = disk_xml(tmp_path, "x_disk", "vda") + disk_xml(tmp_path, "v", "vdb", f"<serial>{VOLUME}</serial>")
    domain = connection.define(with_metadata(domain_xml(extra=disks), NOVA))
    operations.adopt_domain(connection, "a")
    assert records(domain)["vdb"] == DiskRecord("", "", "volume", id=VOLUME)
    assert findings(connection, FindingKind.RECORD) == []
    record_disk(looking(connection, domain.uuid), DiskRecord("vdb", id="another"), [CONFIG])
    wrong = f"vdb is recorded as the volume another, but its serial is {VOLUME}"
    assert findings(connection, FindingKind.RECORD) == [wrong]
    operations.adopt_domain(connection, "a")
    assert findings(connection, FindingKind.RECORD) == []


def test_delete_removes_what_is_recorded_to_go_and_storage_keeps_what_is_recorded_to_stay(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    names = {"goes": True, "stays": False, "as-said": None}
    for storage, left in ((False, {"stays", "as-said"}), (True, {"stays"})):
        disks = [
            DiskSpec(path=str(tmp_path / name), size=MIB, delete_with_domain=delete) for name, delete in names.items()
        ]
        create(connection, *disks)
        words = done(uri, "delete", "a", *["--storage"] * storage)
        assert f"vda: {tmp_path}/goes: removed" in words
        assert (f"vdb: {tmp_path}/stays: kept (recorded to stay)" in words) is storage
        assert {path.name for path in tmp_path.iterdir()} == left
        for path in tmp_path.iterdir():
            path.unlink()


def test_image_that_another_domain_has_stays_also_when_it_is_recorded_to_go(
    connection: Connection, tmp_path: Path
) -> None:
    base = tmp_path / "base"
    create(connection, DiskSpec(path=str(base), size=MIB, delete_with_domain=True))
    over = tmp_path / "over"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", "qcow2", over], check=True)
    disk = f"<disk type='file'><driver name='qemu' type='qcow2'/><source file='{over}'/><target dev='vda'/></disk>"
    connection.define(domain_xml("b", extra=disk))
    deletion = operations.delete_domain(connection, "a")
    assert [image.kept for image in deletion.images] == ["used by the domain 'b'"] and base.exists()


def test_image_in_the_making_that_another_domain_has_by_now_is_not_removed(
    connection: Connection, tmp_path: Path
) -> None:
    domain = connection.define(domain_xml())
    place = image(tmp_path, "x")
    left = DiskRecord("vdb", "ua-x", "volume", place=str(place), format="raw")
    record_disk(looking(connection, domain.uuid), left, [CONFIG])
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "x", "vda")))
    with raising(disks.LEFT_IMAGE_IN_USE, user="b"):
        operations.detach_device(connection, "a", "vdb")
    assert operations.delete_domain(connection, "a", storage=True, dry_run=True).images[0].kept
    assert place.exists() and left_in_making(parse(domain.xml(CONFIG))) == [left]


def test_disk_list_shows_the_role_and_as_json_the_whole_record(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    create(connection, DiskSpec(path=str(tmp_path / "root"), size=MIB), DiskSpec(device="cdrom"))
    out = done(uri, "disk", "attach", "a", f"path={tmp_path}/new,size=1MiB,role=swap,id=7,delete-with-domain")
    assert "vdb" in out
    assert [line.split()[:2] for line in done(uri, "disk", "list", "a").splitlines()] == [
        ["NAME", "ROLE"],
        ["vda", "root"],
        ["vdb", "swap"],
        ["sda", "cdrom"],
    ]
    record = json.loads(done(uri, "disk", "list", "a", "-o", "json"))["devices"][1]["record"]
    assert (record["role"], record["id"], record["delete"]) == ("swap", "7", "yes")
    assert json.loads(done(uri, "interface", "list", "a", "-o", "json"))["devices"] == []
