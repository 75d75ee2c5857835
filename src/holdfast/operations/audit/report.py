"""What an audit found: kinds of findings, by domain and by host, and their JSON form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from holdfast.domainxml.manager.nova_metadata import NovaInstance
from holdfast.json_value import Json

FORMAT = "holdfast.audit"
VERSION = 1
"""Raised when a field of the JSON form goes or changes its meaning; new fields and new kinds do not raise it."""


class FindingKind(StrEnum):
    """What there is to find, the most urgent first."""

    DISGUISED_IMAGE = "disguised-image"
    SHARED_IMAGE = "shared-image"
    EXPIRING_MACHINE = "expiring-machine"
    EXPIRING_CPU = "expiring-cpu"
    DRIFT = "drift"
    RELEASING = "releasing"
    UNFINISHED = "unfinished"
    SNAPSHOT = "snapshot"
    TRANSIENT = "transient"
    RECORD = "record"
    UNKNOWN = "unknown"
    NO_SLOT = "no-slot"
    UNSEALED = "unsealed"


MEANINGS = {
    FindingKind.DISGUISED_IMAGE: "a raw image begins like one of another format",
    FindingKind.SHARED_IMAGE: "two domains have one image, and one of them writes it",
    FindingKind.EXPIRING_MACHINE: "the machine type is deprecated, or this host has it no more",
    FindingKind.EXPIRING_CPU: "the CPU model is deprecated",
    FindingKind.DRIFT: "the next cold start changes the hardware: live and config differ",
    FindingKind.RELEASING: "a detached device that the guest has not released",
    FindingKind.UNFINISHED: "a creation or an image that was begun and is not finished",
    FindingKind.SNAPSHOT: "reverting to a snapshot would change the hardware",
    FindingKind.TRANSIENT: "no config document: the domain is gone once it stops",
    FindingKind.RECORD: "what is recorded of the disks and the document do not agree",
    FindingKind.UNKNOWN: "something in the document that Holdfast does not know",
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
    """A machine type as domains use it; ``released`` is year and month of its QEMU, None where its name has none."""

    arch: str
    name: str
    status: MachineStatus
    released: tuple[int, int] | None


@dataclass(frozen=True)
class DomainReport:
    """What was found about one domain; ``instance`` is that of OpenStack Nova."""

    name: str
    uuid: str
    running: bool
    machine: Machine
    findings: tuple[Finding, ...] = ()
    instance: NovaInstance | None = None


@dataclass
class HostReport:
    """What was found on one host.

    ``uri``       as it was asked for, or libvirt's own name for it
    ``domains``   how many domains were looked at
    ``reports``   those with findings, by name (all of them where that was asked for)
    ``machines``  machine type → how many domains have it
    ``unread``    domains that could not be looked at, in sentences
    ``notes``     what else is not known, in sentences
    ``error``     why it could not be reached, or was lost; None when all went well
    """

    uri: str
    domains: int = 0
    reports: list[DomainReport] = field(default_factory=list)
    machines: Counter[Machine] = field(default_factory=Counter)
    unread: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    error: str | None = None

    @property
    def needing_attention(self) -> list[DomainReport]:
        """The domains with findings."""
        return [report for report in self.reports if report.findings]


def count_kinds(hosts: Iterable[HostReport]) -> dict[FindingKind, int]:
    """How many domains have findings of each kind, in the order of the kinds; only those that some domain has."""
    found = Counter(
        kind for host in hosts for report in host.reports for kind in {finding.kind for finding in report.findings}
    )
    return {kind: found[kind] for kind in FindingKind if found[kind]}


def hosts_to_json(hosts: Iterable[HostReport]) -> dict[str, Json]:
    """The whole audit as a JSON object; its format is documented in docs/audit.md."""
    hosts = list(hosts)
    return {
        "format": FORMAT,
        "version": VERSION,
        "summary": {
            "hosts": len(hosts),
            "unreachable": sum(host.error is not None for host in hosts),
            "domains": sum(host.domains for host in hosts),
            "needing_attention": sum(len(host.needing_attention) for host in hosts),
            "domains_by_kind": {str(kind): number for kind, number in count_kinds(hosts).items()},
        },
        "hosts": [_host(host) for host in hosts],
    }


def _host(host: HostReport) -> dict[str, Json]:
    return {
        "uri": host.uri,
        "error": host.error,
        "unread": host.unread,
        "notes": host.notes,
        "domain_count": host.domains,
        "machines": [
            {**_machine(machine), "domains": number}
            for machine, number in sorted(host.machines.items(), key=lambda item: (item[0].arch, item[0].name))
        ],
        "domains": [
            {
                "name": report.name,
                "uuid": report.uuid,
                "running": report.running,
                "instance": None if report.instance is None else asdict(report.instance),
                "machine": _machine(report.machine),
                "findings": [{**asdict(finding), "kind": str(finding.kind)} for finding in report.findings],
            }
            for report in host.needing_attention
        ],
    }


def _machine(machine: Machine) -> dict[str, Json]:
    when = None if machine.released is None else "{}-{:02}".format(*machine.released)
    return {"arch": machine.arch, "name": machine.name, "status": str(machine.status), "released": when}
