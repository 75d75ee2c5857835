"""Domains that show boards, processors, memory, firmware, clocks, strings and what the host may tune."""

from __future__ import annotations

from collections.abc import Iterator

from tests.corpus.builder import Sample, disk, interface, sample, table

_MACHINES = (
    *("pc-q35-7.2", "pc-q35-6.2", "pc-q35-5.0", "pc-q35-4.2", "pc-q35-3.0", "pc-q35-2.12", "pc-q35-2.4"),
    *("pc-i440fx-7.2", "pc-i440fx-6.0", "pc-i440fx-4.2", "pc-i440fx-2.11", "pc-i440fx-2.0", "microvm", "isapc"),
)


def _boards() -> Iterator[Sample]:
    for machine in _MACHINES:
        bare = machine in ("microvm", "isapc")
        devices = "<memballoon model='none'/>" if bare else disk() + interface()
        if bare:
            devices += "<controller type='usb' model='none'/>"
        yield sample(f"machine-{machine}", devices, machine=machine, features="" if bare else "<acpi/><apic/>")
    yield sample("machine-32-bit", disk() + interface(), machine="pc", arch="i686")
    yield sample("features-none", machine="pc", features="")
    yield sample(
        "features-of-x86",
        features="<acpi/><apic eoi='on'/><pae/><pmu state='off'/><vmport state='off'/><smm state='on'>"
        "<tseg unit='MiB'>48</tseg></smm><vmcoreinfo state='on'/><ioapic driver='qemu'/><hap state='on'/>",
    )
    yield sample(
        "features-of-kvm",
        features="<acpi/><kvm><hidden state='on'/><hint-dedicated state='on'/><poll-control state='on'/></kvm>"
        "<pvspinlock state='on'/>",
        needs="KVM",
    )
    yield sample("features-hyperv", features=f"<acpi/><hyperv mode='custom'>{_HYPERV}</hyperv>", needs="KVM")
    yield sample("features-tb-cache", features="<acpi/><tcg><tb-cache unit='MiB'>64</tb-cache></tcg>")


_HYPERV = (
    "<relaxed state='on'/><vapic state='on'/><spinlocks state='on' retries='4096'/><vpindex state='on'/>"
    "<runtime state='on'/><synic state='on'/><reset state='on'/><vendor_id state='on' value='HOLDFAST'/>"
    "<frequencies state='on'/>"
)


def _processors() -> Iterator[Sample]:
    for model in ("qemu64", "Nehalem", "EPYC", "Skylake-Server", "Opteron_G3", "core2duo"):
        cpu = f"<cpu mode='custom' match='exact' check='none'><model fallback='allow'>{model}</model></cpu>"
        yield sample(f"cpu-{model}", head=cpu)
    yield sample("cpu-strict", head=_cpu("<feature policy='require' name='aes'/>", "match='strict' check='none'"))
    yield sample(
        "cpu-features",
        head=_cpu("".join(f"<feature policy='{policy}' name='{name}'/>" for policy, name in _POLICIES)),
    )
    yield sample("cpu-vendor-id", head=_cpu("").replace("'allow'", "'allow' vendor_id='HoldfastCorp'"))
    yield sample("cpu-host-passthrough", head="<cpu mode='host-passthrough' migratable='off'/>", needs="KVM")
    yield sample("cpu-cache-and-address-bits", head=_cpu("<maxphysaddr mode='emulate' bits='42'/>"))
    yield sample("cpu-cache-level", head="<cpu mode='maximum'><cache level='3' mode='emulate'/></cpu>")
    yield sample("cpu-topology", head="<vcpu>8</vcpu>" + _cpu("<topology sockets='2' cores='2' threads='2'/>"))
    yield sample("cpu-dies", head="<vcpu>8</vcpu>" + _cpu("<topology sockets='1' dies='2' cores='2' threads='2'/>"))
    yield sample("vcpus-some-online", head="<vcpu placement='static' current='2'>6</vcpu>")
    yield sample(
        "vcpus-pinned",
        head="<vcpu cpuset='0'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='0'/></cputune>",
        needs="cgroups",
    )
    yield sample(
        "vcpus-x2apic-300",
        head="<vcpu>300</vcpu>",
        features="<acpi/><apic/><ioapic driver='qemu'/>",
        devices="<iommu model='intel'><driver intremap='on' eim='on'/></iommu>",
        needs="KVM",
    )


