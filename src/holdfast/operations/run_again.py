"""Which domains are wanted running: recorded when one is started, forgotten when somebody stops it.

Only of domains that Holdfast keeps facts of, created or adopted. The caller holds the domain's lock.
"""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.domainxml import metadata
from holdfast.domainxml.metadata import RunAgain, fact
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.facts import forget, record
from holdfast.operations.session import OpenDomain


def want(domain: OpenDomain) -> None:
    """Record that ``domain`` is to run also after the host has booted, since now if that was not recorded before."""
    if domain.metadata(metadata.URI, Definition.CONFIG) is None:
        return
    if _wanted(domain) is None:
        record(domain, RunAgain(datetime.now(UTC).isoformat(timespec="seconds")))


def unwant(domain: OpenDomain) -> None:
    """Record that ``domain`` is to stay off."""
    wanted = _wanted(domain)
    if wanted is not None:
        forget(domain, wanted)


def observe(domain: OpenDomain) -> None:
    """Record what can be seen of a domain that others may have started, or switched off; of a rescue, nothing."""
    if not domain.is_persistent() or domain.in_rescue:
        return
    if domain.is_active():
        want(domain)
    elif domain.was_switched_off():
        unwant(domain)


def _wanted(domain: OpenDomain) -> RunAgain | None:
    config = domain.documents.config
    return None if config is None else fact(config, RunAgain)
