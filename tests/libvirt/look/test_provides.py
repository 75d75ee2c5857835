"""Whether a host has what a document names of it, function by function; no guest is started."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import holdfast
from holdfast.domainxml.document import parse
from holdfast.domainxml.host.named_provisions import Provision, ProvisionKind
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.hostfiles import host_devices
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.provides import HostProvides
from tests.libvirt.domains import domain_xml

SECRET = "7c5a1b5e-0000-4000-8000-000000000001"
MEDIATED = "b19cf2fc-0000-4000-8000-000000000001"
LATER = "now; it may be made when the domain starts"
DEVICES = {
    ProvisionKind.BRIDGE: "br0",
    ProvisionKind.NETWORK_DEVICE: "br0",
    ProvisionKind.UNMANAGED: "br0",
    ProvisionKind.PCI: "0000:31:00.0",
    ProvisionKind.SCSI: "7:0:0:0",
    ProvisionKind.MEDIATED: MEDIATED,
}
NOVA = "<metadata><i:instance xmlns:i='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"
BRIDGE = "<interface type='bridge'><mac address='52:54:00:00:00:0{}'/><source bridge='{}'/></interface>"
NETWORK = "<interface type='network'><mac address='52:54:00:00:00:0{}'/><source network='{}'/></interface>"


@pytest.fixture(autouse=True)
def kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the kernel lists is what a test writes here, and there are no hooks."""
    sys = tmp_path / "sys"
    for folder in ("class/net", "bus/pci/devices", "bus/usb/devices/1-1"):
        (sys / folder).mkdir(parents=True)
    for name, text in {"idVendor": "0951", "idProduct": "1666", "busnum": "11", "devnum": "12"}.items():
        (sys / "bus/usb/devices/1-1" / name).write_text(f"{text}\n")
    monkeypatch.setattr(host_devices, "_SYS", sys)
    monkeypatch.setattr(host_devices, "_HOOKS", tmp_path / "hooks")
    return sys


@pytest.fixture
def elsewhere(daemon: Connection, remote_uri: str) -> Iterator[Connection]:
    """A libvirt whose URI names another host."""
    with holdfast.connect(remote_uri) as connection:
        yield connection


def lack(connection: Connection, kind: ProvisionKind, name: str) -> Outlook | None:
    return HostProvides(connection).outlook_for(Provision("it", kind, name))


def missing(kind: ProvisionKind, name: str) -> Outlook:
    """What is said of what is not there, and will not be."""
    return Outlook(Effect.BLOCKS, "host", f"it: the host has no {kind} {name}", who="it")


def unsure(kind: ProvisionKind, name: str) -> Outlook:
    return Outlook(Effect.UNKNOWN, "host", f"it: the host has no {kind} {name} {LATER}")


@pytest.mark.parametrize("kind", DEVICES)
def test_device_is_there_when_the_kernel_lists_it(connection: Connection, kernel: Path, kind: ProvisionKind) -> None:
    name = DEVICES[kind]
    bus = {ProvisionKind.PCI: "pci", ProvisionKind.SCSI: "scsi", ProvisionKind.MEDIATED: "mdev"}.get(kind)
    folder = kernel / (f"bus/{bus}/devices" if bus else "class/net")
    expected = unsure(kind, name) if kind is ProvisionKind.UNMANAGED else missing(kind, name)
    assert lack(connection, kind, name) == expected
    (folder / name).mkdir(parents=True)
    assert lack(connection, kind, name) is None
    assert lack(connection, kind, name[:-1]) is not None


def test_usb_device_is_there_by_its_ids_and_by_its_place(connection: Connection) -> None:
    for there in ("0x0951:0x1666", "0951:1666", "11.12"):
        assert lack(connection, ProvisionKind.USB, there) is None
    for gone in ("0951:1667", "11:12", "11.13", "12.11"):
        assert lack(connection, ProvisionKind.USB, gone) == missing(ProvisionKind.USB, gone)


def test_file_is_there_or_not(connection: Connection, daemon: Connection, tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    for each in (connection, daemon):
        assert lack(each, ProvisionKind.FILE, f"{tmp_path}/there") is None
        assert lack(each, ProvisionKind.FILE, f"{tmp_path}/gone") == missing(ProvisionKind.FILE, f"{tmp_path}/gone")


def test_files_of_a_libvirt_that_sees_others_are_not_known(daemon: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_devices, "has_our_files", lambda _: False)
    assert lack(daemon, ProvisionKind.FILE, "/gone") is None


def test_of_another_host_files_and_devices_are_not_known_and_what_libvirt_tells_is(
    elsewhere: Connection, daemon: Connection
) -> None:
    listed = {ProvisionKind.BRIDGE, ProvisionKind.NETWORK_DEVICE, ProvisionKind.UNMANAGED}
    for kind in {*DEVICES, ProvisionKind.USB, ProvisionKind.FILE} - listed:
        assert lack(elsewhere, kind, DEVICES.get(kind, "/gone")) is None
    assert lack(elsewhere, ProvisionKind.BRIDGE, "gone") == missing(ProvisionKind.BRIDGE, "gone")
    assert lack(elsewhere, ProvisionKind.BRIDGE, "lo") is None
    assert lack(elsewhere, ProvisionKind.NETWORK, "gone") == missing(ProvisionKind.NETWORK, "gone")
    assert lack(daemon, ProvisionKind.BRIDGE, "gone") is None, "it may be a container's"
    assert lack(daemon, ProvisionKind.PCI, "gone") == missing(ProvisionKind.PCI, "gone")


def test_network_pool_and_volume_are_missing_inactive_or_there(daemon: Connection, tmp_path: Path) -> None:
    network, pool, volume = ProvisionKind.NETWORK, ProvisionKind.POOL, ProvisionKind.VOLUME
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "one").touch()
    assert lack(daemon, network, "quiet") == missing(network, "quiet")
    assert lack(daemon, pool, "store") == missing(pool, "store")
    assert lack(daemon, volume, "store/one") is None, "it is the pool that is missing"
    net = daemon._handle.networkDefineXML("<network><name>quiet</name><bridge name='hf-quiet'/></network>")
    document = f"<pool type='dir'><name>store</name><target><path>{tmp_path}/store</path></target></pool>"
    store = daemon._handle.storagePoolDefineXML(document)
    for kind, name in ((network, "quiet"), (pool, "store")):
        inactive = Outlook(Effect.BLOCKS, "host", f"it: the {kind} {name} is not active", who="it")
        assert lack(daemon, kind, name) == inactive
    assert lack(daemon, volume, "store/one") is None
    net.create()
    store.create()
    for kind, name in ((network, "quiet"), (pool, "store"), (volume, "store/one")):
        assert lack(daemon, kind, name) is None
    for gone in ("store/two", "store/in/one"):
        assert lack(daemon, volume, gone) == missing(volume, gone)


