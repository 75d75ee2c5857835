"""Domains that show one kind of device each, in its variants; disks and controllers are in ``storage``."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.builder import Sample, interface, sample, table


def _interfaces() -> Iterator[Sample]:
    for model in ("virtio", "virtio-transitional", "virtio-non-transitional", "e1000", "e1000e", "rtl8139", "ne2k_pci",
                  "pcnet", "vmxnet3"):  # fmt: skip
        yield sample(f"interface-{model}", interface(model))
    yield sample("interface-link-down", interface("virtio", "<link state='down'/>"))
    yield sample("interface-mtu", interface("virtio", "<mtu size='1400'/>", kind="ethernet"))
    yield sample("interface-rom-off", interface("virtio", "<rom enabled='no'/>"))
    yield sample("interface-rom-bar-off", interface("e1000", "<rom bar='off'/>"))
    yield sample(
        "interface-queues",
        interface("virtio", "<driver name='vhost' queues='2'/>", kind="ethernet"),
        head="<vcpu>2</vcpu>",
        needs="/dev/vhost-net",
    )
    yield sample("interface-ring-sizes", interface("virtio", "<driver rx_queue_size='512' tx_queue_size='256'/>"))
    yield sample(
        "interface-offloads-off",
        interface(
            "virtio",
            "<driver><host csum='off' gso='off' tso4='off' mrg_rxbuf='off'/><guest csum='off' tso6='off'/></driver>",
        ),
    )
    yield sample("interface-named-tap", interface("virtio", "<target dev='hftap7'/>", kind="ethernet"))
    yield sample("interface-acpi-index", interface("virtio", "<acpi index='3'/>"))
    yield sample("interface-alias", interface("virtio", "<alias name='ua-lan'/>"))
    yield sample(
        "interface-user-addresses", interface("virtio", "<ip family='ipv4' address='172.17.2.0' prefix='24'/>")
    )
    yield sample(
        "interfaces-of-several-models",
        "".join(interface(m, number=n) for n, m in enumerate(("virtio", "e1000e", "virtio", "rtl8139"))),
    )
    yield sample("interface-teaming", interface("virtio", "<teaming type='persistent'/><alias name='ua-net'/>"))
    for kind, source in (("bridge", "bridge='br0'"), ("network", "network='default' portgroup='a'")):
        yield sample(
            f"interface-on-a-{kind}",
            interface("virtio", f"<source {source}/>", kind=kind),
            needs=f"a {kind} of the host",
        )
    yield sample(
        "interface-macvtap",
        interface("virtio", "<source dev='eth0' mode='bridge'/>", kind="direct"),
        needs="a network card of the host",
    )
    yield sample(
        "interface-openvswitch",
        interface(
            "virtio",
            "<source bridge='br-int'/><virtualport type='openvswitch'>"
            "<parameters interfaceid='11111111-0000-4000-8000-00000000000e'/></virtualport>"
            "<vlan><tag id='42'/></vlan>",
            kind="bridge",
        ),
        needs="Open vSwitch",
    )
    yield sample(
        "interface-handed-through",
        "<interface type='hostdev' managed='yes'><mac address='52:54:00:00:01:09'/>"
        "<source><address type='pci' domain='0' bus='6' slot='0x10' function='0'/></source>"
        "<vlan><tag id='7'/></vlan></interface>",
        needs="a virtual function of the host",
    )
    yield sample(
        "interface-vhost-user",
        interface("virtio", "<source type='unix' path='/nowhere/net.sock' mode='client'/>", kind="vhostuser"),
        head="<memoryBacking><access mode='shared'/></memoryBacking>",
        needs="a vhost-user daemon",
    )
    yield sample(
        "interface-vdpa",
        interface("virtio", "<source dev='/dev/vhost-vdpa-0'/>", kind="vdpa"),
        needs="a vDPA device of the host",
    )
    yield sample(
        "interface-bandwidth",
        interface(
            "virtio",
            "<bandwidth><inbound average='1000' peak='2000'/><outbound average='500'/></bandwidth>",
            kind="ethernet",
        ),
        needs="traffic control in this kernel",
    )
    yield sample("interface-multicast", interface("virtio", "<source address='230.0.0.1' port='5558'/>", kind="mcast"))


def _characters() -> Iterator[Sample]:
    yield sample("serial-pty", "<serial type='pty'/>")
    yield sample("serials-two", "<serial type='pty'/><serial type='file'><source path='@FOLDER@/s.log'/></serial>")
    yield sample("serial-usb", "<serial type='pty'><target type='usb-serial'/></serial>")
    yield sample("serial-pci", "<serial type='pty'><target type='pci-serial'/></serial>")
    yield sample("serial-with-a-log", "<serial type='pty'><log file='@FOLDER@/s.log' append='on'/></serial>")
    yield sample(
        "serial-tcp",
        "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='0'/><protocol type='telnet'/></serial>",
        needs="a free port of a known number",
    )
    yield sample("serial-null", "<serial type='null'/>")
    yield sample("parallel", "<parallel type='file'><source path='@FOLDER@/p.log'/></parallel>", machine="pc")
    yield sample("console-virtio", "<console type='pty'><target type='virtio'/></console>")
    yield sample(
        "consoles-two",
        "<console type='pty'><target type='serial'/></console><console type='pty'><target type='virtio'/></console>",
    )
    yield sample("channel-guest-agent", _channel("unix", "org.qemu.guest_agent.0"))
    yield sample(
        "channel-at-a-port",
        "<channel type='pty'><target type='virtio' name='a.b'/>"
        "<address type='virtio-serial' controller='0' bus='0' port='4'/></channel>",
    )
    yield sample("channel-spice", _channel("spicevmc", "com.redhat.spice.0") + _SPICE)
    yield sample("channel-webdav", _channel("spiceport", "org.spice-space.webdav.0", "<source channel='w'/>") + _SPICE)
    yield sample(
        "channel-clipboard",
        _channel(
            "qemu-vdagent", "com.redhat.spice.0", "<source><clipboard copypaste='yes'/><mouse mode='client'/></source>"
        ),
    )
    yield sample(
        "channel-guestfwd",
        "<channel type='null'><target type='guestfwd' address='10.0.2.1' port='4600'/></channel>" + interface(),
    )
    yield sample("smartcard-spice", "<smartcard mode='passthrough' type='spicevmc'/>" + _SPICE)
    yield sample("smartcard-host", "<smartcard mode='host'/>", needs="a smartcard reader of the host")
    yield sample("usb-redirection", "<redirdev bus='usb' type='spicevmc'/>" * 2 + _SPICE)
    yield sample(
        "usb-redirection-filtered",
        "<redirdev bus='usb' type='spicevmc'/><redirfilter>"
        "<usbdev class='0x08' vendor='0x1234' allow='yes'/><usbdev allow='no'/></redirfilter>" + _SPICE,
    )


_SPICE = "<graphics type='spice' autoport='yes'><listen type='none'/></graphics>"


def _channel(kind: str, name: str, source: str = "") -> str:
    return f"<channel type='{kind}'>{source}<target type='virtio' name='{name}'/></channel>"


def _desktop() -> Iterator[Sample]:
    for kind, bus in (("tablet", "usb"), ("mouse", "usb"), ("keyboard", "usb"), ("tablet", "virtio"),
                      ("keyboard", "virtio"), ("mouse", "virtio")):  # fmt: skip
        yield sample(f"input-{kind}-{bus}", f"<input type='{kind}' bus='{bus}'/>")
    yield sample(
        "input-passed-through",
        "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event1'/></input>",
        needs="/dev/input/event1",
    )
    yield sample(
        "input-evdev",
        "<input type='evdev'><source dev='/dev/input/event1' grab='all'/></input>",
        needs="/dev/input/event1",
    )
    for model in ("vga", "cirrus", "vmvga", "qxl", "virtio", "bochs", "none"):
        yield sample(f"video-{model}", f"<video><model type='{model}'/></video>")
    yield sample("video-ramfb", "<video><model type='ramfb'/></video>")
    yield sample(
        "video-memory", "<video><model type='qxl' ram='131072' vram='65536' vgamem='32768' heads='1'/></video>"
    )
    yield sample("video-resolution", "<video><model type='virtio'><resolution x='1280' y='800'/></model></video>")
    yield sample(
        "video-two-heads",
        "<video><model type='virtio' heads='2' primary='yes'/></video><video><model type='qxl'/></video>",
    )
    yield sample("graphics-vnc", "<graphics type='vnc' autoport='yes'/>")
    yield sample("graphics-vnc-socket", "<graphics type='vnc'><listen type='socket'/></graphics>")
    yield sample("graphics-two", "<graphics type='vnc' autoport='yes'/>" + _SPICE)
    yield sample(
        "graphics-spice-tuned",
        "<graphics type='spice' autoport='yes'><listen type='none'/>"
        "<image compression='off'/><clipboard copypaste='no'/></graphics>",
    )
    for model in ("ich6", "ich9", "ac97", "es1370", "sb16", "usb"):
        yield sample(f"sound-{model}", f"<sound model='{model}'/>", machine="pc")
    yield sample("sound-codecs", "<sound model='ich9'><codec type='micro'/><codec type='duplex'/></sound>")
    yield sample("audio-none", "<sound model='ich9'><audio id='1'/></sound><audio id='1' type='none'/>")
    yield sample("hub-usb", "<hub type='usb'/><input type='tablet' bus='usb'/>")


def _others() -> Iterator[Sample]:
    for model in ("i6300esb", "ib700"):
        yield sample(f"watchdog-{model}", f"<watchdog model='{model}' action='poweroff'/>", machine="pc")
    for model in ("virtio", "none", "virtio-transitional", "virtio-non-transitional"):
        yield sample(f"memballoon-{model}", f"<memballoon model='{model}'/>")
    yield sample("memballoon-reporting", "<memballoon model='virtio' autodeflate='on' freePageReporting='on'/>")
    yield sample("rng-random", "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>")
    yield sample("rng-limited", "<rng model='virtio'><rate bytes='1024' period='100'/><backend model='builtin'/></rng>")
    yield sample(
        "rng-daemon",
        "<rng model='virtio'><backend model='egd' type='udp'>"
        "<source mode='bind' service='0'/><source mode='connect' host='127.0.0.1' service='9'/></backend></rng>",
    )
    for model in ("isa", "hyperv"):
        features = "<acpi/><hyperv><relaxed state='on'/></hyperv>" if model == "hyperv" else "<acpi/>"
        yield sample(
            f"panic-{model}",
            f"<panic model='{model}'/>",
            features=features,
            machine="pc",
        )
    yield sample("shmem-plain", "<shmem name='a'><model type='ivshmem-plain'/><size unit='M'>2</size></shmem>")
    yield sample(
        "shmem-doorbell",
        "<shmem name='a'><model type='ivshmem-doorbell'/><server path='/nowhere/s'/>"
        "<msi vectors='4' ioeventfd='on'/></shmem>",
        needs="an ivshmem server",
    )
    yield sample(
        "iommu-intel",
        "<iommu model='intel'><driver intremap='on' caching_mode='on' iotlb='on'/></iommu>",
        features="<acpi/><ioapic driver='qemu'/>",
    )
    yield sample("iommu-virtio", "<iommu model='virtio'/>")
    yield sample(
        "filesystem-9p-squashed",
        "<filesystem type='mount' accessmode='squash'>"
        "<source dir='@FOLDER@'/><target dir='shared'/><readonly/></filesystem>",
    )
    yield sample(
        "filesystem-virtiofs",
        "<filesystem type='mount'><driver type='virtiofs' queue='512'/>"
        "<source dir='@FOLDER@'/><target dir='fast'/></filesystem>",
        head="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        needs="virtiofsd",
    )
    yield sample(
        "hostdev-pci",
        _hostdev("pci", "<address domain='0' bus='6' slot='2' function='0'/>"),
        needs="a PCI device of the host",
    )
    yield sample(
        "hostdev-usb", _hostdev("usb", "<vendor id='0x1234'/><product id='0xbeef'/>"), needs="a USB device of the host"
    )
    yield sample(
        "hostdev-usb-by-place", _hostdev("usb", "<address bus='1' device='4'/>"), needs="a USB device of the host"
    )
    yield sample(
        "hostdev-scsi",
        _hostdev("scsi", "<adapter name='scsi_host0'/><address bus='0' target='0' unit='0'/>")
        + "<controller type='scsi' model='virtio-scsi'/>",
        needs="a SCSI disk of the host",
    )
    yield sample(
        "hostdev-mediated",
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='off'><source>"
        "<address uuid='11111111-0000-4000-8000-0000000000dd'/></source></hostdev>",
        needs="a mediated device of the host",
    )
    yield sample("tpm-tis-2.0", "<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>")
    yield sample(
        "tpm-passed-through",
        "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
        needs="/dev/tpm0",
    )
    yield sample(
        "memory-virtio-pmem",
        "<memory model='virtio-pmem'><source><path>@FOLDER@/pmem.img</path></source>"
        "<target><size unit='MiB'>64</size></target></memory>",
        head=_SLOTS,
        needs="a libvirt that can read back virtio-pmem (9.0 cannot)",
    )
    yield sample(
        "memory-dimm",
        "<memory model='dimm'><target><size unit='MiB'>128</size><node>0</node></target></memory>",
        head=_SLOTS,
    )
    yield sample(
        "lease",
        "<lease><lockspace>space</lockspace><key>key</key><target path='/nowhere' offset='1024'/></lease>",
        needs="a lock manager",
    )
    yield sample(
        "vsock-virtio-model", "<vsock model='virtio'><cid auto='no' address='77'/></vsock>", needs="/dev/vhost-vsock"
    )


_SLOTS = ("<maxMemory slots='4' unit='MiB'>1024</maxMemory><memory unit='MiB'>64</memory>"
          "<cpu mode='custom' match='exact' check='none'><model>qemu64</model>"
          "<numa><cell id='0' cpus='0' memory='64' unit='MiB'/></numa></cpu>")  # fmt: skip


def _hostdev(kind: str, source: str) -> str:
    managed = "" if kind == "scsi" else "managed='yes'"
    return f"<hostdev mode='subsystem' type='{kind}' {managed}><source>{source}</source></hostdev>"


SAMPLES = table([*_interfaces(), *_characters(), *_desktop(), *_others()])
"""Name → sample."""
