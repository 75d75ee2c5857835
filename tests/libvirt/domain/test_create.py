"""``holdfast create`` on a real libvirt: what is defined is complete, sealed, and starts as it stands."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, canonical, devices, parse, same
from holdfast.domainxml.elements.cpu import BY_TOPOLOGY
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.make import Created
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.domains import has_open_firmware, is_of_machine
from tests.raising import raising

MIB = 1024 * 1024
NOT_NAMED = {"controller", "input", "graphics", "audio"}


def create(connection: Connection, name: str = "a", *, start: bool = False, **spec: Any) -> Created:
    """Create a small domain."""
    return operations.create_domain(connection, name, DomainSpec(**{"memory": 64 * MIB, **spec}), start=start)


def document(connection: Connection, name: str = "a", definition: Definition = Definition.CONFIG) -> Element:
    return parse(connection.find_domain(name).xml(definition))


def image(folder: Path, name: str = "disk.qcow2") -> str:
    path = folder / name
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"], check=True)
    return str(path)


def info(path: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(subprocess.check_output(["qemu-img", "info", "-U", "--output=json", path]))
    return found


def starts_unchanged(connection: Connection, name: str = "a") -> None:
    """Starting, paused, and destroying the domain leaves its config byte-identical, and live has the same CPU.

    What QEMU sets by the number of vCPUs is only in live (libvirt 11.3 with QEMU 10.0 lists it there).
    """
    domain = connection.find_domain(name)
    before = domain.xml(Definition.CONFIG)
    domain.start(paused=True)
    config, live = document(connection, name), document(connection, name, Definition.LIVE)
    features = [
        {
            (feature.get("name"), feature.get("policy"))
            for feature in found.iterfind("cpu/feature")
            if feature.get("name") not in BY_TOPOLOGY
        }
        for found in (config, live)
    ]
    if config.find("cpu/feature") is not None:
        assert features[0] == features[1]
    assert config.findtext("cpu/model") == live.findtext("cpu/model")
    domain.destroy()
    assert domain.xml(Definition.CONFIG) == before


EACH: dict[str, dict[str, Any]] = {
    "default": {},
    "pc": {"machine": "pc"},
    "pc-versioned": {"machine": "pc-i440fx-7.1"},
    "q35-versioned": {"machine": "pc-q35-6.2"},
    "cpu-named": {"cpu": "Nehalem"},
    "cpu-maximum": {"cpu": "maximum"},
    "uefi": {"firmware": "uefi"},
    "uefi-pc": {"firmware": "uefi", "machine": "pc"},
    "uefi-secure": {"firmware": "uefi-secure"},
    "tpm": {"tpm": True},
    "spice": {"graphics": "spice"},
    "headless": {"graphics": "none"},
    "video": {"video": "bochs"},
    "windows": {"os": "windows", "firmware": "uefi-secure", "tpm": True, "vcpus": 4},
    "windows-pc": {"os": "windows", "machine": "pc"},
    "interfaces": {
        "interfaces": (
            InterfaceSpec(kind="user"),
            InterfaceSpec(kind="user", model="e1000e", mac="52:54:00:00:00:07"),
            InterfaceSpec(kind="user", model="rtl8139"),
        )
    },
    "scsi-only": {"graphics": "none", "root_ports": 5},
    "few-ports": {"root_ports": 3},
    "no-ports": {"root_ports": 0},
    "many-vcpus": {"vcpus": 7},
}


@pytest.mark.parametrize("spec", EACH.values(), ids=EACH.keys())
def test_each_option_gives_a_domain_that_starts_as_it_stands(
    connection: Connection, tmp_path: Path, spec: dict[str, Any]
) -> None:
    disks = tuple(
        DiskSpec(path=str(tmp_path / f"{number}.qcow2"), size=MIB, bus=bus)
        for number, bus in enumerate(("virtio", "scsi", "sata", "usb"))
    )
    iso = tmp_path / "x.iso"
    iso.write_bytes(b"\0" * 4096)
    made = create(connection, disks=disks, cdroms=(str(iso), str(iso)), **spec)
    config = document(connection)
    assert made.document == connection.find_domain("a").xml(Definition.CONFIG)
    assert config.find("cpu[@mode='host-model']") is None
    assert made.machine.startswith("pc-") and made.machine.split("-")[-1][0].isdigit()
    for device in devices(config):
        if device.tag not in NOT_NAMED and device.find("model[@type='none']") is None and not is_of_machine(device):
            assert user_alias(device), f"{device.tag!r} has no alias of ours"
    assert all(disk.findtext("serial") for disk in config.iterfind("devices/disk"))
    assert made.free_places is not None
    if "q35" in made.machine:
        assert made.free_places == spec.get("root_ports", 16) or (spec.get("root_ports") == 0 and made.free_places <= 1)
    assert len(made.images) == 4
    starts_unchanged(connection)


def test_sealed_cpu_is_what_host_model_would_have_been(connection: Connection) -> None:
    create(connection)
    connection.find_domain("a").start(paused=True)
    open_ended = document(connection)
    assert open_ended.find("cpu[@mode='custom']/feature") is not None
    for tag in ("uuid", "name"):
        found = open_ended.find(tag)
        assert found is not None
        open_ended.remove(found)
    cpu, name = open_ended.find("cpu"), parse("<name>open</name>")
    assert cpu is not None
    cpu[:] = [child for child in cpu if child.tag == "topology"]
    cpu.attrib.clear()
    cpu.set("mode", "host-model")
    open_ended.insert(0, name)
    connection.define(canonical(open_ended).decode()).start(paused=True)
    live = [document(connection, name, Definition.LIVE).find("cpu") for name in ("a", "open")]
    assert live[0] is not None and live[1] is not None and same(live[0], live[1])


@pytest.mark.parametrize("secure", [None, True, False])
def test_firmware_is_what_libvirt_would_choose(connection: Connection, secure: bool | None) -> None:
    feature = "" if secure is None else f"<feature enabled='{'yes' if secure else 'no'}' name='secure-boot'/>"
    text = (
        "<domain type='qemu'><name>{}</name><memory unit='MiB'>64</memory><os firmware='efi'>"
        f"<type arch='x86_64' machine='q35'>hvm</type><firmware>{feature}</firmware></os>"
        "<features><acpi/></features></domain>"
    )
    if secure is None:
        text = text.replace("<firmware></firmware>", "")
    made = operations.create_domain_from_document(connection, text.format("ours"))
    assert not has_open_firmware(parse(made.document))
    connection.define(text.format("theirs")).start(paused=True)
    theirs, ours = document(connection, "theirs", Definition.LIVE), parse(made.document)
    for path in ("os/loader", "os/nvram"):
        one, other = ours.find(path), theirs.find(path)
        assert one is not None and other is not None
        assert dict(one.attrib) == dict(other.attrib)
    assert ours.findtext("os/loader") == theirs.findtext("os/loader")
    smm = [found.find("features/smm[@state='on']") is not None for found in (ours, theirs)]
    assert smm[0] == smm[1]
    assert made.nvram is not None and made.nvram.endswith(f"/{made.uuid}_VARS.fd")


def test_windows_gets_what_windows_needs(connection: Connection) -> None:
    made = create(connection, os="windows", firmware="uefi-secure", tpm=True)
    config = parse(made.document)
    assert config.find("clock[@offset='localtime']") is not None
    assert config.find("features/hyperv/spinlocks[@state='on']") is not None
    assert config.find("devices/tpm[@model='tpm-crb']/backend[@version='2.0']") is not None
    assert config.find("os/loader[@secure='yes']") is not None
    assert config.find("cpu/topology[@sockets='1']") is not None
    assert any("relaxed" in note for note in made.notes), "emulation has no Hyper-V features, and that is to be said"


def test_disks_boot_before_the_cd(connection: Connection, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    iso.write_bytes(b"\0" * 4096)
    made = create(connection, disks=(DiskSpec(path=str(tmp_path / "a"), size=MIB),), cdroms=(str(iso),))
    orders = {
        str(disk.get("device")): boot.get("order")
        for disk in parse(made.document).iterfind("devices/disk")
        if (boot := disk.find("boot")) is not None
    }
    assert orders == {"disk": "1", "cdrom": "2"}


def test_images_are_made_as_was_said(connection: Connection, tmp_path: Path) -> None:
    base = image(tmp_path, "base.qcow2")
    new, copied, over = (str(tmp_path / name) for name in ("new.raw", "copy.raw", "over.qcow2"))
    create(
        connection,
        disks=(
            DiskSpec(path=new, size=3 * MIB, format="raw"),
            DiskSpec(path=copied, copy_from=base, source_format="qcow2", format="raw"),
            DiskSpec(path=over, overlay_of=base, source_format="qcow2", size=2 * MIB),
        ),
    )
    assert (info(new)["format"], info(new)["virtual-size"]) == ("raw", 3 * MIB)
    assert (info(copied)["format"], info(copied)["virtual-size"]) == ("raw", MIB)
    assert (info(over)["virtual-size"], info(over)["backing-filename-format"]) == (2 * MIB, "qcow2")
    assert info(over)["full-backing-filename"] == base
    starts_unchanged(connection)


def test_seed_is_a_cd_that_cloud_init_finds(connection: Connection, tmp_path: Path) -> None:
    user_data = tmp_path / "user-data"
    user_data.write_text("#cloud-config\nhostname: x\n")
    made = create(connection, "my vm", disks=(DiskSpec(path=str(tmp_path / "d"), size=MIB),), user_data=str(user_data))
    seed = tmp_path / "my vm-seed.iso"
    assert made.images == (str(tmp_path / "d"), str(seed))
    assert seed.read_bytes()[32808:32840].decode().strip() == "cidata"
    listing = subprocess.check_output(["xorriso", "-indev", seed, "-lsl"], text=True, stderr=subprocess.DEVNULL)
    assert "'user-data'" in listing and "'meta-data'" in listing
    content = seed.read_bytes()
    assert f'instance-id: "{made.uuid}"'.encode() in content and b'local-hostname: "my-vm"' in content
    starts_unchanged(connection, "my vm")


def test_seed_goes_with_its_domain(connection: Connection, tmp_path: Path) -> None:
    user_data, iso = tmp_path / "user-data", tmp_path / "x.iso"
    user_data.write_text("#cloud-config\n")
    iso.write_bytes(b"\0" * 4096)
    disks = (DiskSpec(path=str(tmp_path / "d"), size=MIB),)
    create(connection, disks=disks, cdroms=(str(iso),), user_data=str(user_data))
    operations.delete_domain(connection, "a", storage=True)
    assert sorted(tmp_path.iterdir()) == [user_data, iso]


def test_dry_run_changes_nothing_and_says_what_would_be(connection: Connection, tmp_path: Path) -> None:
    spec = DomainSpec(memory=64 * MIB, disks=(DiskSpec(path=str(tmp_path / "d"), size=MIB),), firmware="uefi")
    made = operations.create_domain(connection, "a", spec, dry_run=True)
    assert made.dry_run and made.images == (str(tmp_path / "d"),)
    assert not list(tmp_path.iterdir()) and not connection.domains()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "d", "1M"], check=True)
    defined = operations.create_domain_from_document(connection, made.document)
    assert canonical(parse(defined.document)) == canonical(document(connection))
    starts_unchanged(connection)


def test_dry_run_promises_only_what_the_creation_then_does(connection: Connection, tmp_path: Path) -> None:
    user_data = tmp_path / "user-data"
    user_data.write_text("#cloud-config\n")
    spec = DomainSpec(
        memory=64 * MIB,
        disks=(DiskSpec(path=str(tmp_path / "d"), size=MIB), DiskSpec(path=str(tmp_path / "e"), size=MIB, serial="E")),
        interfaces=(InterfaceSpec(kind="user"), InterfaceSpec(kind="user", mac="52-54-00-00-00-AA")),
        firmware="uefi",
        tpm=True,
        user_data=str(user_data),
    )
    would = operations.create_domain(connection, "a", spec, dry_run=True)
    made = operations.create_domain(connection, "a", spec)
    promised = parse(would.document)
    assert (would.uuid, promised.find("uuid"), would.free_places) == ("", None, made.free_places)
    assert [serial.text for serial in promised.iterfind("devices/disk/serial")] == ["E"]
    assert [mac.get("address") for mac in promised.iterfind("devices/interface/mac")] == ["52:54:00:00:00:aa"]
    for field in ("name", "machine", "cpu", "firmware", "images", "notes"):
        assert getattr(would, field) == getattr(made, field)
    lines = Counter((line.kind, line.what) for line in made.devices)
    assert Counter((line.kind, line.what) for line in would.devices) <= lines
    assert {str(line.address) for line in would.devices} <= {"None", *(str(line.address) for line in made.devices)}
    changed = visible(compare_documents(promised, parse(made.document)))
    assert [change for change in changed if change.before is not None] == []


def test_start_starts(connection: Connection) -> None:
    assert create(connection, start=True).started
    assert connection.find_domain("a").is_active()


@pytest.mark.parametrize("when", ["before the first", "after the first", "before the last", "after the last"])
def test_interrupt_takes_back_everything_unless_the_domain_is_whole(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    define, calls = type(connection).define, count(1)

    def interrupted(self: Connection, text: str) -> Domain:
        step = {1: "the first", 2: "the last"}[next(calls)]
        if when == f"before {step}":
            raise KeyboardInterrupt
        domain = define(self, text)
        if when == f"after {step}":
            raise KeyboardInterrupt
        return domain

    monkeypatch.setattr(type(connection), "define", interrupted)
    with pytest.raises(KeyboardInterrupt):
        create(connection, disks=(DiskSpec(path=str(tmp_path / "x"), size=MIB),))
    is_whole = when == "after the last"
    assert [domain.name for domain in connection.domains()] == ["a"] * is_whole
    assert list(tmp_path.iterdir()) == [tmp_path / "x"] * is_whole


def test_nvram_of_an_earlier_domain_is_not_taken(connection: Connection) -> None:
    first = create(connection, firmware="uefi")
    assert first.nvram is not None and not first.notes
    nvram = Path(first.nvram).with_name("a_VARS.fd")  # as libvirt would call it
    nvram.parent.mkdir(parents=True, exist_ok=True)
    nvram.touch()
    connection.find_domain("a").undefine()
    second = create(connection, firmware="uefi")
    assert (second.notes, second.nvram in (None, first.nvram, str(nvram))) == ((), False)
    nvram.unlink()


def test_empty_cd_drive_can_be_had(connection: Connection) -> None:
    made = create(connection, disks=(DiskSpec(device="cdrom"),), machine="pc")
    assert parse(made.document).find("devices/disk[@device='cdrom']/target[@bus='ide']") is not None
    starts_unchanged(connection)


def test_overlay_that_attach_makes_is_taken(connection: Connection, tmp_path: Path) -> None:
    base = image(tmp_path, "base.qcow2")
    create(connection)
    over = DiskSpec(path=str(tmp_path / "over"), overlay_of=base, source_format="qcow2")
    operations.attach_disk(connection, "a", over)
    assert document(connection).find(f"devices/disk/source[@file='{tmp_path / 'over'}']") is not None


def test_failed_define_removes_the_images(connection: Connection, tmp_path: Path) -> None:
    disks = tuple(DiskSpec(path=str(tmp_path / name), size=MIB, target="vda") for name in ("a", "b"))
    user_data = tmp_path / "ud"
    user_data.write_text("#!/bin/sh\n")
    with raising(REFUSED, reason=re.compile("XML error: target 'vda' duplicated for disk sources '.+' and '.+'")):
        create(connection, disks=disks, user_data=str(user_data))
    assert list(tmp_path.iterdir()) == [user_data]
