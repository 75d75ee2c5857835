"""What an audit found: kinds of findings, by domain and by host, and in a few numbers."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from operator import attrgetter

from holdfast.domainxml.host.machine_type import QemuRelease
from holdfast.domainxml.manager.nova_metadata import NovaInstance
from holdfast.errors import HoldfastError
from holdfast.json_value import Json

_ORPHANS = 3
"""So many are named in a sentence."""


class FindingKind(StrEnum):
    """What there is to find, the most urgent first."""

    WOULD_NOT_START = "would-not-start"
    DISGUISED_IMAGE = "disguised-image"
    SHARED_IMAGE = "shared-image"
    LOST_STATE = "lost-state"
    NOT_RUNNING = "not-running"
    AUTOSTART = "autostart"
    SHARED_STATE = "shared-state"
    EXPIRING_MACHINE = "expiring-machine"
    EXPIRING_CPU = "expiring-cpu"
    EXPIRING_FIRMWARE = "expiring-firmware"
    EXPIRING_CERTIFICATES = "expiring-certificates"
    DRIFT = "drift"
    APART = "apart"
    RELEASING = "releasing"
    UNFINISHED = "unfinished"
    SNAPSHOT = "snapshot"
    TRANSIENT = "transient"
    RECORD = "record"
    UNKNOWN = "unknown"
    NO_RNG = "no-rng"
    NO_SLOT = "no-slot"
    UNSEALED = "unsealed"


MEANINGS = {
    FindingKind.WOULD_NOT_START: "a cold start would fail: the host lacks something that the document needs",
    FindingKind.DISGUISED_IMAGE: "a raw image looks like one of another format",
    FindingKind.SHARED_IMAGE: "two domains use the same image, and one of them writes to it",
    FindingKind.LOST_STATE: "the NVRAM or TPM state of the last recorded start is gone or was replaced",
    FindingKind.NOT_RUNNING: "recorded to run again after the host has booted, and off",
    FindingKind.AUTOSTART: "libvirt starts it with the host, on shared storage, before it is asked which host has it",
    FindingKind.SHARED_STATE: "two domains use the same NVRAM or TPM state",
    FindingKind.EXPIRING_MACHINE: "the machine type is deprecated, or a newer QEMU no longer has it",
    FindingKind.EXPIRING_CPU: "the CPU model is deprecated",
    FindingKind.EXPIRING_FIRMWARE: "UEFI firmware that newer distributions no longer have, or a template that is gone",
    FindingKind.EXPIRING_CERTIFICATES: "the NVRAM has only Microsoft's certificates of 2011, which have expired",
    FindingKind.DRIFT: "the next cold start changes the hardware: live and config differ",
    FindingKind.APART: "live and config differ in what the guest does not see: images, networks, limits, names",
    FindingKind.RELEASING: "a detached device that the guest has not released",
    FindingKind.UNFINISHED: "a creation, attach, detach, image, rescue or move that was begun and is not finished",
    FindingKind.SNAPSHOT: "reverting to a snapshot would change the hardware",
    FindingKind.TRANSIENT: "no config document: the domain is gone once it stops",
    FindingKind.RECORD: "record and document disagree, or the record cannot be read",
    FindingKind.UNKNOWN: "something in the document that Holdfast does not know",
    FindingKind.NO_RNG: "UEFI boots from the network without an RNG device",
    FindingKind.NO_SLOT: "no place to attach a device while the guest runs",
    FindingKind.UNSEALED: "left open, for a later start, host or libvirt to fill in",
}


@dataclass(frozen=True)
class Finding:
    """One finding. ``sentence`` is for people."""

    kind: FindingKind
    sentence: str


class MachineStatus(StrEnum):
    """What a host says of a machine type. ``UNKNOWN``: a QEMU of the domain's own, which the host does not speak of."""

    OFFERED = "offered"
    DEPRECATED = "deprecated"
    MISSING = "missing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, order=True)
class Machine:
    """A machine type as domains use it.

    ``released`` is year and month of its QEMU, ``dropped`` the first QEMU without it; None where its name
    does not tell.
    """

    arch: str
    name: str
    status: MachineStatus
    released: tuple[int, int] | None
    dropped: QemuRelease | None

    def to_json(self) -> dict[str, Json]:
        """The machine type as a JSON object, with its release as "2022-12"."""
        when = None if self.released is None else "{}-{:02}".format(*self.released)
        dropped = None if self.dropped is None else self.dropped.version
        return {
            "arch": self.arch,
            "name": self.name,
            "status": str(self.status),
            "released": when,
            "dropped": dropped,
        }


