"""What a host would make of a document, judged from its capabilities alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.host.capabilities import Capabilities, read_capabilities
from holdfast.domainxml.host.cpu_outlook import cpu_difference, expand_host_model
from holdfast.domainxml.host.machine_type import (
    crossing_notes,
    dropped_in,
    family,
    is_newer,
    machine_outlook,
    newest,
    of_family,
    read_machine_types,
    released,
    why_it_ends,
)
from holdfast.domainxml.host.named_provisions import named_provisions
from holdfast.domainxml.host.outlook import Effect
from holdfast.domainxml.host.support import support_outlook

Q35 = (Path(__file__).parents[1] / "data" / "domain-capabilities-q35.xml").read_text()

HOST = """<capabilities><host/><guest><arch name='x86_64'>
  <machine>pc-q35-7.2</machine><machine>pc-q35-10.0</machine><machine deprecated='yes'>pc-q35-2.12</machine>
  <machine canonical='{q35}'>q35</machine><machine>pc-i440fx-10.0</machine>
  <domain type='qemu'/><domain type='kvm'><machine>pc-q35-9.0</machine></domain>
</arch></guest></capabilities>"""


def host(q35: str = "pc-q35-10.0") -> str:
    return HOST.format(q35=q35)


def sentences(domain: str, capabilities: Capabilities) -> list[str]:
    return [str(outlook) for outlook in support_outlook(parse(domain), capabilities)]


def without(*pieces: str) -> Capabilities:
    """The capabilities of a host that lacks these pieces."""
    text = Q35
    for piece in pieces:
        assert piece in text, piece
        text = text.replace(piece, "")
    return read_capabilities(text)


DEVICES = [
    ("<disk device='disk'><target dev='sda' bus='usb'/></disk>", "<value>usb</value>", "disk sda", "disk bus usb"),
    ("<disk device='lun'><target dev='sda' bus='scsi'/></disk>", "<value>lun</value>", "disk sda", "disk device lun"),
    ("<graphics type='spice'/>", "<value>spice</value>", "graphics", "graphics of type spice"),
    ("<video><model type='qxl'/></video>", "<value>qxl</value>", "video", "video model qxl"),
    ("<channel type='spicevmc'/>", "<value>spicevmc</value>", "channel", "channel of type spicevmc"),
    ("<hostdev mode='subsystem' type='usb'/>", "<value>usb</value>", "hostdev", "hand-through of usb"),
    ("<rng model='virtio'><backend model='egd'/></rng>", "<value>egd</value>", "rng", "rng backend egd"),
    ("<filesystem><driver type='virtiofs'/></filesystem>", "<value>virtiofs</value>", "filesystem", "driver virtiofs"),
    ("<tpm model='tpm-crb'/>", "<value>tpm-crb</value>", "tpm", "TPM model tpm-crb"),
    ("<tpm><backend type='emulator' version='1.2'/></tpm>", "<value>1.2</value>", "tpm", "TPM of version 1.2"),
    ("<redirdev bus='usb'/>", "<value>usb</value>", "redirdev", "redirection on the bus usb"),
]


@pytest.mark.parametrize(("device", "piece", "who", "what"), DEVICES)
def test_a_device_that_the_host_does_not_list_stops_the_start(device: str, piece: str, who: str, what: str) -> None:
    domain = f"<domain type='qemu'><devices>{device}</devices></domain>"
    assert sentences(domain, read_capabilities(Q35)) == []
    (found,) = sentences(domain, without(piece))
    assert found.startswith(who)
    assert found.endswith(what)


def test_a_section_that_the_host_has_nothing_of_stops_the_start() -> None:
    domain = "<domain type='qemu'><devices><tpm model='tpm-crb'/></devices></domain>"
    text = Q35[: Q35.index("<tpm ")] + "<tpm supported='no'/>" + Q35[Q35.index("</tpm>") + len("</tpm>") :]
    assert sentences(domain, read_capabilities(text)) == ["the host has no tpm"]


def test_what_no_enumeration_speaks_of_is_not_judged() -> None:
    domain = """<domain type='qemu'><devices><interface type='user'><model type='e1000'/></interface>
      <hostdev mode='subsystem' type='scsi_host'/><channel type='tcp'/><sound model='ich9'/></devices></domain>"""
    assert sentences(domain, read_capabilities(Q35)) == []
    domain = "<domain type='qemu'><devices><graphics type='rdp'/></devices></domain>"
    assert len(sentences(domain, read_capabilities(Q35))) == 1
    start, end = Q35.index("<graphics"), Q35.index("</graphics>") + len("</graphics>")
    assert sentences(domain, read_capabilities(Q35[:start] + Q35[end:])) == [], "libvirt does not say"


def test_an_empty_enumeration_says_that_there_is_none() -> None:
    """libvirt 9.0 has an empty pciBackend where the host has no VFIO."""
    assert "<enum name='pciBackend'/>" in Q35
    domain = "<domain><devices>{}</devices></domain>"
    for device in ("<hostdev type='pci'/>", "<hostdev type='mdev'/>", "<interface type='hostdev'/>"):
        (found,) = sentences(domain.format(device), read_capabilities(Q35))
        assert found.endswith("the host has no hand-through of devices by vfio")
        here = Q35.replace("<enum name='pciBackend'/>", "<enum name='pciBackend'><value>vfio</value></enum>")
        assert sentences(domain.format(device), read_capabilities(here)) == []
        assert sentences(domain.format(device), without("<enum name='pciBackend'/>")) == []
    assert read_capabilities(Q35).offered("devices/hostdev", "pciBackend") == frozenset()
    assert without("<enum name='pciBackend'/>").offered("devices/hostdev", "pciBackend") is None


def test_a_controller_without_a_bus_here_is_named_where_nothing_is_on_it() -> None:
    ide = "<controller type='ide' index='0'/>"
    disk = (
        "<disk><target dev='hda' bus='ide'/><address type='drive' controller='0' bus='0' target='0' unit='0'/></disk>"
    )
    (left,) = support_outlook(parse(f"<domain><devices>{ide}</devices></domain>"), read_capabilities(Q35))
    assert left.unused == "ide 0"
    (used,) = support_outlook(parse(f"<domain><devices>{ide}{disk}</devices></domain>"), read_capabilities(Q35))
    assert (used.unused, str(used)) == ("", "disk hda: the host has no disk bus ide")


def test_models_that_libvirt_does_not_list_are_judged_by_what_qemu_lists() -> None:
    devices = """<interface><model type='igb'/></interface><interface><model type='virtio'/></interface>
      <sound model='ac97'/><watchdog model='itco'/><controller type='scsi' model='lsilogic'/>"""
    domain = parse(f"<domain><os><type arch='x86_64'/></os><devices>{devices}</devices></domain>")
    q35 = read_capabilities(Q35)
    assert list(support_outlook(domain, q35)) == [], "nobody can say"
    listed = frozenset({"AC97", "lsi53c895a", "virtio-net-pci"})
    assert [str(each) for each in support_outlook(domain, q35, listed)] == [
        "interface: the host has no interface model igb"
    ]
    assert len(list(support_outlook(domain, q35, frozenset()))) == 3


def test_more_vcpus_than_the_machine_can_have_stop_the_start() -> None:
    domain = "<domain type='qemu'><vcpu>300</vcpu></domain>"
    assert sentences(domain, read_capabilities(Q35)) == [
        "pc-q35-7.2 cannot have 300 vCPUs: at most 288",
    ]


def test_hyperv_features_matter_with_kvm_only() -> None:
    domain = "<domain><features><hyperv><relaxed state='on'/><spinlocks state='on'/></hyperv></features></domain>"
    assert sentences(domain, read_capabilities(Q35)) == []
    kvm = read_capabilities(Q35.replace("<domain>qemu</domain>", "<domain>kvm</domain>"))
    assert sentences(domain, kvm) == ["the host has no Hyper-V features relaxed"]


def test_hyperv_features_that_the_host_is_to_choose_are_there_to_choose_from() -> None:
    domain = "<domain type='kvm'><features><hyperv mode='host-model'/></features></domain>"
    assert sentences(domain, read_capabilities(Q35)) == []
    without = re.sub("<hyperv.*</hyperv>", "", Q35, flags=re.DOTALL)
    (sentence,) = sentences(domain, read_capabilities(without))
    assert "no Hyper-V features to choose from" in sentence


def test_machine_types_are_those_of_the_virtualisation_type() -> None:
    root = parse(host())
    assert "pc-q35-9.0" in read_machine_types(root, "x86_64", "kvm")
    assert "pc-q35-9.0" not in read_machine_types(root, "x86_64", "qemu")
    assert read_machine_types(root, "aarch64", "qemu") == {}
    assert read_machine_types(root, "x86_64", "'") == {}


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("pc-q35-7.2", (2022, 12)),
        ("virt-4.0", (2019, 4)),
        ("pc-i440fx-2.12", (2018, 4)),
        ("pc-q35-4.0.1", None),
        ("pc-q35-rhel9.2", None),
        ("pc-q35-noble", None),
        ("q35", None),
    ],
)
def test_a_machine_type_is_as_old_as_the_qemu_that_brought_it(name: str, when: tuple[int, int] | None) -> None:
    assert released(name) == when


@pytest.mark.parametrize(
    ("name", "when"),
    [
        ("pc-q35-7.2", ("13.2", 2028, 12)),
        ("pc-q35-5.1", ("11.1", 2026, 8)),
        ("pc-q35-4.0", ("10.1", 2025, 8)),
        ("pc-q35-4.0.1", ("10.1", 2025, 8)),
        ("pc-i440fx-2.4", ("10.1", 2025, 8)),
        ("pc-q35-rhel9.2", None),
        ("pc-q35-noble", None),
        ("q35", None),
    ],
)
def test_a_machine_type_goes_with_the_qemu_six_years_after_the_one_that_brought_it(
    name: str, when: tuple[str, int, int] | None
) -> None:
    assert dropped_in(name) == when


def test_a_missing_machine_type_names_the_newest_of_its_family() -> None:
    there = read_machine_types(parse(host()), "x86_64", "qemu")
    (found,) = machine_outlook("pc-q35-2.4", there, there)
    assert found.effect is Effect.BLOCKS
    assert found.sentence == "the host has no machine type pc-q35-2.4; the newest of its family is pc-q35-10.0"
    (found,) = machine_outlook("virt-7.2", there, there)
    assert found.sentence == "the host has no machine type virt-7.2, nor any of its family"


def test_a_list_of_versions_says_how_many_it_leaves_out() -> None:
    versions = [f"pc-q35-{number}.0" for number in range(1, 11)]
    assert newest("pc-q35-2.4", ["q35", "pc", *versions[:8]]) == versions[7::-1]
    assert newest("pc-q35-2.4", versions) == [*versions[:1:-1], "and 2 older"]


def test_a_deprecated_machine_type_is_noted_and_does_not_count_as_a_change() -> None:
    there = read_machine_types(parse(host()), "x86_64", "qemu")
    assert machine_outlook("pc-q35-7.2", there, there) == []
    (found,) = machine_outlook("pc-q35-2.12", there, there)
    assert found.effect is Effect.NOTE
    assert str(found).endswith(why_it_ends("pc-q35-2.12")) and "QEMU 10.1 (2025-08)" in str(found)


def test_an_alias_that_means_another_version_there_is_a_change() -> None:
    here = read_machine_types(parse(host("pc-q35-7.2")), "x86_64", "qemu")
    there = read_machine_types(parse(host()), "x86_64", "qemu")
    assert machine_outlook("q35", here, here) == []
    (found,) = machine_outlook("q35", there, here)
    assert found.effect is Effect.CHANGES
    assert found.sentence == "the machine type q35 stands for pc-q35-10.0, and not for pc-q35-7.2"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("pc-q35-7.2", "pc-q35"),
        ("pc-q35-4.0.1", "pc-q35"),
        ("pc-q35-rhel9.2.0", "pc-q35"),
        ("pc-i440fx-jammy", "pc-i440fx"),
        ("s390-ccw-virtio-7.2", "s390-ccw-virtio"),
        ("virt-7.2", "virt"),
        ("microvm", "microvm"),
        ("x-remote", "x-remote"),
    ],
)
def test_family_is_the_name_without_its_version(name: str, stem: str) -> None:
    assert family(name) == stem


def test_versions_are_numbers_and_not_words() -> None:
    assert is_newer("pc-q35-10.0", "pc-q35-9.2")
    assert is_newer("pc-q35-4.0.1", "pc-q35-4.0")
    assert is_newer("pc-q35-7.2", "pc-q35-7.2") is False
    assert of_family("pc-q35-2.4", ["pc-q35-9.2", "q35", "pc-q35-10.0", "pc-i440fx-10.0"]) == [
        "pc-q35-10.0",
        "pc-q35-9.2",
    ]


@pytest.mark.parametrize("other", ["pc-q35-rhel9.2.0", "pc-q35-noble", "pc-i440fx-6.0", "q35"])
def test_names_of_different_makers_do_not_tell_their_age(other: str) -> None:
    assert is_newer("pc-q35-7.2", other) is None


def test_the_step_over_q35_6_1_is_noted() -> None:
    assert len(crossing_notes("pc-q35-6.0", "pc-q35-7.2")) == 2
    assert len(crossing_notes("pc-q35-7.2", "pc-q35-6.0")) == 2
    assert len(crossing_notes("pc-q35-6.1", "pc-q35-7.2")) == 1
    assert len(crossing_notes("pc-q35-6.0", "pc-q35-6.1")) == 2
    assert len(crossing_notes("pc-i440fx-6.0", "pc-i440fx-7.2")) == 1


def cpu(model: str, **features: str) -> str:
    inner = "".join(f"<feature name='{name}' policy='{policy}'/>" for name, policy in features.items())
    return f"<cpu mode='custom'><model>{model}</model>{inner}</cpu>"


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (cpu("EPYC", avx="require"), cpu("EPYC", avx="require"), None),
        (cpu("EPYC", avx="force"), cpu("EPYC", avx="require"), None),
        (cpu("EPYC", pcommit="require"), cpu("EPYC", x2apic="require"), "gains x2apic and loses pcommit"),
        (cpu("EPYC", vme="disable"), cpu("EPYC"), "gains vme"),
        (cpu("EPYC"), cpu("EPYC", vme="disable"), "loses vme"),
        (cpu("EPYC", vme="disable"), cpu("EPYC", vme="require"), "gains vme"),
        (cpu("EPYC", vme="require"), cpu("EPYC-Rome"), "becomes EPYC-Rome, was EPYC"),
    ],
)
def test_what_a_cpu_gains_and_loses(before: str, after: str, words: str | None) -> None:
    assert cpu_difference(parse(before), parse(after)) == words


def test_a_canonical_name_is_no_other_model() -> None:
    before, after = parse(cpu("EPYC", avx="require")), parse(cpu("EPYC-v1"))
    assert cpu_difference(before, after) == "becomes EPYC-v1, was EPYC"
    text = Q35.replace("vendor='AMD'>EPYC<", "vendor='AMD' canonical='EPYC-v1'>EPYC<")
    assert cpu_difference(before, after, read_capabilities(text).canonical_models) == "loses avx"


def test_host_model_is_expanded_without_touching_the_document() -> None:
    domain = parse("<domain><cpu mode='host-model'><feature name='vme' policy='require'/></cpu></domain>")
    found = expand_host_model(domain, read_capabilities(Q35))
    assert found.findtext("model") == "EPYC"
    assert [node.get("policy") for node in found.iterfind("feature[@name='vme']")] == ["require"]
    assert domain.find("cpu[@mode='host-model']") is not None


def test_deprecated_cpu_models_are_read() -> None:
    text = Q35.replace("<model usable='yes' vendor='Intel'>n270", "<model usable='yes' deprecated='yes'>n270")
    assert read_capabilities(text).deprecated_models == {"n270"}


def test_everything_that_a_start_needs_by_name_is_found() -> None:
    domain = parse("""<domain><os><kernel>/k</kernel></os><devices>
      <disk type='file'><source file='/i'/><target dev='vda'/></disk>
      <disk type='file'><source file='/j' startupPolicy='optional'/><target dev='vdb'/></disk>
      <disk type='volume'><source pool='p' volume='v'/><target dev='vdc'/></disk>
      <disk type='network'><source protocol='rbd' name='x'/><auth><secret type='ceph' usage='u'/></auth>
        <target dev='vdd'/></disk>
      <interface type='network'><mac address='m'/><source network='n'/></interface>
      <interface type='bridge'><mac address='m'/><source bridge='b'/></interface>
      <interface type='bridge'><mac address='m'/><source bridge='ovs'/><virtualport type='openvswitch'/></interface>
      <interface type='direct'><mac address='m'/><source dev='e'/></interface>
      <interface type='ethernet'><mac address='m'/><target dev='t' managed='no'/></interface>
      <interface type='hostdev'><mac address='m'/>
        <source><address domain='0' bus='0x31' slot='2' function='1'/></source></interface>
      <hostdev type='pci'><source><address domain='0' bus='0x31' slot='0' function='0'/></source></hostdev>
      <hostdev type='usb'><source><vendor id='0x951'/><product id='0x1666'/></source></hostdev>
      <hostdev type='usb'><source><address bus='1' device='4'/></source></hostdev>
      <hostdev type='usb'><source><address bus='one' device='4'/></source></hostdev>
      <hostdev type='usb'><source startupPolicy='optional'><address bus='1' device='5'/></source></hostdev>
      <hostdev type='mdev'><source><address uuid='d'/></source><driver iommufd='yes'/></hostdev>
      <hostdev type='scsi'><source><adapter name='scsi_host2'/><address bus='0' target='1' unit='3'/></source></hostdev>
      <tpm><backend type='emulator'><encryption secret='s'/></backend></tpm>
    </devices></domain>""")
    found = [f"{kind} {name}" for _, kind, name in named_provisions(domain)]
    assert found == [
        *("file /k", "storage pool p", "volume p/v", "secret ceph u", "network n", "bridge b"),
        *("network device e", "network device made by somebody else t", "PCI device 0000:31:02.1"),
        *("PCI device 0000:31:00.0", "USB device 0951:1666", "USB device 1.4", "mediated device d", "file /dev/iommu"),
        *("SCSI device 2:0:1:3", "secret s"),
    ]
