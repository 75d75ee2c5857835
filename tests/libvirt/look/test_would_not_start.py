"""What a host cannot start is known before: to plan, audit and repair, and to every change that would bring it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.outlook import Effect, Outlook, newly_blocking
from holdfast.errors import LibvirtRefused, Refused, changes, creation, power
from holdfast.errors.guard import UNASKED_REVERT_HARDWARE
from holdfast.hostfiles import host_devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DiskSpec, DomainSpec, InterfaceSettings, InterfaceSpec
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.connect import connect
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, running
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising

IDE = "controller ide 0: the host has no disk bus ide; nothing is on it: detach it"
GONE = "<address domain='0x0000' bus='0x31' slot='0x00' function='0x0'/>"
HOSTDEVS = {
    "pci": f"<hostdev mode='subsystem' type='pci' managed='yes'><source>{GONE}</source></hostdev>",
    "usb": "<hostdev mode='subsystem' type='usb'>"
    "<source><vendor id='0x0951'/><product id='0x1666'/></source></hostdev>",
    "mdev": "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source>"
    "<address uuid='b19cf2fc-0000-4000-8000-000000000001'/></source></hostdev>",
    "scsi": "<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host77'/>"
    "<address bus='0' target='0' unit='0'/></source></hostdev>",
}
BRIDGE = "<interface type='bridge'><source bridge='hf-none'/><model type='virtio'/></interface>"
NO_SUCH = "<interface type='user'><model type='no-such'/></interface>"

DEVICES = {
    "igb": NO_SUCH.replace("no-such", "igb"),
    "e1000": NO_SUCH.replace("no-such", "e1000"),
    "e1000e": NO_SUCH.replace("no-such", "e1000e"),
    "rtl8139": NO_SUCH.replace("no-such", "rtl8139"),
    "virtio-net, another name of virtio-net-pci": NO_SUCH.replace("no-such", "virtio-net"),
    "a bridge": BRIDGE,
    "ac97": "<sound model='ac97'/>",
    "ib700": "<watchdog model='ib700'/>",
    "lsilogic": "<controller type='scsi' index='0' model='lsilogic'/>",
    "dc390": "<controller type='scsi' index='0' model='dc390'/>",
    "qxl": "<video><model type='qxl'/></video>",
    "no model of any QEMU": NO_SUCH,
    "an image": "<disk type='file'><source file='/nowhere/a'/><target dev='vdb' bus='virtio'/></disk>",
    "an optional CD": "<disk type='file' device='cdrom'><source file='/nowhere/a' startupPolicy='optional'/>"
    "<target dev='sdb' bus='sata'/></disk>",
    "an ide controller": "<controller type='ide' index='0'/>",
    "a folder": "<filesystem><source dir='/nowhere'/><target dir='x'/></filesystem>",
    **HOSTDEVS,
}


def audited(connection: Connection) -> list[str]:
    """What audit says would keep the only domain from starting."""
    findings = [finding for report in operations.audit_host(connection).domains for finding in report.findings]
    return [finding.sentence for finding in findings if finding.kind is FindingKind.WOULD_NOT_START]


def planned(connection: Connection) -> list[str]:
    return [str(outlook) for outlook in operations.plan_reboot(connection, "a").outlooks if outlook.stops]


def with_a_left_controller(connection: Connection, folder: Path) -> Domain:
    """A q35 domain to which virsh attached an IDE disk, and took it away again; skips where libvirt refuses (11.3)."""
    domain = connection.define(domain_xml())
    try:
        domain.attach(disk_xml(folder, "ide", "hda", bus="ide"), CONFIG)
    except LibvirtRefused as refused:
        pytest.skip(f"no IDE disk gets into such a domain here: {refused.message}")
    domain.detach(disk_xml(folder, "ide", "hda", bus="ide"), CONFIG)
    return domain


@pytest.mark.parametrize("machine", ["q35", "pc"])
@pytest.mark.parametrize("device", [name for name in DEVICES if name not in ("usb", "an ide controller")])
def test_what_is_said_not_to_start_does_not_and_all_else_does(
    connection: Connection, machine: str, device: str
) -> None:
    try:
        domain = connection.define(domain_xml(machine=machine, extra=DEVICES[device]))
    except LibvirtRefused as refused:  # as libvirt 11.3 does an ib700 on q35
        pytest.skip(f"no domain gets it here: {refused.message}")
    said = planned(connection)
    assert audited(connection) == said
    if not said:
        domain.start(paused=True)
        return
    with pytest.raises(LibvirtRefused):
        domain.start(paused=True)


def test_a_disk_on_a_bus_that_the_machine_does_not_have_is_refused_before(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = connection.define(domain_xml())
    before = domain.xml(CONFIG)
    disk = disk_xml(tmp_path, "ide", "hda", bus="ide")
    for dry_run in (True, False):
        with raising(changes.WOULD_NOT_START, reasons=["disk hda: the host has no disk bus ide"]):
            operations.attach_device(connection, "a", disk, dry_run=dry_run)
    new = f"path={tmp_path}/new.qcow2,size=1MiB,bus=ide"
    result = run(uri, "disk", "attach", "a", new)
    assert result.exit_code == 3
    assert "would no longer start here: disk hda: the host has no disk bus ide" in result.stderr
    assert not (tmp_path / "new.qcow2").exists()
    assert domain.xml(CONFIG) == before
    domain.start(paused=True)
    with raising(changes.WOULD_NOT_START):
        operations.attach_device(connection, "a", disk, config_only=True)
    assert domain.xml(CONFIG) == before


def test_a_disk_on_ide_is_attached_where_the_machine_has_it(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(machine="pc"))
    operations.attach_device(connection, "a", disk_xml(tmp_path, "ide", "hda", bus="ide"))
    domain.start(paused=True)


@pytest.mark.parametrize("device", [NO_SUCH, BRIDGE, *HOSTDEVS.values()])
def test_an_attach_of_what_the_host_does_not_have_changes_nothing(connection: Connection, device: str) -> None:
    domain = running(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    for config_only in (True, False):
        with raising(changes.WOULD_NOT_START):
            operations.attach_device(connection, "a", device, config_only=config_only)
    assert (domain.xml(CONFIG), domain.xml(LIVE)) == before


def test_an_interface_is_not_put_on_a_bridge_that_does_not_exist(connection: Connection) -> None:
    nic = "<interface type='user'><mac address='52:54:00:00:00:09'/><model type='virtio'/></interface>"
    domain = connection.define(domain_xml(extra=nic))
    before = domain.xml(CONFIG)
    why = "interface 52:54:00:00:00:09: the host has no bridge hf-none"
    with raising(changes.WOULD_NOT_START, name="a", what="bridge", reasons=why):
        operations.set_interface(connection, "a", "52:54:00:00:00:09", InterfaceSettings(bridge="hf-none"))
    assert domain.xml(CONFIG) == before


def test_an_edit_into_what_does_not_start_wants_to_be_accepted(connection: Connection) -> None:
    domain = connection.define(domain_xml())
    original = domain.xml(CONFIG, secure=True)
    edited = original.replace("<memballoon", f"{BRIDGE}<memballoon")
    found = operations.edit_domain(connection, "a", original, edited, dry_run=True)
    assert len(found.blocks) == 1
    assert found.blocks[0].endswith("the host has no bridge hf-none")


def test_a_domain_that_would_not_start_is_not_created(connection: Connection, tmp_path: Path) -> None:
    spec = DomainSpec(memory=64 << 20, graphics="none", disks=(DiskSpec(path=f"{tmp_path}/a.qcow2", size=1 << 20),))
    interface = InterfaceSpec(kind="bridge", source="hf-none")
    from dataclasses import replace

    for wrong in (
        replace(spec, interfaces=(interface,)),
        replace(spec, disks=(replace(spec.disks[0], bus="ide"),)),
    ):
        for dry_run in (True, False):
            with raising(creation.NOT_STARTABLE_HERE):
                operations.create_domain(connection, "a", wrong, dry_run=dry_run)
    assert list(tmp_path.iterdir()) == []
    assert connection.domains() == []


def test_a_document_for_what_is_not_there_yet_is_created_with_a_note_and_not_started(connection: Connection) -> None:
    document = domain_xml(extra=BRIDGE)
    with raising(creation.NOT_STARTABLE_HERE):
        operations.create_domain_from_document(connection, document, start=True)
    created = operations.create_domain_from_document(connection, document)
    assert any("it does not start yet" in note and "no bridge hf-none" in note for note in created.notes)
    with raising(creation.NOT_STARTABLE_HERE):
        operations.create_domain_from_document(connection, domain_xml("b", extra=NO_SUCH))


def test_a_left_controller_is_named_with_the_way_out(connection: Connection, uri: str, tmp_path: Path) -> None:
    domain = with_a_left_controller(connection, tmp_path)
    with pytest.raises(LibvirtRefused, match="IDE controllers are unsupported"):
        domain.start()
    assert planned(connection) == audited(connection) == [IDE]
    result = run(uri, "plan", "reboot", "a")
    assert result.exit_code == 3
    assert f"  does not start: {IDE}\n    'holdfast device detach a \"ide 0\"' does so\n" in result.stdout
    assert json.loads(run(uri, "plan", "reboot", "a", "-o", "json").stdout)["outlooks"][-1]["unused"] == "ide 0"
    assert f"cannot be mended: {IDE}" in done(uri, "repair", "a", "--dry-run")
    with raising(power.NOT_REPAIRED, why=IDE):
        operations.repair_domain(connection, "a")
    done(uri, "device", "detach", "a", "ide 0")
    assert (planned(connection), audited(connection)) == ([], [])
    operations.repair_domain(connection, "a")
    assert domain.is_active()


def test_a_domain_that_does_not_start_anyway_can_be_changed(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(extra=BRIDGE))
    assert operations.attach_device(connection, "a", disk_xml(tmp_path, "one")).label == "vda"
    operations.set_domain(connection, "a", operations.DomainSettings(title="b"))
    assert parse(domain.xml(CONFIG)).findtext("title") == "b"


def test_a_domain_that_does_not_start_anyway_is_sealed(connection: Connection) -> None:
    domain = connection.define(domain_xml(extra=HOSTDEVS["pci"] + NO_SUCH))
    before = planned(connection)
    operations.seal_domain(connection, "a")
    assert "ua-hostdev0" in domain.xml(CONFIG)
    assert len(planned(connection)) == len(before) >= 2


def test_a_second_device_that_the_host_does_not_have_is_another_reason() -> None:
    igb = Outlook(Effect.BLOCKS, "device", "interface a: the host has no interface model igb", who="interface a")
    named = replace(igb, sentence=igb.sentence.replace(" a:", " b:"), who="interface b")
    assert newly_blocking([igb], [named]) == []
    assert newly_blocking([igb], [igb, named]) == [named.sentence]
    assert newly_blocking([], [igb]) == [igb.sentence]


def test_a_hard_reboot_does_not_switch_off_what_would_not_start(connection: Connection) -> None:
    domain = running(connection)
    domain.attach(BRIDGE, CONFIG)
    assert any("no bridge hf-none" in reason for reason in planned(connection))
    with pytest.raises(Refused):
        operations.reboot(connection, "a", hard=True)
    assert domain.is_active()


def test_a_revert_to_what_does_not_start_wants_to_be_accepted(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(domain_xml(extra=BRIDGE + qcow2_disk(qcow2(tmp_path, "root", 1))))
    operations.create_snapshot(connection, "a", "one")
    operations.detach_device(connection, "a", find_mac(domain))
    with raising(UNASKED_REVERT_HARDWARE) as refused:
        operations.revert_to_snapshot(connection, "a", "one")
    assert "the host has no bridge hf-none" in refused.value.message
    foreseen = operations.revert_to_snapshot(connection, "a", "one", dry_run=True)
    assert [note for note in foreseen.notes if note.startswith("it would not start here with that: interface")]


def find_mac(domain: Domain) -> str:
    mac = parse(domain.xml(CONFIG)).find("devices/interface/mac")
    return "" if mac is None else mac.get("address", "")


def test_what_a_hook_may_make_at_the_start_is_not_known_to_be_missing(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """libvirt runs /etc/libvirt/hooks/qemu before it looks for bridges and devices."""
    (tmp_path / "qemu").touch()
    monkeypatch.setattr(host_devices, "_HOOKS", tmp_path)
    connection.define(domain_xml(extra=BRIDGE))
    assert (planned(connection), audited(connection)) == ([], [])
    (outlook,) = [each for each in operations.plan_reboot(connection, "a").outlooks if each.part == "host"]
    assert str(outlook).endswith("the host has no bridge hf-none now; it may be made when the domain starts")
    operations.attach_device(connection, "a", BRIDGE.replace("hf-none", "hf-other"))


def test_networks_pools_volumes_and_secrets_that_are_missing_or_not_started_are_named(
    daemon: Connection, tmp_path: Path
) -> None:
    secret = "7c5a1b5e-0000-4000-8000-000000000001"
    network = "<interface type='network'><mac address='52:54:00:00:00:0{}'/><source network='{}'/></interface>"
    volume = "<disk type='volume'><source pool='{}' volume='one'/><target dev='vd{}' bus='virtio'/></disk>"
    rbd = (
        f"<disk type='network'><auth username='u'><secret type='ceph' uuid='{secret}'/></auth>"
        "<source protocol='rbd' name='p/i'><host name='127.0.0.1'/></source><target dev='vdr' bus='virtio'/></disk>"
    )
    daemon._handle.networkDefineXML("<network><name>idle</name><bridge name='hf-idle'/></network>")
    for name in ("idle", "empty"):
        (tmp_path / name).mkdir()
        pool = f"<pool type='dir'><name>{name}</name><target><path>{tmp_path / name}</path></target></pool>"
        daemon._handle.storagePoolDefineXML(pool)
    daemon._handle.storagePoolLookupByName("empty").create()
    extra = network.format(1, "idle") + network.format(2, "gone") + rbd
    daemon.define(domain_xml(extra=extra + "".join(map(volume.format, ("idle", "empty", "gone"), "abc"))))
    assert planned(daemon) == audited(daemon)
    assert sorted(planned(daemon)) == [
        "disk vda: the storage pool idle is not active",
        "disk vdb: the host has no volume empty/one",
        "disk vdc: the host has no storage pool gone",
        f"disk vdr: the host has no secret {secret}",
        "interface 52:54:00:00:00:01: the network idle is not active",
        "interface 52:54:00:00:00:02: the host has no network gone",
    ]


def test_of_another_machine_only_the_network_devices_are_known_which_libvirt_lists(
    remote_uri: str, daemon: Connection
) -> None:
    daemon.define(
        domain_xml(extra=BRIDGE + HOSTDEVS["scsi"] + "<filesystem><source dir='/no'/><target dir='x'/></filesystem>")
    )
    with connect(remote_uri) as remote:
        (bridge,) = planned(remote)
        assert bridge.endswith("the host has no bridge hf-none") and audited(remote) == [bridge]
    assert [each for each in planned(daemon) if "bridge" in each] == [], "a libvirt behind another socket has its own"


ELSEWHERE = """
import os, socket, sys, threading
there, here, root = sys.argv[1:]
libvirt = []
for _ in range(6):
    libvirt.append(socket.socket(socket.AF_UNIX))
    libvirt[-1].connect(there)
