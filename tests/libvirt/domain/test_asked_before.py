"""What a dry run of create, clone, edit, seal and upgrade says is libvirt's word; and what comes along is named."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import Element, canonical, child, parse, serialize
from holdfast.domainxml.make.open_parts import open_parts
from holdfast.errors import LibvirtRefused
from holdfast.errors.creation import CREATED_OTHERWISE, NOT_AS_GIVEN, NOT_STARTABLE_HERE
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import Created, DomainSpec, InterfaceSpec
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising

MIB = 1024 * 1024
WITHOUT_LIBVIRT = "holdfast.operations.asked_of_libvirt._reason_not_to_ask"
UUID = "00000000-0000-4000-8000-000000000001"
MAC = "52:54:00:00:00:01"

WRITTEN = f"""
<domain type='qemu'>
  <name>a</name><uuid>{UUID}</uuid><memory unit='MiB'>64</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <features><acpi/></features><cpu mode='maximum'/>
  <devices>
    <controller type='scsi' model='virtio-scsi'/>
    <interface type='user'><mac address='{MAC}'/><model type='virtio'/></interface>
    <console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc'/>
  </devices>
</domain>
"""
"""As somebody writes it by hand: libvirt adds controllers, a video card, a serial port, places."""


def create(connection: Connection, document: str, **options: bool) -> Created:
    return operations.create_domain_from_document(connection, document, **options)  # type: ignore[arg-type]


def sentences(created: Created) -> list[str]:
    return [str(change) for change in created.changes]


def of_another(connection: Connection, folder: Path) -> str:
    """The document of a guest that has run elsewhere, as libvirt printed it there: a disk without a serial, 4 ports."""
    domain = connection.define(domain_xml(ports=4, extra=disk_xml(folder, "data", "vda")))
    text = domain.xml(CONFIG)
    domain.undefine()
    return text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<memory unit='MiB'>64<", "<memory unit='MiB'>-5<"),
        ("<vcpu>1<", "<vcpu>-1<"),
        ("<domain ", "<domain colour='red' "),
        ("<acpi/>", "<acpi state='perhaps'/>"),
    ],
)
def test_a_dry_run_of_create_refuses_what_the_deed_would(connection: Connection, old: str, new: str) -> None:
    for dry_run in (True, False):
        with pytest.raises(LibvirtRefused, match="failed to validate"):
            create(connection, WRITTEN.replace(old, new), dry_run=dry_run)
    assert connection.domains() == []


def test_a_dry_run_has_every_device_and_place_of_the_deed(connection: Connection) -> None:
    spec = DomainSpec(memory=64 * MIB, interfaces=(InterfaceSpec(kind="user", mac=MAC),), firmware="uefi")
    would = operations.create_domain(connection, "a", spec, dry_run=True)
    made = operations.create_domain(connection, "a", spec)
    assert (would.asked_of_libvirt, made.asked_of_libvirt) == (True, None)
    assert "input" in [line.kind for line in would.devices]
    for field in ("devices", "free_places", "brought", "changes", "notes"):
        assert getattr(would, field) == getattr(made, field), field
    assert without_random(parse(would.document)) == without_random(parse(made.document))


def without_random(domain: Element) -> bytes:
    for path in ("uuid", "metadata"):
        for found in domain.findall(path):
            domain.remove(found)
    for nvram in domain.iterfind("os/nvram"):
        nvram.text = None  # it is named after the UUID
    return canonical(domain)


def test_what_comes_along_is_named_before_and_afterwards(connection: Connection, uri: str, tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    file.write_text(WRITTEN)
    would = create(connection, WRITTEN, dry_run=True)
    for kind in ("controller sata 0", "controller virtio-serial 0", "video", "input", "controller usb 0"):
        assert any(device.startswith(kind) for device in would.brought), (kind, would.brought)
    assert {"input mouse ps2", "input keyboard ps2"} <= set(would.brought)
    assert not any(device.startswith("controller scsi") for device in would.brought)
    assert f"with it would come {would.brought[0]}" in run(uri, "create", "--from-xml", str(file), "--dry-run").stderr
    told = json.loads(done(uri, "create", "--from-xml", str(file), "-o", "json"))
    assert tuple(told["brought"]) == would.brought


def test_ports_and_serials_that_a_document_gets_from_us_are_changes(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    text = of_another(connection, tmp_path)
    would = create(connection, text, dry_run=True)
    serial, *ports = sentences(would)
    assert serial == "disk vda: serial is set to one chosen at random (was not given)"
    assert len(ports) == 14 and all(port.startswith("controller pci ") for port in ports)
    assert would.brought == ()
    (tmp_path / "a.xml").write_text(text)
    told = done(uri, "create", "--from-xml", str(tmp_path / "a.xml"))
    assert told.count("not as in the document: ") == 15
    assert told.count("not as in the document: disk vda: serial is set to") == 1


def test_a_place_that_libvirt_does_not_take_is_told(connection: Connection) -> None:
    text = WRITTEN.replace(
        f"<mac address='{MAC}'/>",
        f"<mac address='{MAC}'/><address type='pci' domain='0' bus='0' slot='0' function='0'/>",
    )
    would = create(connection, text, dry_run=True)
    (moved,) = [each for each in sentences(would) if " moved " in each]
    assert moved.startswith(f"interface {MAC} moved from pci 0000:00:00.0 to pci 0000:")
    for dry_run in (True, False):
        chosen = f"interface {MAC} may move: its place was left open, it is pci 0000:"
        with raising(NOT_AS_GIVEN, changes=re.compile(f".*, {re.escape(chosen)}.*")):
            create(connection, text, as_is=True, dry_run=dry_run)
    assert connection.domains() == []
    assert moved in sentences(create(connection, text))


def test_as_is_takes_a_document_exactly(connection: Connection, uri: str, tmp_path: Path) -> None:
    text = of_another(connection, tmp_path)
    (tmp_path / "a.xml").write_text(text)
    assert done(uri, "create", "--from-xml", str(tmp_path / "a.xml"), "--as-is", "--dry-run").count("<serial>") == 0
    foreseen = create(connection, text, as_is=True, start=True, dry_run=True)
    made = create(connection, text, as_is=True, start=True)
    assert canonical(parse(made.document)) == canonical(parse(text))
    assert foreseen.notes == made.notes and "it stays off after the host has booted" in made.notes[-1]
    assert (made.changes, made.brought, made.uuid) == ((), (), connection.find_domain("a").uuid)


def test_as_is_is_proved_where_libvirt_cannot_be_asked(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(WITHOUT_LIBVIRT, lambda connection: "it is far away")
    with raising(CREATED_OTHERWISE, changes=re.compile(".*, controller usb 0 is added at pci 0000:.*")):
        create(connection, WRITTEN, as_is=True)
    assert connection.find_domain("a").uuid == UUID


@pytest.mark.parametrize(
    "options", [("--as-is", "--memory", "1GiB", "b"), ("--as-is", "--from-xml", "a.xml", "--root-ports", "3")]
)
def test_as_is_goes_with_a_document_and_nothing_else(uri: str, options: tuple[str, ...]) -> None:
    result = run(uri, "create", *options)
    assert (result.exit_code, "--as-is" in result.stderr) == (2, True)


def test_what_libvirt_adds_is_sealed_like_all_else(connection: Connection) -> None:
    made = create(connection, WRITTEN)
    left = [part.sentence for part in open_parts(parse(made.document))]
    assert left == ["the CPU is all that QEMU offers (maximum): it changes with QEMU"]
    assert canonical(parse(made.document)) == canonical(parse(connection.find_domain("a").xml(CONFIG)))


def test_a_clone_of_a_domain_on_a_tap_device_of_somebody_elses_is_made(connection: Connection) -> None:
    tap = f"<interface type='ethernet'><mac address='{MAC}'/><target dev='tap0' managed='no'/></interface>"
    connection.define(domain_xml(extra=tap))
    would = operations.clone_domain(connection, "a", "b", dry_run=True)
    made = operations.clone_domain(connection, "a", "b")
    assert (would.asked_of_libvirt, would.notes) == (True, made.notes)
    assert made.notes == ("the tap device tap0 was made for the other domain; libvirt makes one for this domain",)
    assert parse(made.document).find("devices/interface/target") is None


def test_a_dry_run_of_a_clone_refuses_what_libvirt_would(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection.define(domain_xml())

    def renewed(domain: Element, name: str, **_: object) -> list[str]:
        child(domain, "name").text = name
        child(domain, "uuid").text = UUID
        child(child(domain, "devices"), "emulator").text = "/no/such/qemu"
        return []

    monkeypatch.setattr("holdfast.operations.domain.clone.renew_identity", renewed)
    with pytest.raises(LibvirtRefused, match="/no/such/qemu"):
        operations.clone_domain(connection, "a", "b", dry_run=True)


def written_over(connection: Connection, written: str, *, dry_run: bool = True) -> operations.Edited:
    original = operations.document(connection, "a", secure=True)
    return operations.edit_domain(connection, "a", original, written, accept=True, dry_run=dry_run)


def test_an_edit_with_a_document_written_by_hand_is_what_libvirt_makes_of_it(connection: Connection) -> None:
    connection.define(WRITTEN)
    same = written_over(connection, WRITTEN)
    assert (same.changes, same.asked_of_libvirt) == ((), True)
    more = WRITTEN.replace("<graphics type='vnc'/>", "<interface type='user'><model type='virtio'/></interface>")
    would = written_over(connection, more)
    assert sum(change.where == "devices/interface" for change in would.changes) == 1
    assert written_over(connection, more, dry_run=False).changes == would.changes


def test_an_edit_names_the_ports_that_a_slip_would_add(connection: Connection) -> None:
    domain = connection.define(domain_xml(ports=4))
    far = "<rng model='virtio'><backend model='builtin'/><address type='pci' bus='0x20' slot='0' function='0'/></rng>"
    text = domain.xml(CONFIG, secure=True).replace("</devices>", f"{far}</devices>")
    would = written_over(connection, text)
    assert len([change for change in would.changes if change.what.startswith("controller pci")]) == 28


@pytest.mark.parametrize(
    ("steps", "act"),
    [
        (1, lambda connection: operations.seal_domain(connection, "a", add_ports=9, dry_run=True)),
        (1, lambda connection: operations.upgrade_machine(connection, "a", "pc-q35-7.1", lower=True, dry_run=True)),
        (
            2,
            lambda connection: operations.set_domain(
                connection, "a", operations.DomainSettings(max_memory=96 * MIB), dry_run=True
            ),
        ),
    ],
)
def test_other_changes_of_config_are_asked_too(
    connection: Connection, steps: int, act: Callable[[Connection], operations.Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = connection.define(domain_xml()).xml(CONFIG)
    assert act(connection).asked_of_libvirt is True
    monkeypatch.setattr(WITHOUT_LIBVIRT, lambda connection: "it is far away")
    would = act(connection)
    assert (would.asked_of_libvirt, "not asked of libvirt: it is far away" in would.notes) == (False, True)
    monkeypatch.undo()
    ends = iter([*[""] * (steps - 1), "<flux/>"])
    monkeypatch.setattr("holdfast.operations.asked_of_libvirt.serialize", lambda step: serialize(step) + next(ends))
    with pytest.raises(LibvirtRefused):
        act(connection)
    assert connection.find_domain("a").xml(CONFIG) == before


def test_where_libvirt_is_not_asked_text_and_json_say_so(
    daemon: Connection, remote_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.define(domain_xml())
    (tmp_path / "b.xml").write_text(WRITTEN.replace(">a<", ">b<"))
    (tmp_path / "rng.xml").write_text("<rng model='virtio'><backend model='builtin'/></rng>")
    monkeypatch.setenv("EDITOR", "sed -i s:>65536<:>131072<:")
    for command in (
        f"create --from-xml {tmp_path}/b.xml",
        "clone a c",
        f"device attach a {tmp_path}/rng.xml",
        "set a --max-memory 96MiB",
        "edit a",
        "seal a --add-ports 9",
        "upgrade machine a pc-q35-7.1 --lower",
    ):
        result = run(remote_uri, *command.split(), "--dry-run")
        assert (result.exit_code, "not asked of libvirt: " in result.output) == (0, True), (command, result.output)
        told = json.loads(done(remote_uri, *command.split(), "--dry-run", "-o", "json"))
        assert (told["asked_of_libvirt"], told["dry_run"]) == (False, True)
        assert any(note.startswith("not asked of libvirt: ") for note in told["notes"])


def test_a_dry_run_of_a_detach_refuses_what_libvirt_would(connection: Connection) -> None:
    connection.define(domain_xml())
    for dry_run in (True, False):
        with pytest.raises(LibvirtRefused, match="detach of device 'memballoon' is not supported"):
            operations.detach_device(connection, "a", "<memballoon model='virtio'/>", dry_run=dry_run)


def test_a_dry_run_of_a_domain_that_others_have_defined_past_the_schema_is_not_refused_for_that(
    connection: Connection, tmp_path: Path
) -> None:
    loose = disk_xml(tmp_path, "one", "vda").replace("<target", "<colour/><target")
    connection._handle.defineXML(domain_xml(extra=loose))
    would = operations.detach_device(connection, "a", "vda", dry_run=True)
    assert (would.asked_of_libvirt, would.notes) == (True, ())


def test_a_dry_run_of_a_revert_to_other_hardware_asks_libvirt(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(extra=qcow2_disk(qcow2(tmp_path, "root"))))
    operations.create_snapshot(connection, "a", "one")
    operations.attach_device(connection, "a", "<rng model='virtio'><backend model='builtin'/></rng>")
    before = domain.xml(CONFIG)
    would = operations.revert_to_snapshot(connection, "a", "one", dry_run=True)
    assert (would.asked_of_libvirt, bool(would.changes), domain.xml(CONFIG)) == (True, True, before)


def test_a_clone_that_could_not_start_is_said_so_before_anything_is_made(connection: Connection) -> None:
    connection.define(domain_xml().replace("</os>", "<kernel>/no/such/kernel</kernel></os>"))
    would = operations.clone_domain(connection, "a", "b", dry_run=True)
    assert "it does not start yet: " in would.notes[0]
    assert "/no/such/kernel" in would.notes[0]
    for dry_run in (True, False):
        with raising(NOT_STARTABLE_HERE, name="b"):
            operations.clone_domain(connection, "a", "b", start=True, dry_run=dry_run)
    assert [each.name for each in connection.domains()] == ["a"]
    assert operations.clone_domain(connection, "a", "b").notes == would.notes


def test_a_clone_without_its_only_disk_is_made_as_the_dry_run_says(connection: Connection, tmp_path: Path) -> None:
    """libvirt gives a domain in which nothing is booted <boot dev='hd'/> (9.0)."""
    disk = disk_xml(tmp_path, "one", "vda").replace("</disk>", "<boot order='1'/></disk>")
    connection.define(domain_xml(extra=disk))
    would = operations.clone_domain(connection, "a", "b", without=["vda"], dry_run=True)
    made = operations.clone_domain(connection, "a", "b", without=["vda"])
    assert (would.asked_of_libvirt, would.notes, would.free_places) == (True, made.notes, made.free_places)
