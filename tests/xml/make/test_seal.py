"""Sealing, as pure XML: nothing of a document stays open that libvirt would choose anew at a later start."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.raising import raising

from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, canonical, devices, parse
from holdfast.domainxml.elements.firmware import ask_for_firmware, describe_firmware, firmware_request, set_firmware
from holdfast.domainxml.host.capabilities import Capabilities, read_capabilities
from holdfast.domainxml.host.cpu_model import describe_cpu, new_cpu
from holdfast.domainxml.make.open_parts import open_parts
from holdfast.domainxml.make.seal import seal
from holdfast.errors import hosts

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def capabilities() -> Capabilities:
    return read_capabilities((DATA / "domain-capabilities-q35.xml").read_text())


def domain(inside: str = "", devices: str = "") -> Element:
    """A small document."""
    return parse(
        f"<domain type='qemu'><name>a</name><os><type machine='q35'>hvm</type></os>{inside}"
        f"<devices>{devices}</devices></domain>"
    )


def sealed(document: Element, capabilities: Capabilities) -> list[str]:
    return seal(document, capabilities, root_ports=16)


def test_capabilities_are_read(capabilities: Capabilities) -> None:
    assert (capabilities.machine, capabilities.arch, capabilities.virt_type) == ("pc-q35-7.2", "x86_64", "qemu")
    assert capabilities.max_vcpus == 288
    assert capabilities.cpu_modes == {"maximum", "host-model", "custom"}
    assert capabilities.cpu_models["Nehalem"] and not capabilities.cpu_models["Icelake-Server"]
    assert "/usr/share/OVMF/OVMF_CODE_4M.fd" in capabilities.loaders
    assert capabilities.hyperv == {"spinlocks", "vendor_id"}


def test_old_libvirt_that_does_not_speak_of_hyperv_has_its_basics() -> None:
    text = (DATA / "domain-capabilities-q35.xml").read_text()
    start, end = text.index("<hyperv"), text.index("</hyperv>") + len("</hyperv>")
    assert read_capabilities(text[:start] + text[end:]).hyperv == {"relaxed", "vapic", "spinlocks"}


def test_machine_alias_becomes_versioned(capabilities: Capabilities) -> None:
    document = domain()
    sealed(document, capabilities)
    kind = document.find("os/type")
    assert kind is not None and kind.get("machine") == "pc-q35-7.2" and kind.get("arch") == "x86_64"


def test_host_model_becomes_the_concrete_cpu(capabilities: Capabilities) -> None:
    document = domain("<cpu mode='host-model' check='partial'><topology sockets='1' cores='2' threads='1'/></cpu>")
    assert sealed(document, capabilities) == []
    cpu = document.find("cpu")
    assert cpu is not None
    assert dict(cpu.attrib) == {"mode": "custom", "match": "exact", "check": "partial"}
    assert cpu.findtext("model") == "EPYC"
    assert capabilities.host_model is not None
    assert len(cpu.findall("feature")) == len(capabilities.host_model.findall("feature")) > 10
    assert cpu.find("topology") is not None
    assert describe_cpu(document) == "EPYC, 18 features on, 10 off"


def test_what_the_document_says_of_a_feature_wins(capabilities: Capabilities) -> None:
    document = domain("<cpu mode='host-model'><feature policy='disable' name='umip'/></cpu>")
    sealed(document, capabilities)
    assert [f.get("policy") for f in document.iterfind("cpu/feature[@name='umip']")] == ["disable"]


@pytest.mark.parametrize(
    ("cpu", "said"),
    [
        ("<cpu mode='host-passthrough'/>", "host-passthrough"),
        ("<cpu mode='maximum'/>", "maximum"),
        ("<cpu match='minimum'><model>EPYC</model></cpu>", "match='minimum'"),
        ("<cpu match='exact'><model>EPYC</model><feature policy='optional' name='x2apic'/></cpu>", "x2apic"),
        ("<cpu match='exact'><model>EPYC</model><maxphysaddr mode='passthrough'/></cpu>", "physical addresses"),
    ],
)
def test_cpu_that_cannot_be_sealed_is_said(cpu: str, said: str, capabilities: Capabilities) -> None:
    notes = sealed(domain(cpu), capabilities)
    assert len(notes) == 1 and said in notes[0]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ("<os><type>hvm</type><smbios mode='host'/></os>", "SMBIOS"),
        ("<devices><hostdev mode='subsystem' type='pci'/></devices>", "passed through"),
        ("<devices><tpm><backend type='passthrough'/></tpm></devices>", "TPM is the host's own"),
        ("<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'/>", "past libvirt"),
    ],
)
def test_what_no_document_can_pin_is_said(document: str, said: str, capabilities: Capabilities) -> None:
    notes = sealed(parse(f"<domain><name>a</name>{document}</domain>"), capabilities)
    assert len(notes) == 1 and said in notes[0]


def test_devices_get_names_serials_and_macs(capabilities: Capabilities) -> None:
    document = domain(
        devices="<disk><target dev='vda' bus='virtio'/></disk>"
        "<disk device='cdrom'><target dev='sda' bus='sata'/></disk>"
        "<disk><target dev='vdb' bus='virtio'/><serial>mine</serial><alias name='ua-data'/></disk>"
        "<interface type='user'/><interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
        "<controller type='scsi' model='virtio-scsi'/><controller type='usb' model='ich9-ehci1'/>"
        "<controller type='sata'/><input type='mouse' bus='ps2'/><input type='tablet' bus='usb'/><rng model='virtio'/>"
        "<channel type='unix'/><channel type='spicevmc'/><video><model type='none'/></video><memballoon model='none'/>"
        "<graphics type='vnc'/><console type='pty'/>"
    )
    sealed(document, capabilities)
    names = [name for device in devices(document) if (name := user_alias(device)) is not None]
    assert names == [
        "ua-vda",
        "ua-sda",
        "ua-data",
        "ua-net0",
        "ua-net1",
        "ua-scsi0",
        "ua-input0",
        "ua-rng0",
        "ua-channel0",
        "ua-channel1",
        "ua-serial0",
    ]
    serials = [disk.findtext("serial") for disk in document.iterfind("devices/disk")]
    assert serials[2] == "mine" and all(serials) and len(set(serials)) == 3
    macs = [str(mac.get("address")) for mac in document.iterfind("devices/interface/mac")]
    assert macs[0].startswith("52:54:00:") and macs[1] == "52:54:00:00:00:01"


def test_what_libvirt_would_add_is_written_down(capabilities: Capabilities) -> None:
    document = domain(devices="<console type='tcp'><source mode='bind' host='127.0.0.1' service='1'/></console>")
    sealed(document, capabilities)
    serial = document.find("devices/serial")
    assert serial is not None and [node.tag for node in serial] == ["source", "target", "alias"]
    assert document.find("devices/memballoon[@model='virtio']/alias[@name='ua-balloon0']") is not None
    sealed(document, capabilities)
    assert len(document.findall("devices/serial")) == 1


def test_taken_names_are_not_given_again(capabilities: Capabilities) -> None:
    document = domain(devices="<rng><alias name='ua-rng1'/></rng><rng/><rng/><rng/>")
    sealed(document, capabilities)
    names = [alias.get("name") for alias in document.iterfind("devices/rng/alias")]
    assert names == ["ua-rng1", "ua-rng0", "ua-rng2", "ua-rng3"]


def test_identities_become_concrete(capabilities: Capabilities) -> None:
    document = domain(
        "<genid/>", "<vsock><cid auto='yes'/></vsock><tpm model='tpm-crb'><backend type='emulator'/></tpm>"
    )
    seal(document, capabilities, root_ports=0, vsock_cid=7)
    assert document.findtext("uuid") and document.findtext("genid")
    cid, backend = document.find("devices/vsock/cid"), document.find("devices/tpm/backend")
    assert cid is not None and dict(cid.attrib) == {"auto": "no", "address": "7"}
    assert backend is not None and backend.get("version") == "2.0"


def test_sealing_again_changes_nothing(capabilities: Capabilities) -> None:
    document = domain(
        "<cpu mode='host-model'/>", "<disk><target dev='vda' bus='virtio'/></disk><interface type='user'/>"
    )
    sealed(document, capabilities)
    once = canonical(document)
    sealed(document, capabilities)
    assert canonical(document) == once


def test_root_ports_are_numbered_and_enough(capabilities: Capabilities) -> None:
    ports = "<controller type='pci' model='pcie-root'/>" + "<controller type='pci' model='pcie-root-port'/>" * 3
    document = domain(
        devices="<disk><target dev='vda' bus='virtio'/></disk><memballoon model='none'/>"
        f"<controller type='usb' model='none'/>{ports}"
    )
    sealed(document, capabilities)
    controllers = document.findall("devices/controller[@type='pci']")
    assert [int(controller.get("index", "-1")) for controller in controllers] == list(range(18))
    assert controllers[0].get("model") == "pcie-root"


def test_ports_that_are_there_count(capabilities: Capabilities) -> None:
    ports = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, 41))
    document = domain(devices=ports)
    sealed(document, capabilities)
    assert len(document.findall("devices/controller[@model='pcie-root-port']")) == 40


@pytest.mark.parametrize(
    ("firmware", "secure", "keys"), [("uefi", False, False), ("uefi-secure", True, True)], ids=["uefi", "uefi-secure"]
)
def test_firmware_wish_becomes_files(firmware: str, secure: bool, keys: bool) -> None:
    document = domain()
    ask_for_firmware(document, firmware)
    wish = firmware_request(document)
    assert wish is not None and (wish.secure_boot, wish.enrolled_keys) == (secure, keys)
    set_firmware(document, loader="/code.fd", template="/vars.fd", smm=secure)
    os = document.find("os")
    assert os is not None and os.get("firmware") is None and os.find("firmware") is None
    assert [node.tag for node in os] == ["type", "loader", "nvram"]
    assert (document.find("features/smm") is not None) is secure
    assert describe_firmware(document) == f"uefi{' secure' if secure else ''} /code.fd"
    assert firmware_request(document) is None


def test_what_a_newer_libvirt_names_by_itself_is_not_open() -> None:
    """libvirt 11.3: the firmware it chose stands beside the wish, and every q35 has its watchdog named."""
    document = parse(
        "<domain type='qemu'><os firmware='efi'><type machine='pc-q35-10.0'>hvm</type><loader>/chosen.fd</loader></os>"
        "<devices><watchdog model='itco' action='reset'/></devices></domain>"
    )
    assert firmware_request(document) is None
    assert {part.kind for part in open_parts(document)} == {"ports"}


@pytest.mark.parametrize("mode", ["host-model", "passthrough"])
def test_hyperv_features_that_the_host_chooses_are_open(mode: str) -> None:
    document = parse(f"<domain><features><hyperv mode='{mode}'/></features></domain>")
    assert [part.kind for part in open_parts(document)] == ["hyperv"]


def test_path_of_nvram_that_the_document_names_is_kept() -> None:
    document = parse("<domain><os firmware='efi'><type>hvm</type><nvram>/mine.fd</nvram></os></domain>")
    set_firmware(document, loader="/code.fd", template="/vars.fd", smm=False)
    assert document.findtext("os/nvram") == "/mine.fd"


def test_cpu_that_is_not_possible_is_refused(capabilities: Capabilities) -> None:
    with raising(hosts.UNKNOWN_CPU, cpu="pentium9"):
        new_cpu("pentium9", capabilities)
    with raising(hosts.CPU_NOT_HERE, cpu="Icelake-Server"):
        new_cpu("Icelake-Server", capabilities)
    with raising(hosts.CPU_MODE_NOT_HERE, cpu="host-passthrough"):
        new_cpu("host-passthrough", capabilities)


def test_firmware_without_variables_is_left_to_libvirt() -> None:
    os = "<os firmware='efi'><type machine='q35'>hvm</type><loader stateless='yes'/></os>"
    assert firmware_request(parse(f"<domain>{os}</domain>")) is None
    assert firmware_request(parse(f"<domain>{os.replace('yes', 'no')}</domain>")) is not None
