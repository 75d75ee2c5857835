"""Domains with what libvirt 9.0 does not know yet: defined and started where a newer one is (tests/hosts)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.builder import Sample, disk, interface, sample, table

_SHARED = "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"


def _storage() -> Iterator[Sample]:
    mapping = "".join(f"<iothread id='{n}'><queue id='{n - 1}'/></iothread>" for n in (1, 2))
    mapped = f"queues='2'><iothreads>{mapping}</iothreads></driver>"
    head = "<iothreads>2</iothreads><iothreadids><iothread id='1'><poll max='100'/></iothread></iothreadids>"
    yield sample("disk-queues-on-threads", disk(driver="@").replace("@/>", mapped), head=head)
    yield sample(
        "controller-queues-on-threads",
        "<controller type='scsi' model='virtio-scsi'><driver queues='2'><iothreads><iothread id='1'/></iothreads>"
        "</driver></controller>" + disk("sda", "scsi"),
        head=head,
    )
    yield sample("disk-discard-granularity", disk("sda", "scsi", "<blockio discard_granularity='4096'/>"))
    yield sample("disk-discard-no-unref", disk(image="root.qcow2", driver="discard='unmap' discard_no_unref='on'"))
    groups = "".join(
        f"<throttlegroup><group_name>{name}</group_name><total_iops_sec>{limit}</total_iops_sec></throttlegroup>"
        for name, limit in (("all", 100), ("one", 50))
    )
    filters = "<throttlefilters><throttlefilter group='all'/><throttlefilter group='one'/></throttlefilters>"
    yield sample(
        "disk-throttle-groups", disk("vda", "virtio", filters), head=f"<throttlegroups>{groups}</throttlegroups>"
    )
    yield sample(
        "pstore", "<pstore backend='acpi-erst'><path>@FOLDER@/pstore</path><size unit='KiB'>16</size></pstore>"
    )


def _devices() -> Iterator[Sample]:
    yield sample("crypto", "<crypto model='virtio' type='qemu'><backend model='builtin' queues='1'/></crypto>")
    yield sample("crypto-nothing-chosen", "<crypto model='virtio' type='qemu'><backend model='builtin'/></crypto>" * 2)
    yield sample("interface-igb", interface("igb"))
    yield sample("sound-virtio", "<sound model='virtio' streams='2'><driver packed='on'/></sound>")
    yield sample("sound-usb-multichannel", "<sound model='usb' multichannel='yes'/>")
    yield sample("video-blob", "<video><model type='virtio' blob='on'/></video>", head=_SHARED, needs="/dev/udmabuf")
    yield sample("tpm-with-a-log", "<tpm model='tpm-crb'><backend type='emulator' version='2.0' debug='5'/></tpm>")
    yield sample(
        "iommu-without-dma-translation",
        "<iommu model='intel'><driver intremap='on' eim='on' dma_translation='off'/></iommu>",
        features="<acpi/><ioapic driver='qemu'/>",
    )
    yield sample(
        "root-port-reserves-memory",
        "<controller type='pci' index='1' model='pcie-root-port'><target memReserve='32768'/></controller>",
    )
    yield sample(
        "memory-with-dynamic-slots",
        "<memory model='virtio-mem'><target dynamicMemslots='yes'><size unit='MiB'>256</size><node>0</node>"
        "<block unit='MiB'>2</block><requested unit='MiB'>128</requested></target></memory>",
        head="<maxMemory slots='2' unit='MiB'>2048</maxMemory><memory unit='MiB'>256</memory><vcpu>1</vcpu>"
        "<cpu><numa><cell id='0' cpus='0' memory='256' unit='MiB'/></numa></cpu>",
    )


def _machines() -> Iterator[Sample]:
    yield sample("ps2-off", "<input type='keyboard' bus='usb'/>", features="<acpi/><ps2 state='off'/>")
    yield sample(
        "hyperv-newer",
        features="<acpi/><hyperv><vpindex state='on'/><tlbflush state='on'><direct state='on'/><extended state='on'/>"
        "</tlbflush><xmm_input state='on'/><emsr_bitmap state='on'/></hyperv>",
    )
    yield sample("async-teardown", features="<acpi/><async-teardown enabled='yes'/>")


SAMPLES = table([*_storage(), *_devices(), *_machines()])
"""Name → sample."""
