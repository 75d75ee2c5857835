"""Reverting: what the guest would see differ is shown and refused first, and nothing beside the hardware is lost."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import DiskRecord, RunAgain, Started
from holdfast.domainxml.metadata import fact, facts
from holdfast.errors import LibvirtRefused, snapshots
from holdfast.errors.guard import UNASKED_REVERT_HARDWARE
from holdfast.errors.images import NO_IMAGE
from holdfast.libvirtapi import snapshot as libvirt_snapshot
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, domain_xml
from tests.libvirt.images import mark_of, qcow2, qcow2_disk, tags, write
from tests.libvirt.snapshots.test_create import in_state, texts
from tests.libvirt.snapshots.test_delete import external, overlay_of
from tests.raising import raising

NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"


def with_snapshot(connection: Connection, folder: Path, state: str = "shut off") -> Domain:
    """The domain "a" with a root disk that held 1 when its snapshot "one" was made."""
    domain = in_state(connection, state, qcow2_disk(qcow2(folder, "root", 1)))
    operations.create_snapshot(connection, "a", "one")
    return domain


def attach_later(connection: Connection, folder: Path) -> Path:
    """Attach a disk vdb to the domain "a"."""
    path = qcow2(folder, "later", 9)
    operations.attach_device(connection, "a", qcow2_disk(path, "vdb"))
    return path


def describe(domain: Domain, word: str) -> None:
    """Give the domain a title, a description and an element of Nova's that say ``word``, in all its documents."""
    for definition in (LIVE, CONFIG) if domain.is_active() else (CONFIG,):
        affect = 1 if definition is LIVE else 2
        for kind in (0, 1):
            domain._handle.setMetadata(kind, word, None, None, affect)
        domain.set_metadata(f"<instance><name>{word}</name></instance>", "nova", NOVA, definition)


def described(domain: Domain, definition: Definition) -> list[str | None]:
    """What one document says of those."""
    document = parse(domain.xml(definition))
    instance = f"metadata/{{{NOVA}}}instance"
    found = [document.findtext(path) for path in ("title", "description", f"{instance}/{{{NOVA}}}name")]
    return [*found, document.findtext(f"{instance}/name")]


def said(domain: Domain, definition: Definition, word: str) -> bool:
    """True when all that :func:`describe` writes is there, with this word."""
    return {text for text in described(domain, definition) if text is not None} == {word} and (
        len([text for text in described(domain, definition) if text]) == 3
    )


@pytest.mark.parametrize("state", ["shut off", "paused", "running"])
def test_unchanged_hardware_reverts_without_a_word(connection: Connection, tmp_path: Path, state: str) -> None:
    domain = with_snapshot(connection, tmp_path, state)
    before = texts(domain)
    if state == "shut off":
        write(tmp_path / "root.qcow2", 2)
    reverted = operations.revert_to_snapshot(connection, "a", "one")
    assert (reverted.changes, reverted.detached, reverted.after) == ((), (), state)
    assert [text.partition("<name>")[2] for text in texts(domain)] == [text.partition("<name>")[2] for text in before]
    assert mark_of(tmp_path / "root.qcow2") == 1


@pytest.mark.parametrize("state", ["shut off", "paused"])
def test_changed_hardware_is_refused_listed_and_taken_with_accept(
    connection: Connection, uri: str, tmp_path: Path, state: str
) -> None:
    domain = with_snapshot(connection, tmp_path, state)
    later = attach_later(connection, tmp_path)
    before = texts(domain)
    result = run(uri, "snapshot", "revert", "a", "one")
    assert result.exit_code == 3
    assert "disk vdb is removed" in result.stderr and "--accept" in result.stderr
    assert "disk vdb is removed" in done(uri, "snapshot", "revert", "a", "one", "--dry-run")
    assert texts(domain) == before
    (change,) = operations.list_snapshots(connection, "a")[0].changes
    assert str(change) == "disk vdb is removed, it was at pci 0000:03:00.0"
    shown = done(uri, "snapshot", "revert", "a", "one", "--accept")
    assert f"vdb is no longer attached; its image is kept: {later}" in shown
    assert "vdb" not in domain.xml(LIVE) + domain.xml(CONFIG)
    assert mark_of(later) == 9


def test_libvirt_itself_loses_disk_title_and_metadata_silently(connection: Connection, tmp_path: Path) -> None:
    domain = with_snapshot(connection, tmp_path, "paused")
    attach_later(connection, tmp_path)
    describe(domain, "today")
    assert said(domain, LIVE, "today")
    libvirt_snapshot.find_snapshot(domain, "one").revert()
    for definition in (LIVE, CONFIG):
        assert "vdb" not in domain.xml(definition)
        assert not any(described(domain, definition))


