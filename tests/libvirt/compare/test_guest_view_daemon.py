"""No false alarms where libvirt resolves things of the host: networks, volumes, snapshots, copies, saved memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import libvirt
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast_lab.daemon import private_host

DOMAIN = """<domain type='qemu'><name>a</name><memory unit='MiB'>64</memory><vcpu current='1'>2</vcpu>
  <os><type machine='q35'>hvm</type></os><features><acpi/></features>
  <devices>
    <disk type='volume'><driver name='qemu' type='qcow2'/><source pool='images' volume='root'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='network'><source network='lab'/><model type='virtio'/></interface>
    <interface type='network'><source network='lab'/><model type='e1000e'/></interface>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
  </devices></domain>"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[libvirt.virConnect]:
    """A private libvirtd with a pool "images" that has a volume "root", and a network "lab"."""
    with private_host("kelp") as host:
        connection = libvirt.open(host.uri)
        pool = connection.storagePoolCreateXML(
            f"<pool type='dir'><name>images</name><target><path>{host.images}</path></target></pool>"
        )
        pool.createXML(
            "<volume><name>root</name><capacity unit='MiB'>8</capacity><target><format type='qcow2'/></target></volume>"
        )
        connection.networkCreateXML("<network><name>lab</name><bridge name='hfbr0'/></network>")
        yield connection
        connection.close()


@pytest.fixture
def domain(daemon: libvirt.virConnect) -> Iterator[libvirt.virDomain]:
    """A running, paused domain on them."""
    domain = daemon.defineXML(DOMAIN)
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    yield domain
    if domain.isActive():
        domain.destroy()
    domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


def differences(domain: libvirt.virDomain) -> list[str]:
    """What the guest would see at the next start, as sentences."""
    live, config = domain.XMLDesc(0), domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    return [str(change) for change in visible(compare(live, config))]


def test_networks_and_volumes_are_resolved_in_live_only(domain: libvirt.virDomain) -> None:
    assert "vnet" in domain.XMLDesc(0)
    assert differences(domain) == []


def test_restored_memory(domain: libvirt.virDomain) -> None:
    domain.managedSave()
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    assert differences(domain) == []


def test_a_second_start_is_no_change(domain: libvirt.virDomain) -> None:
    before = domain.XMLDesc(0)
    domain.destroy()
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    assert visible(compare(before, domain.XMLDesc(0))) == []


def test_running_copy_of_a_disk(daemon: libvirt.virConnect, domain: libvirt.virDomain) -> None:
    target = daemon.storagePoolLookupByName("images").XMLDesc().split("<path>")[1].split("<")[0] + "/copy"
    domain.blockCopy(
        "vda",
        f"<disk type='file'><driver type='qcow2'/><source file='{target}'/></disk>",
        flags=libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB,
    )
    assert "<mirror" in domain.XMLDesc(0)
    assert differences(domain) == []
    domain.blockJobAbort("vda")


def test_fewer_kilobytes_in_the_balloon(domain: libvirt.virDomain) -> None:
    domain.resume()
    domain.setMemoryFlags(32 * 1024, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert differences(domain) == []


def test_a_vcpu_that_was_set_in_live_only_is_told(domain: libvirt.virDomain) -> None:
    domain.setVcpusFlags(2, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    assert any("vcpu" in sentence for sentence in differences(domain))