@dataclass(frozen=True, kw_only=True)
class DomainReport:
    """What was found about one domain; ``instance`` is that of OpenStack Nova, None for other domains."""

    name: str
    uuid: str
    running: bool
    instance: NovaInstance | None = None
    machine: Machine
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Orphan:
    """What is on a host and is nobody's.

    ``path``    where it is
    ``what``    what it is, in words
    ``remove``  the command that removes it
    """

    path: str
    what: str
    remove: str

    @classmethod
    def at(cls, path: str, what: str, *, is_folder: bool) -> Orphan:
        """The file or folder ``path``."""
        return cls(path, what, f"rm {'-r ' * is_folder}{shlex.quote(path)}")


@dataclass(frozen=True, kw_only=True)
class HostReport:
    """What was found on one host.

    ``uri``           as it was asked for, or libvirt's own name for it
    ``error``         why it could not be reached, or was lost; None when all went well
    ``unread``        domains that could not be looked at, in sentences
    ``notes``         what else is not known, in sentences
    ``orphans``       NVRAM and TPM state that no domain has, and what killed commands of this user have left
    ``domain_count``  how many domains were looked at
    ``machines``      machine type → how many domains have it
    ``domains``       those with findings, by name; where their hardware was asked for, all of them
    """

    uri: str
    error: HoldfastError | None = None
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    orphans: tuple[Orphan, ...] = ()
    domain_count: int = 0
    machines: Mapping[Machine, int] = field(default_factory=dict)
    domains: tuple[DomainReport, ...] = ()

    @property
    def needing_attention(self) -> tuple[DomainReport, ...]:
        """The domains with findings."""
        return tuple(report for report in self.domains if report.findings)

    @property
    def said(self) -> tuple[str, ...]:
        """What concerns no single domain, in sentences."""
        error = [] if self.error is None else [self.error.message]
        return (*error, *self.unread, *self.notes, *self._said_of_orphans())

    def _said_of_orphans(self) -> Iterator[str]:
        for what, same in groupby(sorted(self.orphans, key=attrgetter("what", "path")), attrgetter("what")):
            found = list(same)
            some = ", ".join(orphan.path for orphan in found[:_ORPHANS])
            more = ", …" if len(found) > _ORPHANS else ""
            which = "it" if len(found) == 1 else "the first"
            yield f"{what} ({len(found)}): {some}{more}; '{found[0].remove}' removes {which}"

    def to_json(self) -> dict[str, object]:
        """The report as a JSON object; see docs/audit.md."""
        used = sorted(self.machines.items(), key=lambda item: (item[0].arch, item[0].name))
        return {
            "uri": self.uri,
            "error": self.error,
            "unread": self.unread,
            "notes": self.notes,
            "orphans": self.orphans,
            "domain_count": self.domain_count,
            "machines": [{**machine.to_json(), "domains": number} for machine, number in used],
            "domains": self.needing_attention,
        }


@dataclass(frozen=True, kw_only=True)
class Summary:
    """How many hosts there are, and how many of them were not reached; and of their domains these:

    ``domains``          how many were looked at
    ``unread``           how many could not be
    ``domains_by_kind``  kind → how many domains have findings of it, the most urgent first; only those that some has
    """

    hosts: int
    unreachable: int
    domains: int
    unread: int
    needing_attention: int
    domains_by_kind: Mapping[FindingKind, int]


def summary_of(hosts: Sequence[HostReport]) -> Summary:
    """An audit in a few numbers."""
    found = Counter(
        kind for host in hosts for report in host.domains for kind in {finding.kind for finding in report.findings}
    )
    return Summary(
        hosts=len(hosts),
        unreachable=sum(host.error is not None for host in hosts),
        domains=sum(host.domain_count for host in hosts),
        unread=sum(len(host.unread) for host in hosts),
        needing_attention=sum(len(host.needing_attention) for host in hosts),
        domains_by_kind={kind: found[kind] for kind in FindingKind if found[kind]},
    )