_POLICIES = (("require", "aes"), ("disable", "vmx"), ("optional", "avx"), ("force", "ssse3"), ("forbid", "svm"))


def _cpu(parts: str, attributes: str = "match='exact' check='none'") -> str:
    return f"<cpu mode='custom' {attributes}><model fallback='allow'>Nehalem</model>{parts}</cpu>"


def _memory() -> Iterator[Sample]:
    yield sample(
        "memory-balloon-target", head="<memory unit='MiB'>128</memory><currentMemory unit='MiB'>96</currentMemory>"
    )
    yield sample(
        "memory-maximum", head="<maxMemory slots='2' unit='GiB'>2</maxMemory><memory unit='MiB'>64</memory>" + _numa(1)
    )
    yield sample("memory-units", head="<memory unit='MB'>128</memory>")
    for number in (2, 4):
        yield sample(
            f"numa-{number}-cells",
            head=f"<memory unit='MiB'>{64 * number}</memory><vcpu>{number}</vcpu>" + _numa(number),
        )
    yield sample(
        "numa-tuned",
        head="<memory unit='MiB'>128</memory><vcpu>2</vcpu><numatune>"
        "<memory mode='preferred' nodeset='0'/></numatune>" + _numa(2),
        needs="cgroups",
    )
    yield sample(
        "numa-with-caches",
        features="<acpi/>",
        head="<memory unit='MiB'>128</memory><vcpu>2</vcpu>"
        + _numa(
            1,
            "<cache level='1' associativity='direct' policy='writeback'>"
            "<size value='8' unit='KiB'/><line value='5' unit='B'/></cache>",
            f"<interconnects>{_LATENCIES}</interconnects>",
        ),
    )
    yield sample("memory-huge-pages", head="<memoryBacking><hugepages/></memoryBacking>", needs="huge pages")
    yield sample(
        "memory-shared-file", head="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
    )
    yield sample("memory-locked-and-unmerged", head="<memoryBacking><nosharepages/></memoryBacking>")
    yield sample("memory-limits", head="<memtune><hard_limit unit='GiB'>1</hard_limit></memtune>", needs="cgroups")


_LATENCIES = (
    "<latency initiator='0' target='0' cache='1' type='access' value='5'/>"
    "<bandwidth initiator='0' target='0' type='access' value='204800' unit='KiB'/>"
)


def _numa(cells: int, inside: str = "", after: str = "") -> str:
    each = "".join(f"<cell id='{n}' cpus='{n}' memory='64' unit='MiB'>{inside}</cell>" for n in range(cells))
    return f"<cpu mode='custom' match='exact' check='none'><model>qemu64</model><numa>{each}{after}</numa></cpu>"


def _starting() -> Iterator[Sample]:
    yield sample("boot-devices", disk() + interface(), os="<boot dev='network'/><boot dev='hd'/><boot dev='cdrom'/>")
    yield sample("boot-menu", disk(), os="<bootmenu enable='yes' timeout='3000'/>")
    yield sample("boot-bios-on-serial", "<serial type='pty'/>", os="<bios useserial='yes' rebootTimeout='0'/>")
    yield sample("boot-kernel", os="<kernel>@FOLDER@/kernel</kernel><cmdline>console=ttyS0</cmdline>")
    yield sample(
        "firmware-named-4m",
        disk(),
        os=f"<loader readonly='yes' type='pflash'>{_OVMF}</loader>"
        "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.fd'>@FOLDER@/4m.fd</nvram>",
        needs=_OVMF,
    )
    yield sample(
        "firmware-secure-boot",
        disk(),
        os=f"<loader readonly='yes' secure='yes' type='pflash'>{_SECURE}</loader>"
        "<nvram template='/usr/share/OVMF/OVMF_VARS_4M.ms.fd'>@FOLDER@/ms.fd</nvram>",
        features="<acpi/><smm state='on'/>",
        needs=_SECURE,
    )
    yield sample(
        "firmware-automatic-without-secure-boot",
        disk(),
        os_attributes=" firmware='efi'",
        os="<firmware><feature enabled='no' name='enrolled-keys'/></firmware>",
        needs=_OVMF,
    )
    yield sample(
        "firmware-automatic-with-secure-loader",
        disk(),
        os_attributes=" firmware='efi'",
        os="<loader secure='yes'/>",
        features="<acpi/><smm state='on'/>",
        needs=_SECURE,
    )
    yield sample(
        "firmware-bios-chosen", disk(), os_attributes=" firmware='bios'", needs="a descriptor of a BIOS firmware"
    )
    yield sample(
        "firmware-as-rom",
        disk(),
        os="<loader type='rom'>/usr/share/seabios/bios-256k.bin</loader>",
        needs="/usr/share/seabios/bios-256k.bin",
    )
    for mode in ("emulate", "host"):
        yield sample(f"smbios-{mode}", os=f"<smbios mode='{mode}'/>", needs="DMI of the host" if mode == "host" else "")
    yield sample("smbios-strings", os="<smbios mode='sysinfo'/>", head=f"<sysinfo type='smbios'>{_STRINGS}</sysinfo>")
    yield sample("genid", head="<genid>11111111-0000-4000-8000-0000000000ab</genid>")


