"""``holdfast-nova-status upgrade check``: whether this compute node can run the driver, before it is switched to it.

In the form of ``nova-status upgrade check``: a table, or JSON, and the exit code 0, 1 with warnings, 2 with a failure.
It is to be run as the user that nova-compute runs as. Nothing is changed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

import nova.conf
from oslo_config import cfg
from oslo_upgradecheck.upgradecheck import Code, Result, UpgradeCommands
from oslo_upgradecheck.upgradecheck import main as run_checks

from holdfast.errors import HoldfastError
from holdfast.operations.audit.hosts import audit_host
from holdfast.operations.audit.report import FindingKind, HostReport
from holdfast.operations.connect import connect
from holdfast.operations.domain.seal import seal_domain
from holdfast.operations.session import check_locks
from holdfast.operations.vocabulary import Remedy
from holdfast_nova import conf
from holdfast_nova.nova_at_hand import UnfitNova, other_sources, refuse_misfits
from holdfast_nova.start_checks import hypervisor_misfit

CONF = nova.conf.CONF

_SHOWN = 5
"""So many instances are named; the table is one column of sixty characters."""
_LEFT_OVER = (FindingKind.UNFINISHED, FindingKind.RECORD, FindingKind.LOST_STATE)


class NodeChecks(UpgradeCommands):  # type: ignore[misc]  # oslo has no types
    """What is checked of the node. What libvirt has is looked at once."""

    display_title = "Holdfast on this compute node"

    def __init__(self) -> None:
        self._report: HostReport | None = None

    def _nova(self) -> Result:
        try:
            refuse_misfits()
        except UnfitNova as error:
            return Result(Code.FAILURE, str(error))
        if differing := other_sources():
            code = Code.FAILURE if CONF.holdfast.strict else Code.WARNING
            return Result(code, _some(map(str, differing)))
        return Result(Code.SUCCESS)

    def _hypervisor(self) -> Result:
        misfit = hypervisor_misfit()
        return Result(Code.SUCCESS) if misfit is None else Result(Code.FAILURE, misfit)

    def _locks(self) -> Result:
        try:
            return Result(Code.SUCCESS, f"they are in {check_locks()}")
        except HoldfastError as error:
            return Result(Code.FAILURE, error.message)

    def _libvirt(self) -> Result:
        try:
            with connect(_uri()) as connection:
                self._report = audit_host(connection, hardware=lambda *_: None)  # domains without findings, too
                version = ".".join(map(str, connection.libvirt_version()))
        except HoldfastError as error:
            return Result(Code.FAILURE, error.message)
        unknown = [*self._report.unread, *self._report.notes]
        if self._report.error is not None:
            return Result(Code.FAILURE, self._report.error.message)
        return Result(Code.WARNING, _some(unknown)) if unknown else Result(Code.SUCCESS, f"libvirt {version}")

    def _instances(self) -> Result:
        if self._report is None:
            return Result(Code.WARNING, "libvirt could not be asked")
        instances = [each for each in self._report.domains if each.instance is not None]
        open_ones = []
        try:
            with connect(_uri()) as connection:
                for each in instances:
                    try:
                        left = seal_domain(connection, each.uuid, dry_run=True).left
                        stays = [part.sentence for part in left if part.remedy is Remedy.NONE]
                        open_ones += [f"{each.name}: {sentence}" for sentence in stays]
                    except HoldfastError as error:
                        open_ones.append(f"{each.name} cannot be sealed: {error.message}")
        except HoldfastError as error:
            return Result(Code.FAILURE, error.message)
        if open_ones:
            return Result(Code.WARNING, _some(open_ones))
        return Result(Code.SUCCESS, f"{len(instances)} here")

    def _leftovers(self) -> Result:
        if self._report is None:
            return Result(Code.WARNING, "libvirt could not be asked")
        found = [
            f"{domain.name}: {finding.sentence}"
            for domain in self._report.domains
            for finding in domain.findings
            if finding.kind in _LEFT_OVER
        ]
        found += [f"{orphan.path}: {orphan.what}" for orphan in self._report.orphans]
        return Result(Code.WARNING, f"{_some(found)} ('holdfast audit' has all)") if found else Result(Code.SUCCESS)

    _upgrade_checks: tuple[tuple[str, Callable[[NodeChecks], Result]], ...] = (
        ("Nova's release and source", _nova),
        ("Hypervisor", _hypervisor),
        ("Locks", _locks),
        ("libvirt", _libvirt),
        ("Instances can be sealed", _instances),
        ("Leftovers", _leftovers),
    )


def check_node() -> int:
    """Run the command line."""
    conf.register(CONF)
    try:
        return int(run_checks(CONF, "nova", NodeChecks(), sys.argv[1:]))
    except cfg.ConfigFilesNotFoundError as error:
        sys.stderr.write(f"error: {error}\n")
        return 255


def _uri() -> str:
    """Where Nova's driver connects to."""
    return CONF.libvirt.connection_uri or "qemu:///system"


def _some(sentences: Iterable[str]) -> str:
    all_of_them = list(sentences)
    more = len(all_of_them) - _SHOWN
    return "; ".join([*all_of_them[:_SHOWN], *([f"and {more} more"] if more > 0 else [])])