def test_secret_is_there_by_its_uuid_and_by_its_use(daemon: Connection) -> None:
    for gone in (SECRET, "ceph client.admin"):
        assert lack(daemon, ProvisionKind.SECRET, gone) == missing(ProvisionKind.SECRET, gone)
    usage = "<usage type='ceph'><name>client.admin</name></usage>"
    handle: Any = daemon._handle
    secret = handle.secretDefineXML(f"<secret ephemeral='yes'><uuid>{SECRET}</uuid>{usage}</secret>")
    try:
        for there in (SECRET, "ceph client.admin"):
            assert lack(daemon, ProvisionKind.SECRET, there) is None
        for gone in ("iscsi client.admin", "ceph client.other"):
            assert lack(daemon, ProvisionKind.SECRET, gone) == missing(ProvisionKind.SECRET, gone)
    finally:
        secret.undefine()


@pytest.mark.parametrize("kind", [*DEVICES, ProvisionKind.USB])
def test_device_may_be_made_when_a_manager_or_a_hook_starts_the_domain(
    connection: Connection, tmp_path: Path, kind: ProvisionKind
) -> None:
    name = "1:2" if kind is ProvisionKind.USB else DEVICES[kind]
    device, file = Provision("it", kind, name), Provision("it", ProvisionKind.FILE, "/gone")
    provides = HostProvides(connection)
    assert provides.outlook_for(device, made_at_start=True) == unsure(kind, name)
    assert provides.outlook_for(file, made_at_start=True) == missing(ProvisionKind.FILE, "/gone")
    (tmp_path / "hooks").mkdir()
    (tmp_path / "hooks" / "qemu").touch()
    assert lack(connection, kind, name) == unsure(kind, name)
    assert lack(connection, ProvisionKind.FILE, "/gone") == missing(ProvisionKind.FILE, "/gone")


def test_all_of_the_kinds_that_are_asked_for_is_told_of_a_document(daemon: Connection) -> None:
    domain = parse(domain_xml(extra=NETWORK.format(1, "gone") + BRIDGE.format(2, "none")))
    provides = HostProvides(daemon)
    network = "interface 52:54:00:00:00:01: the host has no network gone"
    kernel = "<os><kernel>/gone</kernel>"
    assert [str(each) for each in provides.missing(domain)] == [network]
    assert [*provides.missing(domain, {ProvisionKind.BRIDGE})] == []
    both = parse(domain_xml(extra=NETWORK.format(1, "gone")).replace("<os>", kernel))
    file = "the kernel: the host has no file /gone"
    assert [str(each) for each in provides.missing(both)] == [file, network]
    assert [str(each) for each in provides.missing(both, {ProvisionKind.FILE})] == [file]


def test_of_a_document_of_nova_devices_are_made_at_the_start(connection: Connection) -> None:
    text = domain_xml(extra=BRIDGE.format(2, "none"))
    plain, nova, empty = parse(text), parse(text.replace("<os>", f"{NOVA}<os>")), parse(domain_xml())
    provides = HostProvides(connection)
    for document, effect in ((plain, Effect.BLOCKS), (nova, Effect.UNKNOWN)):
        assert [each.effect for each in provides.missing(document)] == [effect]
        assert [each.effect for each in provides.newly_missing(empty, document)] == [effect]


def test_what_was_named_before_or_can_be_mended_is_not_newly_lacked(
    connection: Connection, daemon: Connection, kernel: Path
) -> None:
    (kernel / "class/net/there").mkdir()
    before = parse(domain_xml(extra=BRIDGE.format(1, "old")))
    names = ("old", "there", "new", "newer")
    after = parse(domain_xml(extra="".join(BRIDGE.format(index, name) for index, name in enumerate(names))))
    newly = [str(each) for each in HostProvides(connection).newly_missing(before, after)]
    assert newly == [
        "interface 52:54:00:00:00:02: the host has no bridge new",
        "interface 52:54:00:00:00:03: the host has no bridge newer",
    ]
    mendable = parse(domain_xml(extra=NETWORK.format(1, "gone")))
    assert [*HostProvides(daemon).newly_missing(before, mendable)] == []
    assert len([*HostProvides(daemon).missing(mendable)]) == 1
