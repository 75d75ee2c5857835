"""Rescue: the domain's own hardware stays where it is, and its config document is not touched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import libvirt
from holdfast import operations
from holdfast.cli import hints
from holdfast.domainxml.address import pci_address
from holdfast.domainxml.device import find_device, label
from holdfast.domainxml.document import devices, parse
from holdfast.errors import Condition, HoldfastError, LibvirtRefused, documents, elements, images, power
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec
from holdfast_lab.regenerate import fresh_document
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.power.rescues import booted, defined, intended, medium, whereabouts
from tests.raising import raising

SEATS = [
    (machine, bus, device)
    for machine in ("q35", "pc")
    for bus in ("virtio", "usb", "sata", "scsi", "ide")
    for device in ("disk", "cdrom")
    if (machine, bus) != ("q35", "ide") and (bus, device) != ("virtio", "cdrom")
]


@pytest.mark.parametrize(("machine", "bus", "device"), SEATS)
def test_everything_else_stays_where_it_is_and_config_is_not_touched(
    connection: Connection, tmp_path: Path, machine: str, bus: str, device: str
) -> None:
    domain = defined(connection, tmp_path, machine)
    before = domain.xml(CONFIG, secure=True)
    own = parse(before)
    rescued = operations.rescue(connection, "a", medium(tmp_path, bus, device))
    assert whereabouts(domain, own) == intended(own)
    assert booted(domain)[0] == rescued.label
    assert domain.xml(CONFIG, secure=True) == before
    assert (rescued.before, rescued.after) == ("shut off", "running")
    live = parse(domain.xml(LIVE))
    added = [each for each in devices(live) if find_device(own, each) is None]
    assert {label(each) for each in added if each.tag == "disk"} == {rescued.label}
    operations.unrescue(connection, "a")
    assert domain.xml(CONFIG, secure=True) == before
    domain.start(paused=True)
    assert whereabouts(domain, own) == intended(own)
    assert domain.xml(CONFIG, secure=True) == before


@pytest.mark.parametrize("bus", ["virtio", "usb", "sata", "scsi"])
@pytest.mark.parametrize("machine", ["q35", "pc"])
def test_controller_or_port_that_is_missing_comes_behind_all_others(
    connection: Connection, tmp_path: Path, machine: str, bus: str
) -> None:
    domain = connection.define(domain_xml("a", machine, ports=2, extra=disk_xml(tmp_path, "root", "vda")))
    own = parse(domain.xml(CONFIG))
    for nothing in own.findall("devices/controller[@model='none']"):
        own[-1].remove(nothing)  # no hardware: a place for a USB controller
    operations.rescue(connection, "a", medium(tmp_path, bus))
    assert whereabouts(domain, own) == intended(own)
    ports = parse(domain.xml(LIVE)).findall("devices/controller[@model='pcie-root-port']")
    assert [str(pci_address(port)) for port in ports] == sorted(str(pci_address(port)) for port in ports)


def test_document_that_is_written_anew_for_the_rescue_moves_everything(connection: Connection, tmp_path: Path) -> None:
    """The control: the rescue disk is the first of the list, as managers have it that generate their documents."""
    disks = "".join(disk_xml(tmp_path, name, name, f"<serial>{name}</serial>") for name in ("vda", "vdb"))
    domain = connection.define(domain_xml("a", extra=disks))
    rescue = disk_xml(tmp_path, "rescue-system", "vdc", "<serial>rescue</serial>")
    stock = domain.xml(CONFIG).replace("</devices>", f"{rescue}</devices>")
    connection._handle.createXML(fresh_document(stock, ["rescue", "vda", "vdb"]), libvirt.VIR_DOMAIN_START_PAUSED)
    config, live = (
        {disk.findtext("serial"): (label(disk), pci_address(disk)) for disk in parse(domain.xml(which)).iter("disk")}
        for which in (CONFIG, LIVE)
    )
    assert live["rescue"] == config["vda"]
    assert live["vda"] == config["vdb"]


def test_boot_order_of_the_domain_follows_the_medium(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    for old, new in (("<target dev='vdb'", 2), ("<model type='virtio'/>", 1)):
        document = domain.xml(CONFIG).replace("<boot dev='hd'/>", "")
        connection.define(document.replace(old, f"<boot order='{new}'/>{old}", 1))
    mac = parse(domain.xml(CONFIG)).find("devices/interface/boot/../mac").get("address")  # type: ignore[union-attr]
    rescued = operations.rescue(connection, "a", medium(tmp_path))
    assert booted(domain) == [rescued.label, mac, "vdb"]


def test_boot_devices_of_the_domain_become_the_order_that_they_mean(connection: Connection, tmp_path: Path) -> None:
    cds = "".join(disk_xml(tmp_path, name, name, bus="sata").replace("'disk'", "'cdrom'") for name in ("sdy", "sdz"))
    domain = defined(connection, tmp_path, extra=cds)
    boots = "<boot dev='cdrom'/><boot dev='network'/><boot dev='hd'/><bootmenu enable='yes' timeout='3000'/>"
    connection.define(domain.xml(CONFIG).replace("<boot dev='hd'/>", boots))
    mac = parse(domain.xml(CONFIG)).find("devices/interface/mac").get("address")  # type: ignore[union-attr]
    rescued = operations.rescue(connection, "a", medium(tmp_path))
    live = parse(domain.xml(LIVE))
    first_disk = label(parse(domain.xml(CONFIG)).find("devices/disk[@device='disk']"))  # type: ignore[arg-type]
    assert booted(domain) == [rescued.label, "sdy", mac, first_disk]
    assert live.find("os/boot") is None
    assert live.find("os/bootmenu") is not None


def test_kernel_that_is_booted_directly_does_not_stand_in_the_way(connection: Connection, tmp_path: Path) -> None:
    direct = "<kernel>/nonexistent/vmlinuz</kernel><initrd>/nonexistent/initrd</initrd><cmdline>quiet</cmdline></os>"
    domain = defined(connection, tmp_path)
    connection.define(domain.xml(CONFIG).replace("</os>", direct))
    before = domain.xml(CONFIG)
    operations.rescue(connection, "a", medium(tmp_path))
    assert [node.tag for node in parse(domain.xml(LIVE)).iterfind("os/*")] == ["type"]
    assert domain.xml(CONFIG) == before


def test_medium_must_be_seen_where_it_was_put_or_the_rescue_never_runs(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = defined(connection, tmp_path, ports=10)
    before = domain.xml(CONFIG)
    start = type(connection).start_from
    taken = parse(before).find("devices/disk/target[@dev='vda']/../address").get("bus")  # type: ignore[union-attr]

    def moved(self: Connection, document: str) -> Domain:
        assert f'bus="{taken}"' in document
        return start(self, document.replace(f'bus="{taken}"', 'bus="0x0a"', 1))

    monkeypatch.setattr(type(connection), "start_from", moved)
    with raising(power.RESCUE_CHANGED, changes="disk vda moved from pci 0000:05:00.0 to pci 0000:0a:00.0"):
        operations.rescue(connection, "a", medium(tmp_path))
    assert domain.state() == "shut off"
    assert domain.xml(CONFIG) == before


def test_password_of_the_display_is_asked_for_in_the_rescue_too(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path, extra="<graphics type='vnc' passwd='sesame'/>")
    operations.rescue(connection, "a", medium(tmp_path))
    assert "passwd='sesame'" in domain.xml(LIVE, secure=True)
    assert "sesame" not in domain.xml(LIVE)


def test_image_of_a_disk_needs_its_format_said(connection: Connection, uri: str, tmp_path: Path) -> None:
    defined(connection, tmp_path)
    result = run(uri, "rescue", "a", "--image", str(image(tmp_path, "r")))
    assert result.exit_code == 2
    assert "--format qcow2 or --format raw" in result.stderr


def test_image_that_must_not_be_used_is_refused_before_anything_is_switched_off(
    connection: Connection, tmp_path: Path
) -> None:
    domain = defined(connection, tmp_path)
    domain.start()
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "other", "vda")))
    (tmp_path / "false.img").write_bytes(b"QFI\xfb\0\0\0\3" + bytes(1000))
    cases: list[tuple[DiskSpec | str, Condition[HoldfastError]]] = [
        (DiskSpec(path=f"{tmp_path}/nosuch", format="raw"), images.NO_IMAGE),
        (DiskSpec(path=f"{tmp_path}/false.img", format="raw"), images.NOT_RAW),
        (DiskSpec(path=f"{tmp_path}/vdb.img", format="raw"), power.RESCUE_TAKEN),
        (DiskSpec(path=f"{tmp_path}/other.img", format="raw"), images.IN_USE),
        (DiskSpec(path=f"{tmp_path}/n", size=1 << 20), power.RESCUE_NEW_IMAGE),
        (DiskSpec(path=f"{tmp_path}/vda.img", format="nosuch"), elements.UNKNOWN_WORD),
        (DiskSpec(device="cdrom"), power.RESCUE_NO_IMAGE),
        (DiskSpec(path=f"{tmp_path}/false.img", format="qcow2", bus="ide"), elements.NO_IDE),
        (DiskSpec(path=f"{tmp_path}/false.img", format="raw", bus="fdc", device="floppy"), power.RESCUE_NO_DISK),
        ("<interface type='user'/>", power.RESCUE_NO_DISK),
        ("<disk", documents.NOT_WELL_FORMED),
    ]
    for spec, condition in cases:
        with raising(condition):
            operations.rescue(connection, "a", spec, trust_format="qcow2" in str(spec), force=True)
        assert domain.state() == "running", spec


def test_rescue_that_does_not_start_says_what_stands(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    before = domain.xml(CONFIG)
    (tmp_path / "vdb.img").rename(tmp_path / "away")
    (tmp_path / "vdb.img").mkdir()
    with pytest.raises(LibvirtRefused, match=r"vdb\.img"):
        operations.rescue(connection, "a", medium(tmp_path))
    assert (domain.state(), domain.xml(CONFIG)) == ("shut off", before)
    (tmp_path / "vdb.img").rmdir()
    (tmp_path / "away").rename(tmp_path / "vdb.img")
    domain.start()
    (tmp_path / "vdb.img").unlink()
    (tmp_path / "vdb.img").mkdir()
    with raising(power.RESCUE_NOT_STARTED) as partly:
        operations.rescue(connection, "a", medium(tmp_path), force=True)
    assert "'holdfast start a'" in hints.hint(partly.value)
    assert (domain.state(), domain.xml(CONFIG)) == ("shut off", before)


def test_unrescue_into_a_domain_that_does_not_start_says_what_stands(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    operations.rescue(connection, "a", medium(tmp_path))
    (tmp_path / "vdb.img").unlink()
    (tmp_path / "vdb.img").mkdir()
    with raising(power.RESCUE_ENDED_NOT_STARTED):
        operations.unrescue(connection, "a", start=True)
    assert domain.state() == "shut off"


def test_medium_can_be_any_disk_element(connection: Connection, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    address = "<address type='pci' domain='0' bus='1' slot='0' function='0'/><boot order='7'/>"
    rescued = operations.rescue(connection, "a", disk_xml(tmp_path, "r", "vdq", address))
    assert rescued.label == "vdq"
    assert booted(domain)[0] == "vdq"


def test_dry_run_says_what_it_would_be_and_changes_nothing(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    options = ["--image", str(image(tmp_path, "r")), "--format", "raw", "--bus", "usb"]
    out = done(uri, "rescue", "a", *options, "--dry-run")
    assert "would boot from sdd at usb 0.2 (now shut off); nothing was changed" in out
    assert "  disk sdd is added at usb 0.2" in out
    promised = json.loads(done(uri, "rescue", "a", *options, "--dry-run", "-o", "json"))["device"]
    assert "<alias" not in promised and "<serial>rescue</serial>" in promised
    assert domain.state() == "shut off"
    assert run(uri, "-r", "rescue", "a", *options).exit_code == 1
    operations.rescue(connection, "a", medium(tmp_path))
    for option, then in ((), "leave the domain off"), (("--start",), "start the domain itself"):
        out = done(uri, "unrescue", "a", *option, "--dry-run")
        assert out == f"a: would switch the rescue off and {then} (now running); nothing was changed\n"
    assert domain.is_active()


def test_json_is_what_the_operation_returns(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = defined(connection, tmp_path)
    options = ["--image", str(image(tmp_path, "r")), "--device", "cdrom", "-o", "json"]
    rescued = json.loads(done(uri, "rescue", "a", *options))
    assert (rescued["uuid"], rescued["label"], rescued["address"]) == (domain.uuid, "sdd", "drive 0:0:0:3")
    assert json.loads(done(uri, "unrescue", "a", "-o", "json"))["left_rescue"] is True


@pytest.mark.parametrize("name", ["a b", "it's", 'a"b', "<a>&amp;", "ünï", "-o", "a,b", "a%s{}"])
def test_hostile_names(connection: Connection, uri: str, tmp_path: Path, name: str) -> None:
    extra = disk_xml(tmp_path, "root", "vda")
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    document = domain_xml(escaped, extra=extra).replace("<os>", "<os firmware='efi'>")
    domain = connection.define(document)
    file = tmp_path / f"{name} .img"
    image(tmp_path, "r").rename(file)
    before = domain.xml(CONFIG)
    done(uri, "rescue", "--image", str(file), "--format", "raw", "--", name)
    assert operations.list_domains(connection)[0].in_rescue
    done(uri, "unrescue", "--", name)
    assert domain.xml(CONFIG) == before


def test_unknown_domain_is_not_found(connection: Connection, uri: str, tmp_path: Path) -> None:
    for command in (["rescue", "nosuch", "--image", "/x", "--format", "raw"], ["unrescue", "nosuch"]):
        assert run(uri, *command).exit_code == 4


def test_failure_in_between_leaves_no_rescue_behind(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain = defined(connection, tmp_path)

    def interrupted(self: Domain) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Domain, "resume", interrupted)
    with pytest.raises(KeyboardInterrupt):
        operations.rescue(connection, "a", medium(tmp_path))
    assert domain.state() == "shut off"
    with raising(power.NOT_IN_RESCUE_OFF):
        operations.unrescue(connection, "a")
