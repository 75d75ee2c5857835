"""Domains of other architectures, and of other hypervisors. libvirt judges them where their emulator is installed."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.builder import Sample, disk, interface, sample, table

NO_QEMU = "another hypervisor"
"""What the samples of Xen, LXC and the like need."""

_BOARDS = (
    ("aarch64", "virt"),
    ("aarch64", "virt-6.2"),
    ("armv7l", "virt"),
    ("armv7l", "vexpress-a9"),
    ("ppc64", "pseries"),
    ("ppc64", "pseries-6.0"),
    ("ppc64", "powernv9"),
    ("ppc", "g3beige"),
    ("ppc", "mac99"),
    ("s390x", "s390-ccw-virtio"),
    ("s390x", "s390-ccw-virtio-6.2"),
    ("riscv64", "virt"),
    ("riscv32", "virt"),
    ("mips", "malta"),
    ("mips64", "malta"),
    ("mipsel", "malta"),
    ("sparc", "SS-5"),
    ("sparc64", "sun4u"),
    ("m68k", "virt"),
    ("sh4", "r2d"),
    ("alpha", "clipper"),
    ("xtensa", "lx60"),
    ("microblaze", "petalogix-s3adsp1800"),
)


def _boards() -> Iterator[Sample]:
    for arch, machine in _BOARDS:
        devices = "<memballoon model='none'/><controller type='usb' model='none'/>"
        yield sample(f"{arch}-{machine}", devices, arch=arch, machine=machine, features="", needs=f"qemu-system-{arch}")


def _arm() -> Iterator[Sample]:
    arm = {"arch": "aarch64", "machine": "virt", "needs": "qemu-system-aarch64"}
    cpu = "<cpu mode='custom' match='exact'><model>cortex-a57</model></cpu>"
    yield sample(
        "aarch64-devices",
        disk() + interface() + "<serial type='pty'/><rng model='virtio'><backend "
        "model='random'>/dev/urandom</backend></rng><video><model type='virtio'/></video>"
        "<controller type='usb' model='qemu-xhci'/><input type='keyboard' bus='usb'/>",
        head=cpu,
        features="<gic version='2'/>",
        **arm,
    )
    yield sample("aarch64-gic-3", disk("sda", "scsi"), head=cpu, features="<gic version='3'/>", **arm)
    yield sample(
        "aarch64-virtio-mmio",
        "<disk type='file'><source file='@FOLDER@/data.img'/>"
        "<target dev='vda' bus='virtio'/><address type='virtio-mmio'/></disk>",
        head=cpu,
        features="",
        **arm,
    )
    yield sample("aarch64-smmu", "<iommu model='smmuv3'/>", head=cpu, features="<gic version='3'/>", **arm)


def _power() -> Iterator[Sample]:
    power = {"arch": "ppc64", "machine": "pseries", "needs": "qemu-system-ppc64"}
    yield sample(
        "ppc64-devices",
        disk() + disk("sda", "scsi", image="more.img") + interface() + "<serial type='pty'/>"
        "<panic model='pseries'/><nvram><address type='spapr-vio' reg='0x4000'/></nvram>"
        "<interface type='user'><model type='spapr-vlan'/></interface>",
        features="",
        **power,
    )
    yield sample(
        "ppc64-features",
        features="<hpt resizing='enabled'/><cfpc value='broken'/><sbbc value='broken'/>"
        "<ibs value='broken'/><ccf-assist state='off'/><nested-hv state='off'/>",
        **power,
    )
    yield sample(
        "ppc64-two-host-bridges",
        "<controller type='pci' model='pci-root'/><controller type='pci' index='1' "
        "model='pci-root'><target index='1'/></controller>",
        features="",
        **power,
    )


def _s390() -> Iterator[Sample]:
    mainframe = {"arch": "s390x", "machine": "s390-ccw-virtio", "needs": "qemu-system-s390x"}
    ccw = "<address type='ccw' cssid='0xfe' ssid='0x0' devno='0x000{}'/>"
    yield sample(
        "s390x-ccw-devices",
        disk("vda", "virtio", ccw.format(1), "<boot order='1' loadparm='2'/>")
        + interface("virtio", ccw.format(2))
        + "<console type='pty'><target type='sclp'/></console>"
        "<watchdog model='diag288' action='inject-nmi'/><panic model='s390'/>",
        features="",
        **mainframe,
    )
    yield sample(
        "s390x-zpci",
        "<controller type='pci' model='pci-root'/>"
        + disk(
            "vda",
            "virtio",
            "<address type='pci' "
            "domain='0' bus='0' slot='1' function='0'><zpci uid='0x0007' fid='0x00000003'/></address>",
        ),
        features="",
        **mainframe,
    )
    yield sample(
        "s390x-channel-device-passed-through",
        "<hostdev mode='subsystem' type='mdev' model='vfio-ccw'><source>"
        "<address uuid='11111111-0000-4000-8000-0000000000de'/></source></hostdev>",
        features="",
        **(mainframe | {"needs": "a channel device of the host"}),
    )


def _riscv() -> Iterator[Sample]:
    yield sample(
        "riscv64-devices",
        disk() + interface() + "<serial type='pty'/>",
        arch="riscv64",
        machine="virt",
        features="",
        needs="qemu-system-riscv64",
    )


def _other_hypervisors() -> Iterator[Sample]:
    yield sample("kvm", disk() + interface(), kind="kvm", needs="KVM")
    yield sample(
        "xen-pvh",
        "<disk type='block'><source dev='/dev/vg/x'/><target dev='xvda' bus='xen'/></disk>"
        "<interface type='bridge'><source bridge='xenbr0'/></interface><console type='pty'>"
        "<target type='xen'/></console>",
        kind="xen",
        machine="xenpvh",
        features="<xen><e820_host state='on'/></xen>",
        needs=NO_QEMU,
    )
    yield Sample(
        "lxc-container",
        """<domain type='lxc'>
  <name>lxc-container</name><memory unit='MiB'>64</memory>
  <os><type arch='x86_64'>exe</type><init>/bin/sh</init><initarg>-c</initarg><initenv name='A'>b</initenv></os>
  <features><privnet/><capabilities policy='default'><mknod state='on'/></capabilities></features>
  <idmap><uid start='0' target='1000' count='10'/></idmap>
  <devices><filesystem type='mount'><source dir='/srv/root'/><target dir='/'/></filesystem>
    <hostdev mode='capabilities' type='misc'><source><char>/dev/input/event3</char></source></hostdev>
    <console type='pty'/></devices>