server = socket.socket(socket.AF_UNIX)
server.bind(here)
server.listen()
os.chroot(root)
print("ready", flush=True)
def pump(one, other):
    while data := one.recv(65536):
        other.sendall(data)
    other.close()
while libvirt:
    pair = server.accept()[0], libvirt.pop()
    for ends in (pair, pair[::-1]):
        threading.Thread(target=pump, args=ends, daemon=True).start()
"""
"""Hands six connections to another libvirt on, and sees none of our files, as one in a container does."""


def test_images_of_a_libvirt_that_has_files_of_its_own_are_not_judged(
    daemon: Connection, daemon_uri: str, tmp_path: Path
) -> None:
    daemon.define(domain_xml(extra=DEVICES["an image"]))
    missing = ["disk vdb pci 0000:01:00.0: there is no image /nowhere/a"]
    assert planned(daemon) == audited(daemon) == missing
    (tmp_path / "root").mkdir()
    path, socket = str(tmp_path / "socket"), daemon.socket
    command = [sys.executable, "-c", ELSEWHERE, socket, path, str(tmp_path / "root")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as relay:
        assert relay.stdout is not None and relay.stdout.readline() == "ready\n"
        with connect(daemon_uri.replace(socket, path)) as elsewhere:
            assert planned(elsewhere) == audited(elsewhere) == []
        relay.kill()


def test_an_nvram_of_the_one_is_not_taken_for_that_of_the_other(connection: Connection, tmp_path: Path) -> None:
    """Documents that differ in such a path only are judged once otherwise."""
    loader = tmp_path / "other.fd"
    loader.write_bytes(Path("/usr/share/OVMF/OVMF_CODE_4M.fd").read_bytes())
    for name in ("a", "b", "c"):
        os = f"<loader readonly='yes' type='pflash'>{loader}</loader><nvram>{tmp_path / name}</nvram></os>"
        connection.define(domain_xml(name).replace("</os>", os))
    (tmp_path / "b").touch()
    found = {
        report.name: [each.sentence for each in report.findings if each.kind is FindingKind.WOULD_NOT_START]
        for report in operations.audit_host(connection).domains
    }
    assert {name: len(sentences) for name, sentences in found.items()} == {"a": 1, "b": 0, "c": 1}
    assert all(str(tmp_path / name) in found[name][0] for name in "ac")


def test_the_audit_names_it_first(connection: Connection, uri: str, tmp_path: Path) -> None:
    shared = disk_xml(tmp_path, "common", "vdb")
    for name in ("a", "b"):
        connection.define(domain_xml(name, extra=shared + BRIDGE))
    report = operations.audit_host(connection)
    assert {domain.findings[0].kind for domain in report.domains} == {FindingKind.WOULD_NOT_START}
    assert run(uri, "audit", "--fail-on", "would-not-start").exit_code == 3
    found = json.loads(run(uri, "audit", "-o", "json").stdout)
    assert next(iter(found["summary"]["domains_by_kind"])) == "would-not-start"


def test_an_audit_that_may_not_ask_says_so(connection: Connection, uri: str) -> None:
    connection.define(domain_xml(extra=NO_SUCH))
    result = run(uri, "--readonly", "audit", "-o", "json")
    (host,) = json.loads(result.stdout)["hosts"]
    assert host["unread"] == []
    assert any(note.startswith("whether this host can start its domains is not known") for note in host["notes"])


def test_usb_devices_are_found_by_ids_and_by_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    device = tmp_path / "bus" / "usb" / "devices" / "1-2"
    device.mkdir(parents=True)
    for name, value in (("idVendor", "0951"), ("idProduct", "1666"), ("busnum", "1"), ("devnum", "4")):
        (device / name).write_text(f"{value}\n")
    monkeypatch.setattr(host_devices, "_SYS", tmp_path)
    assert host_devices.has_usb_device(0x0951, 0x1666)
    assert host_devices.has_usb_device(0x0951, 0x1667) is False
    assert host_devices.has_usb_place(1, 4)
    assert host_devices.has_usb_place(1, 5) is False
    assert host_devices.has_network_device("eth0") is False
    monkeypatch.setattr(host_devices, "_SYS", tmp_path / "none")
    assert host_devices.has_usb_device(0x0951, 0x1666) is None
    assert host_devices.has_bus_device("pci", "0000:00:00.0") is None
