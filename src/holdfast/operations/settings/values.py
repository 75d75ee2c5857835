"""What can be asked for of a domain, a disk or an interface that exists: typed values; None leaves a thing as it is.

They are checked for sense when they are made, without looking anywhere, and raise UsageError: TOO_SMALL and the like.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.domainxml.document import element
from holdfast.domainxml.elements.disk import check_word
from holdfast.domainxml.elements.iotune import LIMITS
from holdfast.domainxml.elements.vcpu import Topology
from holdfast.errors import settings as errors
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.text import size_in_words

MIB = 1024 * 1024
MOST_IO = 10**15
"""QEMU's greatest limit (7.2); libvirt 9.0 takes more in config, and the domain does not start."""


@dataclass(frozen=True, kw_only=True)
class DomainSettings:
    """What is asked for of a whole domain.

    ``vcpus``              how many are online
    ``max_vcpus``          how many can be online without a new start
    ``cpu_topology``       how the guest sees them divided among sockets, dies, cores and threads
    ``memory``             what the balloon leaves to the guest, in bytes
    ``max_memory``         what the guest is built with, in bytes
    ``title``              a line for people; "" removes it
    ``description``        more for people; "" removes it
    ``autostart``          whether libvirt starts it with the host
    ``boot``               the devices to boot from, in order, and no other: target, MAC address, alias or PCI address
    ``cpu_shares``         its weight on a busy host
    ``cpu_period``         a time in microseconds, of which each vCPU may use ``cpu_quota``
    ``cpu_quota``          microseconds; -1: all
    ``graphics_password``  for VNC or SPICE; "" removes it. It is in no result and no text
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
            ("vcpus", 1, self.max_vcpus, ""),
            ("max_vcpus", 1, None, ""),
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
            raise errors.NO_TOPOLOGY(topology=self.cpu_topology)
        if "\n" in (self.title or ""):
            raise errors.LONG_TITLE()
        for text in (self.title, self.description):
            element("text", text=text)
        if not (self.graphics_password or "x").isprintable():
            raise errors.BAD_PASSWORD()
        if self.boot is not None and (not self.boot or len(set(self.boot)) < len(self.boot) or "" in self.boot):
            raise errors.BAD_BOOT_ORDER()


@dataclass(frozen=True, kw_only=True)
class DiskSettings:
    """What is asked for of one disk.

    ``cache``, ``discard``  in libvirt's words
    ``…_bytes_sec``         limits, in bytes a second; 0 takes one away
    ``…_iops_sec``          limits, in operations a second; 0 takes one away

    A limit of the total and one for reading or writing exclude each other.
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
    """What is asked for of one interface.

    ``link``               "up", or "down": the cable is pulled
    ``network``            the network of libvirt that it is to be on
    ``bridge``             the bridge of the host that it is to be on, instead of a network
    """

    link: str | None = None
    network: str | None = None
    bridge: str | None = None

    def __post_init__(self) -> None:
        _refuse_nothing(self)
        if self.link not in (None, "up", "down"):
            raise UNKNOWN_WORD(what="link state", word=self.link, words=("up", "down"))
        if self.network is not None and self.bridge is not None:
            raise errors.TWO_NETWORKS()
        if "" in (self.network, self.bridge):
            raise errors.NAMELESS()


def _refuse_nothing(settings: object) -> None:
    if all(value is None for value in vars(settings).values()):
        raise errors.NOTHING_SAID()


def _check_range(name: str, value: int | None, least: int, most: int | None, unit: str) -> None:
    """Raise TOO_SMALL or TOO_LARGE for a ``value`` that is not between ``least`` and ``most`` so many of ``unit``."""
    words = size_in_words if name.endswith("memory") else str
    setting = name.replace("_", "-")
    if value is not None and value < least:
        raise errors.TOO_SMALL(setting=setting, value=words(value), least=f"{words(least)} {unit}".rstrip())
    if value is not None and most is not None and value > most:
        raise errors.TOO_LARGE(setting=setting, value=words(value), most=f"{words(most)} {unit}".rstrip())
