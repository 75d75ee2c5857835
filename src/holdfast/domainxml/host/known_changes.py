"""What is known to differ for a guest between versions of QEMU and of libvirt, though its document stays the same.

The one table of it is :data:`KNOWN_CHANGES`; docs/plan.md shows it to people. All in it was measured, and says how.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from holdfast.domainxml.document import Element, devices, value_at
from holdfast.domainxml.elements.cpu import BY_TOPOLOGY
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.versions import Version, Versions, dotted


@dataclass(frozen=True)
class KnownChange:
    """Something that depends on the version of ``program``, "QEMU" or "libvirt".

    ``part``      what it concerns, as in an outlook
    ``concerns``  true for a document whose guest has it
    ``given``     version → what the guest has; between two that differ, nobody knows
    ``how``       how it was measured
    ``oddity``    what of that only some versions between others give; "" for what changed once and for all
    ``goes_on``   whether a guest with the oddity goes on under a version that does not have it, with the memory that it
                  has; None where that is no question
    """

    part: str
    program: str
    concerns: Callable[[Element], bool]
    given: dict[Version, str]
    how: str
    oddity: str = ""
    goes_on: Callable[[Element, Version], bool] | None = None

    def version(self, versions: Versions) -> Version | None:
        """The one of ``versions`` that counts here."""
        return versions.qemu if self.program == "QEMU" else versions.libvirt

    def given_by(self, version: Version | None) -> str | None:
        """What a guest has with ``version``; None where nobody knows."""
        if version is None:
            return None
        older = [had for each, had in self.given.items() if each <= version]
        newer = [had for each, had in self.given.items() if each >= version]
        around = {*older[-1:], *newer[:1]}
        return around.pop() if len(around) == 1 else None


def _has_virtio(domain: Element) -> bool:
    """True for nearly every domain: libvirt gives one a balloon where nothing is said of it."""
    paths = ("@model", "@type", "@bus", "model@type", "target@bus")
    return any((value_at(device, path) or "").startswith("virtio") for device in devices(domain) for path in paths)


def _takes_large_queues(domain: Element, qemu: Version) -> bool:
    """QEMU 7.2 takes a queue that is longer than its own, as 11.1 does not (measured); what is between nobody knows.

    Only of a packed ring has it as many entries in memory of its own (virtqueue_packed_fill), and no more.
    """
    return qemu <= (7, 2, 22) and all(value_at(device, "driver@packed") != "on" for device in devices(domain))


def _has_cd_on_usb(domain: Element) -> bool:
    drives = domain.iterfind("devices/disk[@device='cdrom']")
    return any(value_at(drive, "target@bus") == "usb" and drive.get("model") is None for drive in drives)


def _is_q35(domain: Element) -> bool:
    return "q35" in Platform.of(domain).machine


def _is_pc(domain: Element) -> bool:
    return Platform.of(domain).is_x86 and "microvm" not in Platform.of(domain).machine


def _has_acpi(domain: Element) -> bool:
    return _is_pc(domain) and domain.find("features/acpi") is not None


def _has_root_ports(domain: Element) -> bool:
    return _is_q35(domain) and domain.find("devices/controller[@model='pcie-root-port']") is not None


def _names_topology(domain: Element) -> bool:
    """True where a CPU has features named that it would not have by its sockets, cores and threads."""
    named = {feature.get("name") for feature in domain.iterfind("cpu/feature[@policy='require']")}
    topology = domain.find("cpu/topology")
    several = topology is not None and any(topology.get(each, "1") != "1" for each in ("dies", "cores", "threads"))
    return bool(named.intersection(BY_TOPOLOGY)) and not several


_OWN_QUEUES = "virtio queues of each device's own size, 256 for a disk"
_LARGE_QUEUES = "virtio queues of 1024 in every device, whatever its document says"

_BY_PROBE = "a probe with each; the guest's own `/sys/firmware` and `/sys/bus/pci` (`scripts/chain`)"

KNOWN_CHANGES = (
    KnownChange(
        "virtio",
        "QEMU",
        _has_virtio,
        {(7, 2, 22): _OWN_QUEUES, (10, 0, 2): _OWN_QUEUES, (10, 0, 13): _LARGE_QUEUES, (11, 1, 3): _OWN_QUEUES},
        "`x-query-virtio-queue-status` of each; the guest's `/sys/block/vda/mq/0/nr_tags`",
        oddity=_LARGE_QUEUES,
        goes_on=_takes_large_queues,
    ),
    KnownChange(
        "disk",
        "libvirt",
        _has_cd_on_usb,
        {
            (11, 4, 0): "a disk for a CD drive on USB (usb-storage)",
            (
                11,
                5,
                0,
            ): "a CD drive on USB (usb-bot) if it is defined there; an upgraded host keeps the disk",
        },
        "the device on QEMU's command line with 9.0, 11.3 and 12.8; from which version on: libvirt's release notes",
    ),
    KnownChange(
        "watchdog",
        "libvirt",
        _is_q35,
        {(9, 0, 0): "an iTCO watchdog that cannot reset it", (9, 1, 0): "an iTCO watchdog that works"},
        "`ICH9-LPC.noreboot` on QEMU's command line, likewise",
    ),
    KnownChange(
        "topology",
        "libvirt",
        _names_topology,
        {
            (11, 3, 0): "the CPU features ht and cmp_legacy as its document says",
            (12, 8, 0): "the CPU features ht and cmp_legacy only where a socket has several threads",
        },
        "QEMU's own `ht` and `cmp-legacy` of a CPU that has them required, with 11.3 and 12.8",
    ),
    KnownChange(
        "acpi",
        "QEMU",
        _has_acpi,
        {
            (7, 2, 22): "an ACPI table DSDT as QEMU 7.2 writes it",
            (10, 0, 13): "an ACPI table DSDT as QEMU 10.0 writes it",
            (11, 1, 3): "an ACPI table DSDT as QEMU 11.1 writes it",
        },
        f"{_BY_PROBE}; q35 and i440fx, versions 6.2 and 7.2 of the machine, with a BIOS and with UEFI",
    ),
    KnownChange(
        "acpi",
        "QEMU",
        _has_acpi,
        {(7, 2, 22): "an ACPI table APIC of revision 1", (10, 0, 13): "an ACPI table APIC of revision 3"},
        f"{_BY_PROBE}, likewise",
    ),
    KnownChange(
        "smbios",
        "QEMU",
        _is_pc,
        {
            (7, 2, 22): "processors in SMBIOS (type 4) of the family 1, other",
            (10, 0, 13): "processors in SMBIOS (type 4) of the family 254, which refers to a second field",
        },
        f"{_BY_PROBE}, likewise",
    ),
    KnownChange(
        "pci",
        "QEMU",
        _has_root_ports,
        {
            (7, 2, 22): "root ports whose power indicator is on where a device is behind them",
            (10, 0, 13): "root ports whose power indicator is off",
        },
        f"{_BY_PROBE}; bits 8 and 9 of the slot control, from pc-q35-6.2 on",
    ),
)


def known_changes(domain: Element, before: Versions, after: Versions) -> Iterator[Outlook]:
    """What a cold start with the versions ``after`` changes for a guest that had its hardware by those ``before``."""
    for known in KNOWN_CHANGES:
        old, new = known.version(before), known.version(after)
        had, has = known.given_by(old), known.given_by(new)
        if new in (None, old) or had == has is not None or not known.concerns(domain):
            continue
        if old is None and not known.oddity:
            continue
        if has is None or (old is not None and had is None):
            words = " or ".join(dict.fromkeys(known.given.values()))
            unmeasured = _named(known, new if has is None else old)
            yield Outlook(Effect.UNKNOWN, known.part, f"nobody has measured whether {unmeasured} gives {words}")
        elif had is not None:
            sentence = f"{_named(known, new)} gives the guest {has}; {dotted(old)} gave it {had}"
            yield Outlook(Effect.CHANGES, known.part, sentence)
        elif has == known.oddity:
            sentence = f"{_named(known, new)} gives the guest {has}; which {known.program} it had before is not known"
            yield Outlook(Effect.UNKNOWN, known.part, sentence)


def oddities(here: Versions) -> Iterator[str]:
    """What the versions ``here`` give to guests and others do not, in sentences."""
    for known in KNOWN_CHANGES:
        if known.oddity and known.given_by(known.version(here)) == known.oddity:
            memory = ", which then restores no memory that was saved here" if known.goes_on else ""
            yield (
                f"{_named(known, known.version(here))} gives guests {known.oddity}: they change with the next "
                f"{known.program}{memory}"
            )


def memory_lost(domain: Element, before: Versions, after: Versions) -> str | None:
    """Why memory that a guest of ``domain`` had under ``before`` is not restored under ``after``; None where it is."""
    known = _not_taken_over(domain, before, after)
    if known is None:
        return None
    old, new = known.version(before), dotted(known.version(after))
    return f"it was saved under {_named(known, old)}, with {known.oddity}, and {new} does not restore it"


def memory_refused(domain: Element, before: Versions, after: Versions) -> str | None:
    """Why a guest of ``domain`` that runs under ``before`` cannot go on under ``after``; None where it can."""
    known = _not_taken_over(domain, before, after)
    if known is None:
        return None
    old, new = known.version(before), dotted(known.version(after))
    return f"it runs under {_named(known, old)}, with {known.oddity}, and {new} does not take it over while it runs"


def _not_taken_over(domain: Element, before: Versions, after: Versions) -> KnownChange | None:
    for known in KNOWN_CHANGES:
        old, new = known.version(before), known.version(after)
        if known.goes_on is None or new is None or not known.given_by(old) == known.oddity != known.given_by(new):
            continue
        if known.concerns(domain) and not known.goes_on(domain, new):
            return known
    return None


def _named(known: KnownChange, version: Version | None) -> str:
    return f"{known.program} {dotted(version)}"
