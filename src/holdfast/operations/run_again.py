"""Which domains are to run again after the host has booted: recorded at a start, forgotten when somebody stops one.

That is recorded of domains that Holdfast created or adopted. The caller holds the domain's lock.
"""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.domainxml import metadata
from holdfast.domainxml.metadata import RunAgain, fact
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.facts import forget, record
from holdfast.operations.session import OpenDomain


def run_after_boot(domain: OpenDomain) -> None:
    """Record that ``domain`` is to run after the host has booted: since now, unless that was recorded before."""
    if domain.metadata(metadata.URI, Definition.CONFIG) is None:
        return
    if _recorded(domain) is None:
        record(domain, RunAgain(datetime.now(UTC).isoformat(timespec="seconds")))


def stay_off_after_boot(domain: OpenDomain) -> None:
    """Record that ``domain`` is to stay off after the host has booted."""
    recorded = _recorded(domain)
    if recorded is not None:
        forget(domain, recorded)


def observe_whether_it_runs(domain: OpenDomain) -> None:
    """Record whether ``domain`` runs, as others may have started it or switched it off; of a rescue, nothing."""
    if not domain.is_persistent() or domain.in_rescue:
        return
    if domain.is_active():
        run_after_boot(domain)
    elif domain.was_switched_off():
        stay_off_after_boot(domain)


def _recorded(domain: OpenDomain) -> RunAgain | None:
    config = domain.documents.config
    return None if config is None else fact(config, RunAgain)
