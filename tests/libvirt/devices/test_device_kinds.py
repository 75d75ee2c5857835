"""Every kind of device libvirt can attach: it ends at one place in both documents, or nothing has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.address import address_of, describe_address, same_place
from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, parse, same
from holdfast.errors import HoldfastError
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.devices.attach import attach_device
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, running, text_of

ATTACHED = {
    "rng": "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
    "interface-e1000e": "<interface type='user'><model type='e1000e'/></interface>",
    "watchdog": "<watchdog model='i6300esb' action='reset'/>",
    "input-virtio": "<input type='tablet' bus='virtio'/>",
    "input-usb": "<input type='tablet' bus='usb'/>",
    "channel": "<channel type='null'><target type='virtio' name='org.example.0'/></channel>",
    "memory": "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
    "virtio-mem": (
        "<memory model='virtio-mem'><target><size unit='MiB'>128</size><node>0</node><block unit='MiB'>2</block>"
        "<requested unit='MiB'>0</requested></target></memory>"
    ),
    "shmem": "<shmem name='s0'><model type='ivshmem-plain'/><size unit='M'>4</size></shmem>",
    "controller-scsi": "<controller type='scsi' model='virtio-scsi'/>",
    "redirdev": "<redirdev bus='usb' type='tcp'><source mode='bind' host='127.0.0.1' service='0'/></redirdev>",
}
if Path("/dev/vhost-vsock").exists():
    ATTACHED["vsock"] = "<vsock model='virtio'><cid auto='no' address='4242'/></vsock>"

REFUSED = {
    "sound": "<sound model='ich9'/>",
    "video": "<video><model type='virtio'/></video>",
    "memballoon": "<memballoon model='virtio'/>",
    "tpm": "<tpm model='tpm-crb'><backend type='emulator'/></tpm>",
    "controller-usb": "<controller type='usb' index='1' model='qemu-xhci'/>",
    "serial": "<serial type='null'/>",
    "panic": "<panic model='isa'/>",
    "watchdog-itco": "<watchdog model='itco' action='reset'/>",
}

ROOM = """<controller type='usb' index='0' model='qemu-xhci'/><controller type='virtio-serial' index='0'/>"""


def roomy(name: str = "a") -> str:
    """A domain with a USB and a virtio-serial controller, and slots for memory."""
    text = domain_xml(name, ports=12, extra=ROOM).replace("<controller type='usb' model='none'/>", "")
    memory = "<maxMemory slots='4' unit='MiB'>2048</maxMemory><memory unit='MiB'>256</memory>"
    cpu = "<cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB'/></numa></cpu>"
    return text.replace("<memory unit='MiB'>64</memory>", memory).replace("</features>", f"</features>{cpu}")


@pytest.mark.parametrize("kind", ATTACHED)
def test_device_stands_at_one_place_in_both(connection: Connection, kind: str) -> None:
    domain = connection.define(roomy())
    domain.start(paused=True)
    attached = attach_device(connection, "a", ATTACHED[kind])
    assert attached.definitions == (LIVE, CONFIG)
    live, config = (_address(domain, which, attached.device) for which in (LIVE, CONFIG))
    assert same_place(live, config)


@pytest.mark.parametrize("kind", REFUSED)
def test_device_that_cannot_be_attached_while_running_leaves_no_trace(connection: Connection, kind: str) -> None:
    domain = connection.define(roomy())
    domain.start(paused=True)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with pytest.raises(HoldfastError) as raised:
        attach_device(connection, "a", REFUSED[kind])
    assert raised.value.exit_code in (1, 3)
    assert "\n" not in raised.value.message
    assert (text_of(domain, CONFIG), text_of(domain, LIVE)) == before


@pytest.mark.parametrize("kind", ["rng", "interface-e1000e", "memory", "channel", "shmem"])
def test_attached_device_keeps_its_place_after_hard_reboot(connection: Connection, kind: str) -> None:
    domain = connection.define(roomy())
    domain.start(paused=True)
    attached = attach_device(connection, "a", ATTACHED[kind])
    before = _address(domain, LIVE, attached.device)
    domain.destroy()
    domain.start(paused=True)
    assert same(_address(domain, LIVE, attached.device), before)


def test_update_of_the_host_side_keeps_the_address(connection: Connection, tmp_path: Path) -> None:
    """libvirt's update call is fit for repair: disk source and interface kind change, the address does not."""
    disk = (
        "<disk type='file'><driver name='qemu' type='raw'/><source file='{}'/><target dev='vda' bus='virtio'/></disk>"
    )
    nic = "<interface type='{}'><mac address='52:54:00:00:00:01'/>{}<model type='virtio'/></interface>"
    domain = connection.define(domain_xml(extra=disk.format("/x/old") + nic.format("user", "")))
    before = {name: describe_address(device) for name, device in _named(domain.xml(CONFIG)).items()}
    domain.update(disk.format("/x/new"), CONFIG)
    domain.update(nic.format("bridge", "<source bridge='br0'/>"), CONFIG)
    after = _named(domain.xml(CONFIG))
    assert {name: describe_address(device) for name, device in after.items()} == before
    assert after["disk"].find("source").get("file") == "/x/new"
    assert after["interface"].get("type") == "bridge"


@pytest.mark.parametrize(
    "device",
    [
        "<rng model='virtio'><backend model='random'>/dev/random</backend></rng>",
        "<serial type='file'><source path='/x/log'/><target port='0'/></serial>",
        "<filesystem type='mount'><source dir='/x/new'/><target dir='share'/></filesystem>",
    ],
)
def test_update_call_does_not_take_rng_serial_and_filesystem(connection: Connection, device: str) -> None:
    connection.define(domain_xml(extra=device.replace("random<", "urandom<").replace("/x/new", "/x/old")))
    with pytest.raises(HoldfastError):
        connection.find_domain("a").update(device, CONFIG)


def test_libvirt_accepts_another_address_and_another_bus_silently(connection: Connection) -> None:
    """Why Holdfast never hands a device to the update call without comparing what the guest would see."""
    disk = "<disk type='file'><source file='/x/y'/><target dev='vda' bus='{}'/>{}</disk>"
    domain = connection.define(domain_xml(extra=disk.format("virtio", "")))
    elsewhere = "<address type='pci' domain='0x0000' bus='0x06' slot='0x00' function='0x0'/>"
    domain.update(disk.format("virtio", elsewhere), CONFIG)
    assert describe_address(_named(domain.xml(CONFIG))["disk"]) == "pci 0000:06:00.0"
    domain.update(disk.format("sata", ""), CONFIG)
    assert _named(domain.xml(CONFIG))["disk"].find("target").get("bus") == "sata"


def test_config_events_do_not_exist(connection: Connection) -> None:
    """What virsh changes in config alone is seen by reading afresh, which every operation does."""
    domain = running(connection)
    domain.attach(ATTACHED["rng"], CONFIG)
    assert "rng" in _named(domain.xml(CONFIG))
    assert "rng" not in _named(domain.xml(LIVE))


def _address(domain: Domain, definition: Definition, device: str) -> Element:
    found = find_device(parse(domain.xml(definition)), parse(device))
    assert found is not None
    address = address_of(found)
    assert address is not None
    return address


def _named(document: str) -> dict:  # type: ignore[type-arg]
    return {str(device.tag): device for device in parse(document).iterfind("devices/*")}