_OVMF = "/usr/share/OVMF/OVMF_CODE_4M.fd"
_SECURE = "/usr/share/OVMF/OVMF_CODE_4M.ms.fd"
_STRINGS = (
    "<bios><entry name='vendor'>Kelp</entry><entry name='version'>1</entry></bios>"
    "<system><entry name='product'>Forest</entry><entry name='sku'>7</entry></system>"
    "<baseBoard><entry name='product'>Rock</entry></baseBoard><chassis><entry name='serial'>C-1</entry></chassis>"
    "<oemStrings><entry>one</entry></oemStrings>"
)


def _time_and_power() -> Iterator[Sample]:
    for offset in ("utc", "localtime"):
        yield sample(f"clock-{offset}", head=f"<clock offset='{offset}'/>")
    yield sample("clock-timezone", head="<clock offset='timezone' timezone='Europe/Berlin'/>", needs="libvirt's LXC")
    yield sample("clock-absolute", head="<clock offset='absolute' start='1700000000'/>")
    yield sample(
        "clock-timers",
        head="<clock offset='utc'><timer name='rtc' tickpolicy='catchup' track='guest'>"
        "<catchup threshold='123' slew='120' limit='10000'/></timer><timer name='pit' tickpolicy='delay'/>"
        "<timer name='hpet' present='yes'/></clock>",
        needs="KVM",
    )
    yield sample(
        "clock-kvm-and-tsc",
        head="<clock offset='utc'><timer name='kvmclock' present='no'/>"
        "<timer name='hypervclock' present='yes'/></clock>",
    )
    yield sample("power-management", head="<pm><suspend-to-mem enabled='yes'/><suspend-to-disk enabled='no'/></pm>")
    yield sample(
        "lifecycle",
        head="<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>preserve</on_crash>",
    )


def _host_tuning() -> Iterator[Sample]:
    yield sample(
        "io-threads", head="<iothreads>2</iothreads><iothreadids><iothread id='4'/><iothread id='7'/></iothreadids>"
    )
    yield sample("cpu-shares", head="<cputune><shares>512</shares></cputune>", needs="cgroups")
    yield sample("disk-weights", head="<blkiotune><weight>500</weight></blkiotune>", needs="cgroups")
    yield sample("security-label", head="<seclabel type='none' model='none'/>")
    yield sample(
        "title-and-metadata",
        head="<title>A title</title><description>Words</description><metadata>"
        "<x:note xmlns:x='urn:example'>free text</x:note></metadata>",
    )
    yield sample("resource-partition", head="<resource><partition>/machine</partition></resource>")
    yield sample(
        "qemu-command-line",
        head="<qemu:commandline><qemu:arg value='-global'/>"
        "<qemu:arg value='kvm-pit.lost_tick_policy=delay'/><qemu:env name='A' value='b'/></qemu:commandline>",
    )
    yield sample(
        "qemu-override",
        disk("vda", "virtio", "<alias name='ua-over'/>"),
        head="<qemu:override>"
        "<qemu:device alias='ua-over'><qemu:frontend><qemu:property name='num-queues' type='unsigned' value='1'/>"
        "</qemu:frontend></qemu:device></qemu:override>",
    )
    yield sample("sev", head="<launchSecurity type='sev'><policy>0x0001</policy></launchSecurity>", needs="AMD SEV")


SAMPLES = table([*_boards(), *_processors(), *_memory(), *_starting(), *_time_and_power(), *_host_tuning()])
"""Name → sample."""
