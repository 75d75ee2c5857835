"""What can be wished of a domain, a disk or an interface that exists: typed values; None leaves a thing as it is.

Checked for sense when they are made, without looking anywhere: UsageError.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.domainxml.document import element
from holdfast.domainxml.elements.disk import check_word
from holdfast.domainxml.elements.iotune import LIMITS
from holdfast.domainxml.elements.vcpu import Topology as Topology
from holdfast.errors import UsageError
from holdfast.text import size_in_words

MIB = 1024 * 1024
MOST_IO = 10**15
"""QEMU's greatest limit (7.2); libvirt 9.0 takes more in config, and the domain does not start."""


@dataclass(frozen=True, kw_only=True)
class DomainSettings:
    """Wishes for a whole domain.

    ``vcpus`` are online, ``max_vcpus`` is how many there can be without a new start; ``memory`` is what the balloon
    leaves to the guest, ``max_memory`` what it is built with (both in bytes). ``title`` and ``description`` "" remove
    them. ``boot`` names the devices to boot from, in order: target, MAC address, alias or PCI address; nothing else is
    booted from then. ``cpu_shares`` is the domain's weight on a busy host; each vCPU may use ``cpu_quota`` of every
    ``cpu_period`` microseconds (-1: all). ``graphics_password`` "" removes it; it is in no result and no text.
    """

    vcpus: int | None = None
    max_vcpus: int | None = None
    cpu_topology: Topology | None = None
    memory: int | None = None
    max_memory: int | None = None
    title: str | None = None
    description: str | None = None
    autostart: bool | None = None
    boot: tuple[str, ...] | None = None
    cpu_shares: int | None = None
    cpu_period: int | None = None
    cpu_quota: int | None = None
    graphics_password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _refuse_nothing(self)
        for name, least, most, unit in (
            ("vcpus", 1, self.max_vcpus, "vCPU"),
            ("max_vcpus", 1, None, "vCPU"),
            ("memory", MIB, self.max_memory, ""),
            ("max_memory", MIB, None, ""),
            # libvirt 9.0 takes any share in config, and the domain does not start.
            ("cpu_shares", 2, 262144, ""),
            ("cpu_period", 1000, 1000000, "microseconds"),
        ):
            _check_range(name, getattr(self, name), least, most, unit)
        if self.cpu_quota != -1:
            _check_range("cpu_quota", self.cpu_quota, 1000, 17592186044415, "microseconds, or -1 for no limit")
        if self.cpu_topology is not None and min(vars(self.cpu_topology).values()) < 1:
            raise UsageError(f"{self.cpu_topology} is no topology", "each of its numbers is at least 1")
        if "\n" in (self.title or ""):
            raise UsageError("a title is one line", "--description takes more")
        for text in (self.title, self.description):
            element("text", text=text)
        if not (self.graphics_password or "x").isprintable():
            raise UsageError("a password is one line of letters, digits and signs")
        if self.boot is not None and (not self.boot or len(set(self.boot)) < len(self.boot) or "" in self.boot):
            raise UsageError("the boot order names each device once, and at least one", "--boot vda,sda")


@dataclass(frozen=True, kw_only=True)
class DiskSettings:
    """Wishes for one disk: ``cache`` and ``discard`` in libvirt's words, and limits per second (bytes, or operations).

    A limit of 0 takes it away; a total and one for reading or writing exclude each other.
    """

    cache: str | None = None
    discard: str | None = None
    total_bytes_sec: int | None = None
    read_bytes_sec: int | None = None
    write_bytes_sec: int | None = None
    total_iops_sec: int | None = None
    read_iops_sec: int | None = None
    write_iops_sec: int | None = None

    def __post_init__(self) -> None:
        _refuse_nothing(self)
        check_word("cache", self.cache)
        check_word("discard", self.discard)
        for name in LIMITS:
            _check_range(name, getattr(self, name), 0, MOST_IO, "a second")


@dataclass(frozen=True, kw_only=True)
class InterfaceSettings:
    """Wishes for one interface: ``link`` "up" or "down", and the ``network`` or the ``bridge`` it is to be on."""

    link: str | None = None
    network: str | None = None
    bridge: str | None = None

    def __post_init__(self) -> None:
        _refuse_nothing(self)
        if self.link not in (None, "up", "down"):
            raise UsageError(f"a link cannot be {self.link!r}", "up or down")
        if self.network is not None and self.bridge is not None:
            raise UsageError("an interface is on one thing only, not on a network and a bridge both")
        if "" in (self.network, self.bridge):
            raise UsageError("a network or bridge has a name")


def _refuse_nothing(settings: object) -> None:
    if all(value is None for value in vars(settings).values()):
        raise UsageError("nothing was said that is to change", "--help lists what can be set")


def _check_range(name: str, value: int | None, least: int, most: int | None, unit: str) -> None:
    if value is None or least <= value <= (value if most is None else most):
        return
    words = size_in_words if name.endswith("memory") else str
    bound = f"at least {words(least)}" if value < least else f"at most {words(most or 0)}"
    raise UsageError(f"{name.replace('_', '-')} cannot be {words(value)}: it is {bound} {unit}".rstrip())