@pytest.mark.parametrize("state", ["shut off", "paused"])
def test_title_description_and_metadata_of_today_stay(connection: Connection, tmp_path: Path, state: str) -> None:
    domain = in_state(connection, state, qcow2_disk(qcow2(tmp_path, "root")))
    describe(domain, "then")
    operations.create_snapshot(connection, "a", "one")
    attach_later(connection, tmp_path)
    describe(domain, "today")
    operations.revert_to_snapshot(connection, "a", "one", accept=True)
    assert "vdb" not in domain.xml(CONFIG)
    for definition in (LIVE, CONFIG):
        assert said(domain, definition, "today")


def test_metadata_survives_libvirt_stopping_in_the_middle(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = with_snapshot(connection, tmp_path, "paused")
    describe(domain, "today")
    original = libvirt_snapshot.Snapshot.revert

    def killed(snapshot: libvirt_snapshot.Snapshot, force: bool = False) -> None:
        original(snapshot, force)
        raise KeyboardInterrupt

    monkeypatch.setattr(libvirt_snapshot.Snapshot, "revert", killed)
    with pytest.raises(KeyboardInterrupt):
        operations.revert_to_snapshot(connection, "a", "one")
    assert said(domain, LIVE, "today") and said(domain, CONFIG, "today")


def test_our_facts_stay_for_disks_that_are_still_there(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "paused", qcow2_disk(qcow2(tmp_path, "root")))
    operations.adopt_domain(connection, "a")
    record_fact(looking(connection, domain.uuid), Started("cpu of then", ""), CONFIG)
    operations.create_snapshot(connection, "a", "one")
    attach_later(connection, tmp_path)
    record_fact(looking(connection, domain.uuid), DiskRecord("vda", role="config"))
    record_fact(looking(connection, domain.uuid), DiskRecord("vdb", role="volume"))
    record_fact(looking(connection, domain.uuid), Started("cpu of today", ""), CONFIG)
    operations.revert_to_snapshot(connection, "a", "one", accept=True)
    live, config = (parse(domain.xml(definition)) for definition in (LIVE, CONFIG))
    for document in (live, config):
        assert facts(document, DiskRecord) == [DiskRecord("vda", role="config")]
    assert fact(config, Started) == Started("cpu of then", "")
    assert fact(live, Started) is None


def test_what_waits_in_config_is_part_of_what_a_revert_changes(connection: Connection, tmp_path: Path) -> None:
    domain = with_snapshot(connection, tmp_path, "paused")
    operations.attach_device(connection, "a", qcow2_disk(qcow2(tmp_path, "later"), "vdb"), config_only=True)
    with raising(UNASKED_REVERT_HARDWARE) as caught:
        operations.revert_to_snapshot(connection, "a", "one")
    assert "disk vdb is removed" in str(caught.value)
    reverted = operations.revert_to_snapshot(connection, "a", "one", accept=True)
    assert [disk.target for disk in reverted.detached] == ["vdb"]
    assert "vdb" not in domain.xml(CONFIG)


def test_running_guest_is_switched_off_only_when_that_is_accepted(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = with_snapshot(connection, tmp_path)
    domain.start()
    result = run(uri, "snapshot", "revert", "a", "one")
    assert (result.exit_code, "the running guest is switched off" in result.stderr) == (3, True)
    assert domain.is_active()
    assert "it is shut off" in done(uri, "snapshot", "revert", "a", "one", "--accept")


def test_shut_off_domain_continues_from_a_snapshot_with_memory(connection: Connection, tmp_path: Path) -> None:
    domain = with_snapshot(connection, tmp_path, "running")
    domain.destroy()
    reverted = operations.revert_to_snapshot(connection, "a", "one")
    assert (reverted.before, reverted.after) == ("shut off", "running")


def test_host_model_cpu_and_a_graphics_password_come_back(connection: Connection, tmp_path: Path) -> None:
    graphics = "<graphics type='vnc' passwd='secret'/>"
    text = domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root")) + graphics)
    domain = connection.define(text.replace("</features>", "</features><cpu mode='host-model'/>"))
    domain.start(paused=True)
    operations.create_snapshot(connection, "a", "one")
    assert operations.revert_to_snapshot(connection, "a", "one").changes == ()
    for definition in (LIVE, CONFIG):
        assert "passwd='secret'" in domain.xml(definition, secure=True)


def test_external_snapshot_is_not_reverted_by_this_libvirt(connection: Connection, uri: str, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root")
    domain = in_state(connection, "shut off", qcow2_disk(path))
    operations.create_snapshot(connection, "a", "one", external=True)
    before = texts(domain)
    if connection.libvirt_version() >= (9, 9):
        pytest.skip("this libvirt reverts to external snapshots")
    for options in ([], ["--accept"], ["--dry-run"]):
        result = run(uri, "snapshot", "revert", "a", "one", *options)
        assert result.exit_code == 1
        assert "libvirt 9.0.0 cannot revert to an external snapshot; 9.9.0 and later can" in result.stderr
        assert f"the images {path} hold the disks of that time" in result.stderr
    assert "nothing of it is inside the images" in run(uri, "snapshot", "revert", "a", "one", "--disks-only").stderr
    assert texts(domain) == before


def test_later_libvirt_is_let_do_it(connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    operations.create_snapshot(connection, "a", "one", external=True)
    refuses = connection.libvirt_version() < (9, 9)
    monkeypatch.setattr(Connection, "libvirt_version", lambda self: (9, 9, 0))
    # One that cannot do it is asked all the same.
    with pytest.raises(LibvirtRefused, match="not supported yet") if refuses else nullcontext():
        operations.revert_to_snapshot(connection, "a", "one")


def test_image_below_an_external_snapshot_is_not_rewritten(connection: Connection, uri: str, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root", 1)
    domain = in_state(connection, "shut off", qcow2_disk(path))
    operations.create_snapshot(connection, "a", "inner")
    write(path, 2)
    external(domain, tmp_path / "a-vda.outer.qcow2")
    for options in (["--accept"], ["--disks-only"]):
        result = run(uri, "snapshot", "revert", "a", "inner", *options)
        assert result.exit_code in (1, 3)
    assert "the external snapshot 'outer' rests on" in run(uri, "snapshot", "revert", "a", "inner").stderr
    assert mark_of(tmp_path / "a-vda.outer.qcow2") == 2
    libvirt_snapshot.find_snapshot(domain, "inner").revert()  # the control
    assert mark_of(tmp_path / "a-vda.outer.qcow2") == 1
    assert "outer" not in domain.xml(CONFIG)


def test_image_below_another_domain_is_not_rewritten(connection: Connection, tmp_path: Path) -> None:
    with_snapshot(connection, tmp_path)
    write(tmp_path / "root.qcow2", 2)
    overlay_of(connection, tmp_path, tmp_path / "root.qcow2")
    for disks_only in (False, True):
        with raising(snapshots.USED_BY_OTHER, user="clone"):
            operations.revert_to_snapshot(connection, "a", "one", disks_only=disks_only)
    assert mark_of(tmp_path / "clone.qcow2") == 2


def test_disk_that_is_gone_stops_the_revert_before_it_begins(connection: Connection, tmp_path: Path) -> None:
    root, other = qcow2(tmp_path, "root", 1), qcow2(tmp_path, "other", 1)
    domain = in_state(connection, "shut off", qcow2_disk(root) + qcow2_disk(other, "vdb"))
    operations.create_snapshot(connection, "a", "one")
    write(root, 2)
    other.unlink()
    with raising(NO_IMAGE, path=other):
        operations.revert_to_snapshot(connection, "a", "one")
    qcow2(tmp_path, "other", 3)
    with raising(snapshots.NOT_IN_IMAGE, image=other):
        operations.revert_to_snapshot(connection, "a", "one")
    assert mark_of(root) == 2
    with pytest.raises(LibvirtRefused):  # the control: the first disk is reverted, and the rest is not
        libvirt_snapshot.find_snapshot(domain, "one").revert()
    assert mark_of(root) == 1


def test_revert_that_kills_the_guest_and_fails_says_what_stands(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = with_snapshot(connection, tmp_path, "running")
    path = tmp_path / "root.qcow2"

    def and_the_image_vanishes(*arguments: object) -> None:
        path.rename(tmp_path / "elsewhere")

    monkeypatch.setattr("holdfast.operations.snapshots.revert.redefine_snapshot", and_the_image_vanishes)
    with raising(snapshots.REVERT_STOPPED, state="shut off"):
        operations.revert_to_snapshot(connection, "a", "one")
    monkeypatch.undo()
    (tmp_path / "elsewhere").rename(path)
    assert operations.revert_to_snapshot(connection, "a", "one").after == "running"
    assert domain.is_active()


def test_number_that_qemu_would_take_for_another_snapshot(connection: Connection, uri: str, tmp_path: Path) -> None:
    path = qcow2(tmp_path, "root", 1)
    domain = in_state(connection, "shut off", qcow2_disk(path))
    operations.create_snapshot(connection, "a", "first")
    write(path, 2)
    libvirt_snapshot.make_snapshot(domain, "<domainsnapshot><name>1</name></domainsnapshot>")
    write(path, 3)
    result = run(uri, "snapshot", "revert", "a", "1")
    assert result.exit_code == 3
    assert "QEMU would revert" in result.stderr and "'first', whose number is 1" in result.stderr
    assert mark_of(path) == 3
    done(uri, "snapshot", "revert", "a", "1", "--disks-only")
    assert mark_of(path) == 2
    libvirt_snapshot.find_snapshot(domain, "1").revert()  # the control: that is what "first" holds
    assert mark_of(path) == 1


def test_saved_memory_is_not_put_over_reverted_disks(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = with_snapshot(connection, tmp_path, "running")
    operations.save_domain(connection, "a")
    for options in ([], ["--accept"], ["--disks-only"]):
        result = run(uri, "snapshot", "revert", "a", "one", *options)
        assert (result.exit_code, "managed-save image" in result.stderr) == (3, True)
    libvirt_snapshot.find_snapshot(domain, "one").revert()  # the control: the guest runs beside its older memory
    assert (domain.state(), domain.has_managed_save()) == ("running", True)


def test_snapshot_of_an_old_libvirt_is_not_reverted_blindly(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = with_snapshot(connection, tmp_path)
    text = libvirt_snapshot.find_snapshot(domain, "one").xml()
    bare = f"{text.partition('<domain')[0]}<domainsnapshot>{text.partition('<domainsnapshot>')[2]}"
    old = bare.partition("<domain type")[0] + f"<domain><uuid>{domain.uuid}</uuid></domain></domainsnapshot>"
    monkeypatch.setattr(libvirt_snapshot.Snapshot, "xml", lambda self, secure=False: old)
    with raising(snapshots.HARDWARE_UNKNOWN):
        operations.revert_to_snapshot(connection, "a", "one", accept=True)


def test_domain_can_be_edited_while_it_has_snapshots_and_the_audit_says_the_same_as_the_list(
    connection: Connection, tmp_path: Path
) -> None:
    with_snapshot(connection, tmp_path)
    operations.seal_domain(connection, "a", add_serials=True)
    attach_later(connection, tmp_path)
    (info,) = operations.list_snapshots(connection, "a")
    sentences = [str(change) for change in info.changes]
    assert any("vdb is removed" in sentence for sentence in sentences)
    findings = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    (finding,) = [finding for finding in findings if finding.kind == "snapshot"]
    assert all(sentence in finding.sentence for sentence in sentences[:2])


def test_read_only_connection_reverts_nothing(connection: Connection, uri: str, tmp_path: Path) -> None:
    with_snapshot(connection, tmp_path)
    result = run(uri, "-r", "snapshot", "revert", "a", "one")
    assert (result.exit_code, "connect without --readonly" in result.stderr) == (1, True)
    assert tags(tmp_path / "root.qcow2") == ["one"]


def test_json_tells_changes_and_kept_images(connection: Connection, uri: str, tmp_path: Path) -> None:
    with_snapshot(connection, tmp_path)
    later = attach_later(connection, tmp_path)
    told = json.loads(done(uri, "snapshot", "revert", "a", "one", "--accept", "-o", "json"))
    assert told["detached"] == [{"target": "vdb", "image": str(later), "overlay": None}]
    assert (told["format"], told["before"], told["after"]) == ("holdfast.snapshot.revert", "shut off", "shut off")
    assert [change["sentence"] for change in told["changes"]] == ["disk vdb is removed, it was at pci 0000:03:00.0"]


def test_what_is_wanted_after_the_host_boots_follows_the_revert(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "shut off", qcow2_disk(qcow2(tmp_path, "root")))
    operations.adopt_domain(connection, "a")
    operations.create_snapshot(connection, "a", "off")
    operations.start(connection, "a")
    operations.create_snapshot(connection, "a", "on")
    for snapshot, wanted in (("off", False), ("on", True)):
        operations.revert_to_snapshot(connection, "a", snapshot, accept=True)
        assert domain.is_active() is wanted
        assert (fact(parse(domain.xml(CONFIG)), RunAgain) is not None) is wanted


def test_transient_domain_is_reverted_to_what_others_made(connection: Connection, tmp_path: Path) -> None:
    domain = in_state(connection, "running", qcow2_disk(qcow2(tmp_path, "root")))
    domain.undefine()
    libvirt_snapshot.make_snapshot(domain, "<domainsnapshot><name>one</name></domainsnapshot>")
    assert operations.revert_to_snapshot(connection, "a", "one").after == "running"
    assert operations.list_snapshots(connection, "a")[0].changes == ()
