"""Domains that show disks, and the controllers and PCI ports that devices sit on."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.builder import Sample, disk, interface, root_ports, sample, table


def _disks() -> Iterator[Sample]:
    for bus, target in (("virtio", "vda"), ("sata", "sda"), ("scsi", "sda"), ("usb", "sda"), ("ide", "hda")):
        machine = "pc" if bus == "ide" else "q35"
        yield sample(f"disk-{bus}", disk(target, bus), machine=machine)
        yield sample(
            f"disk-{bus}-serial-and-alias",
            disk(target, bus, f"<serial>{bus.upper()}-1</serial><alias name='ua-root'/>"),
            machine=machine,
        )
    for bus, target in (("sata", "sda"), ("scsi", "sda"), ("ide", "hdc")):
        machine = "pc" if bus == "ide" else "q35"
        yield sample(f"cdrom-{bus}-empty", disk(target, bus, "<readonly/>", device="cdrom", image=""), machine=machine)
    yield sample("cdrom-with-a-medium", disk("sda", "sata", "<readonly/>", device="cdrom", image="cd.iso"))
    yield sample(
        "cdrom-with-an-open-tray",
        disk("sda", "sata", "<readonly/>", device="cdrom", image="", target_attributes="tray='open'"),
    )
    yield sample("floppy", disk("fda", "fdc", device="floppy", image="floppy.img"), machine="pc")
    yield sample("floppy-q35-empty", disk("fda", "fdc", device="floppy", image=""))
    yield sample(
        "lun-of-the-host",
        "<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='/dev/sg-none'/>"
        "<target dev='sda' bus='scsi'/></disk><controller type='scsi' index='0' model='virtio-scsi'/>",
        needs="a SCSI disk of the host",
    )
    yield sample("disk-qcow2", disk(image="root.qcow2"))
    for cache in ("none", "writethrough", "writeback", "directsync", "unsafe"):
        yield sample(f"disk-cache-{cache}", disk(driver=f"cache='{cache}'"))
    yield sample("disk-discard-and-zeroes", disk(driver="discard='unmap' detect_zeroes='unmap'"))
    yield sample("disk-queues", disk(driver="queues='2' queue_size='256'"), head="<vcpu>2</vcpu>")
    yield sample("disk-io-thread", disk(driver="iothread='1'"), head="<iothreads>1</iothreads>")
    yield sample("disk-error-policy", disk(driver="error_policy='stop' rerror_policy='report'"))
    yield sample("disk-copy-on-read", disk(driver="copy_on_read='on'"))
    yield sample("disk-readonly", disk("vda", "virtio", "<readonly/>"))
    yield sample("disk-shareable", disk("vda", "virtio", "<shareable/>"))
    yield sample("disk-transient", disk("vda", "virtio", "<transient/>", image="root.qcow2"))
    yield sample("disk-rotation-rate", disk("sda", "sata", target_attributes="rotation_rate='7200'"))
    yield sample("disk-usb-cdrom", disk("sda", "usb", image="cd.iso", device="cdrom"))
    yield sample("disk-removable-stick", disk("sda", "usb", target_attributes="removable='on'"))
    yield sample("disk-wwn-vendor-product", disk("sda", "scsi", _SCSI_NAMES))
    yield sample("disk-geometry", disk("hda", "ide", "<geometry cyls='16' heads='4' secs='63'/>"), machine="pc")
    yield sample(
        "disk-block-sizes",
        disk("vda", "virtio", "<blockio logical_block_size='512' physical_block_size='4096'/>"),
    )
    yield sample("disk-throttled", disk("vda", "virtio", f"<iotune>{_LIMITS}</iotune>"))
    yield sample(
        "disk-boot-order", disk("vda", "virtio", "<boot order='2'/>") + interface("virtio", "<boot order='1'/>")
    )
    yield sample("disks-of-one-bus", disk("vda") + disk("vdb", image="more.img") + disk("vdc", image="root.qcow2"))
    yield sample(
        "disks-on-scsi-units",
        disk("sda", "scsi")
        + disk("sdb", "scsi", "<address type='drive' controller='0' bus='0' target='0' unit='5'/>", image="more.img")
        + "<controller type='scsi' index='0' model='virtio-scsi'/>",
    )
    yield sample("disk-acpi-index", disk("vda", "virtio", "<acpi index='7'/>"))
    for model in ("virtio-transitional", "virtio-non-transitional"):
        text = disk().replace("device='disk'", f"device='disk' model='{model}'")
        yield sample(f"disk-{model}", text)
    yield sample(
        "disk-over-the-network",
        "<disk type='network'><driver name='qemu' type='raw'/>"
        "<source protocol='nbd' name='export'><host name='127.0.0.1' port='10809'/></source>"
        "<target dev='vda' bus='virtio'/></disk>",
        needs="an NBD server",
    )
    yield sample(
        "disk-rbd",
        "<disk type='network'><driver name='qemu' type='raw'/><auth username='u'>"
        "<secret type='ceph' uuid='11111111-0000-4000-8000-0000000000ce'/></auth>"
        "<source protocol='rbd' name='pool/image'><host name='mon' port='6789'/></source>"
        "<target dev='vda' bus='virtio'/></disk>",
        needs="a Ceph cluster",
    )
    yield sample(
        "disk-nvme-of-the-host",
        "<disk type='nvme'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='1'>"
        "<address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></source>"
        "<target dev='vda' bus='virtio'/></disk>",
        needs="an NVMe disk of the host",
    )
    yield sample(
        "disk-vhost-user",
        "<disk type='vhostuser'><driver name='qemu' type='raw'/><source type='unix' path='/nowhere/blk.sock'/>"
        "<target dev='vda' bus='virtio'/></disk>",
        head="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
        needs="a vhost-user-blk daemon",
    )
    yield sample(
        "disk-encrypted",
        disk(image="root.qcow2").replace(
            "<target",
            "<encryption format='luks'><secret type='passphrase' uuid='"
            "11111111-0000-4000-8000-0000000000cf'/></encryption><target",
        ),
        needs="a secret",
    )


_SCSI_NAMES = "<wwn>5000c50015ea71ac</wwn><vendor>HOLDFAST</vendor><product>DISK</product>"
_LIMITS = "<read_bytes_sec>1000000</read_bytes_sec><write_iops_sec>100</write_iops_sec>"


def _controllers() -> Iterator[Sample]:
    for model in ("virtio-scsi", "lsilogic", "lsisas1068", "vmpvscsi"):
        yield sample(f"controller-{model}", f"<controller type='scsi' model='{model}'/>" + disk("sda", "scsi"))
    yield sample(
        "controller-virtio-scsi-tuned",
        "<controller type='scsi' model='virtio-scsi'>"
        "<driver queues='4' cmd_per_lun='8' max_sectors='512' iothread='1'/></controller>",
        head="<vcpu>4</vcpu><iothreads>1</iothreads>",
    )
    for model in ("piix3-uhci", "piix4-uhci", "ehci", "nec-xhci", "qemu-xhci", "pci-ohci"):
        yield sample(f"controller-usb-{model}", f"<controller type='usb' model='{model}'/>", machine="pc")
    yield sample("controller-usb-ports", "<controller type='usb' model='qemu-xhci' ports='6'/>")
    yield sample("controller-usb-none", "<controller type='usb' model='none'/>")
    yield sample(
        "controllers-usb-companions",
        "<controller type='usb' index='0' model='ich9-ehci1'/>"
        + "".join(
            f"<controller type='usb' index='0' model='ich9-uhci{n}'><master startport='{2 * n - 2}'/></controller>"
            for n in (1, 2, 3)
        ),
    )
    yield sample("controllers-two-sata", "<controller type='sata' index='1'/>" + disk("sdh", "sata"))
    yield sample(
        "controller-virtio-serial-ports",
        "<controller type='virtio-serial' index='0' ports='16' vectors='4'/>",
    )
    yield sample("controller-ccid", "<controller type='ccid' index='0'/>")
    yield sample("root-ports", root_ports(8))
    yield sample("root-ports-without-hotplug", root_ports(4, "<target hotplug='off'/>"))
    yield sample(
        "root-ports-numbered",
        root_ports(2, "").replace(
            "<controller type='pci' index='2' model='pcie-root-port'>",
            "<controller type='pci' index='2' model='pcie-root-port'><target chassis='20' port='0x20'/>",
        ),
    )
    yield sample(
        "root-port-of-intel",
        "<controller type='pci' index='1' model='pcie-root-port'><model name='ioh3420'/></controller>",
    )
    yield sample(
        "pci-bridges",
        "<controller type='pci' index='1' model='pci-bridge'/><controller type='pci' index='2' model='pci-bridge'/>",
        machine="pc",
    )
    yield sample(
        "pci-expander-bus",
        "<controller type='pci' index='1' model='pci-expander-bus'><target busNr='200'/></controller>",
        machine="pc",
    )
    yield sample(
        "pcie-expander-bus",
        "<controller type='pci' index='1' model='pcie-expander-bus'><target busNr='180'/></controller>",
    )
    yield sample(
        "pcie-to-pci-bridge",
        root_ports(1) + "<controller type='pci' index='2' model='pcie-to-pci-bridge'/>" + interface("rtl8139"),
    )
    yield sample(
        "dmi-to-pci-bridge",
        "<controller type='pci' index='1' model='dmi-to-pci-bridge'/>"
        "<controller type='pci' index='2' model='pci-bridge'/>",
    )
    yield sample(
        "pcie-switch",
        root_ports(1) + "<controller type='pci' index='2' model='pcie-switch-upstream-port'/>"
        "<controller type='pci' index='3' model='pcie-switch-downstream-port'/>",
    )
    yield sample(
        "pci-hole-64",
        "<controller type='pci' index='0' model='pcie-root'><pcihole64 unit='KiB'>1048576</pcihole64></controller>",
    )
    yield sample(
        "multifunction-slot",
        "".join(
            disk(
                f"vd{letter}",
                "virtio",
                f"<address type='pci' domain='0' bus='0' slot='5' function='{n}'{more}/>",
                image=image,
            )
            for n, (letter, image, more) in enumerate([("a", "data.img", " multifunction='on'"), ("b", "more.img", "")])
        ),
    )


SAMPLES = table([*_disks(), *_controllers()])
"""Name → sample."""
