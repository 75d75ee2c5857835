"""The calls by which a guest that runs moves to another host. Strings in, strings out; no decisions here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import libvirt
from holdfast.errors.hosts import NOT_SHARED
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain, changes_domain
from holdfast.libvirtapi.translate import code_of, sentence, translated

_PAUSED_BY_MOVE = (
    libvirt.VIR_DOMAIN_PAUSED_MIGRATION,
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY,
    libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
)
_NOT_WHOLE = {
    (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY),
    (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED),
    *((libvirt.VIR_DOMAIN_PAUSED, reason) for reason in _PAUSED_BY_MOVE),
}
_FAILED_POST_COPY = {
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED),
    (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED),
}
_POSTCOPY_RESUME: int = getattr(libvirt, "VIR_MIGRATE_POSTCOPY_RESUME", 0)  # libvirt ≥ 8.5
_UNSAFE_TO_SHARE = libvirt.VIR_ERR_MIGRATE_UNSAFE
_CRASHES_ON_RESUME = ((11, 2, 0), (11, 4, 0))
"""From which libvirt on, and up to which, the destination crashes when a post-copy that broke off goes on."""


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """What libvirt is told of a migration.

    ``live``, ``config``  the documents for the destination, with their secrets
    ``copied``     targets of the disks whose images are copied
    ``resume``     True to go on with a post-copy migration that broke off
    ``tls``, ``auto_converge``, ``post_copy``, ``bandwidth`` (MiB a second)  as libvirt has them
    """

    live: str
    config: str
    copied: Sequence[str] = ()
    tls: bool = False
    auto_converge: bool = False
    post_copy: bool = False
    resume: bool = False
    bandwidth: int | None = None


@dataclass(frozen=True)
class JobNow:
    """A migration under way, or the last one: bytes, bytes a second, milliseconds, and how often memory was gone over.

    Each is None where libvirt does not say.
    """

    total: int
    remaining: int
    rate: int | None
    downtime: int | None
    rounds: int


@translated
def migratable_xml(domain: Domain) -> str:
    """The live document in the form that a destination is given, with its secrets (virDomainGetXMLDesc, MIGRATABLE)."""
    return domain._handle.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE | libvirt.VIR_DOMAIN_XML_SECURE)


@changes_domain
def migrate(domain: Domain, target: Connection, transfer: Transfer) -> None:
    """Move the guest, which runs, to ``target``, and undefine the domain where it was; returns when it is there.

    This process speaks to both hosts, which need not know each other's libvirt. Raises NOT_SHARED.
    (virDomainMigrate3; both documents are always given: from libvirt 10.0 on the live one would become the config)
    """
    flags = (
        libvirt.VIR_MIGRATE_LIVE
        | libvirt.VIR_MIGRATE_PERSIST_DEST
        | libvirt.VIR_MIGRATE_UNDEFINE_SOURCE
        | libvirt.VIR_MIGRATE_CHANGE_PROTECTION
        | libvirt.VIR_MIGRATE_ABORT_ON_ERROR
    )
    flags |= libvirt.VIR_MIGRATE_TLS if transfer.tls else 0
    flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE if transfer.auto_converge else 0
    flags |= libvirt.VIR_MIGRATE_POSTCOPY if transfer.post_copy else 0
    flags |= _POSTCOPY_RESUME if transfer.resume else 0
    parameters: dict[str, str | int | list[str]] = {
        libvirt.VIR_MIGRATE_PARAM_DEST_XML: transfer.live,
        libvirt.VIR_MIGRATE_PARAM_PERSIST_XML: transfer.config,
    }
    if transfer.bandwidth is not None:
        parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH] = transfer.bandwidth
        if transfer.post_copy:
            parameters[libvirt.VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY] = transfer.bandwidth
    if transfer.copied:
        flags |= libvirt.VIR_MIGRATE_NON_SHARED_DISK
        parameters[libvirt.VIR_MIGRATE_PARAM_MIGRATE_DISKS] = list(transfer.copied)
    try:
        domain._handle.migrate3(target._handle, parameters, flags)
    except libvirt.libvirtError as error:
        if code_of(error) != _UNSAFE_TO_SHARE:
            raise
        raise NOT_SHARED(name=domain.name, reason=sentence(error)) from error


@translated
def job_now(domain: Domain) -> JobNow | None:
    """How far the migration of ``domain`` is; None where none is under way (virDomainGetJobStats)."""
    return _job(domain._handle.jobStats(0))


@translated
def last_job(domain: Domain) -> JobNow | None:
    """What the migration that brought ``domain`` here took; None where nobody knows (COMPLETED)."""
    return _job(domain._handle.jobStats(libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED))


def _job(stats: dict[str, int | str]) -> JobNow | None:
    def number(name: str) -> int | None:
        value = stats.get(name)
        return int(value) if value is not None else None

    if not number("type"):
        return None
    rates = [rate for name in ("memory_bps", "disk_bps") if (rate := number(name)) is not None]
    return JobNow(
        number("data_total") or 0,
        number("data_remaining") or 0,
        sum(rates) if rates else None,
        number("downtime"),
        number("memory_iteration") or 0,
    )


@translated
def abort(domain: Domain) -> None:
    """End the migration of ``domain``, which runs on where it is (virDomainAbortJob)."""
    domain._handle.abortJob()


@translated
def start_post_copy(domain: Domain) -> None:
    """Let the guest run on at the destination now, and fetch the rest from here (virDomainMigrateStartPostCopy)."""
    domain._handle.migrateStartPostCopy(0)


@translated
def is_left_by_move(domain: Domain) -> bool:
    """True where its QEMU is paused because a migration has taken its memory (virDomainGetState)."""
    state, reason = domain._handle.state()[:2]
    return state == libvirt.VIR_DOMAIN_PAUSED and reason in _PAUSED_BY_MOVE


@translated
def is_whole(domain: Domain) -> bool:
    """False while its memory is not all where it is: a migration has it arrive, or take it away (virDomainGetState)."""
    return tuple(domain._handle.state()[:2]) not in _NOT_WHOLE


@translated
def is_stuck_in_post_copy(domain: Domain) -> bool:
    """True where one half of a guest whose post-copy migration broke off is here (virDomainGetState)."""
    return tuple(domain._handle.state()[:2]) in _FAILED_POST_COPY


def crashes_on_resume(target: Connection) -> bool:
    """True where the libvirt of ``target`` would crash if it went on with a post-copy (virConnectGetLibVersion)."""
    since, until = _CRASHES_ON_RESUME
    return since <= target.libvirt_version() < until