</domain>
""",
        needs=NO_QEMU,
    )
    yield Sample(
        "bhyve",
        """<domain type='bhyve' xmlns:bhyve='http://libvirt.org/schemas/domain/bhyve/1.0'>
  <name>bhyve</name><memory unit='MiB'>64</memory><os><type>hvm</type></os>
  <devices><disk type='file'><source file='/zroot/a.img'/><target dev='hda' bus='sata'/></disk></devices>
  <bhyve:commandline><bhyve:arg value='-somearg'/></bhyve:commandline>
</domain>
""",
        needs=NO_QEMU,
    )
    yield Sample(
        "vmware",
        """<domain type='vmware' xmlns:vmware='http://libvirt.org/schemas/domain/vmware/1.0'>
  <name>vmware</name><memory unit='MiB'>64</memory><os><type arch='x86_64'>hvm</type></os>
  <devices><controller type='scsi' index='0' model='vmpvscsi'/>
    <disk type='file'><source file='[store] a/a.vmdk'/><target dev='sda' bus='scsi'/></disk></devices>
  <vmware:datacenterpath>folder/dc1</vmware:datacenterpath>
</domain>
""",
        needs=NO_QEMU,
    )


SAMPLES = table([*_boards(), *_arm(), *_power(), *_s390(), *_riscv(), *_other_hypervisors()])
"""Name → sample."""
