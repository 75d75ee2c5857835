"""``<cputune>``: how much of the host's CPUs a domain may use. Its guest sees nothing of it but time."""

from __future__ import annotations

from holdfast.domainxml.document import Element, child
from holdfast.domainxml.number import number_at

PARAMETERS = {"shares": "cpu_shares", "period": "vcpu_period", "quota": "vcpu_quota"}
"""Elements of ``<cputune>`` → libvirt's names for them as scheduler parameters."""


def cpu_limit(domain: Element, name: str) -> int | None:
    """What the document says of ``name``, one of PARAMETERS; None where it leaves that to the host."""
    found = domain.find(f"cputune/{name}")
    return None if found is None else number_at(found, "")


def set_cpu_limit(domain: Element, name: str, value: int) -> None:
    """Set ``name``, one of PARAMETERS."""
    child(child(domain, "cputune"), name).text = str(value)


def scheduler_parameters(domain: Element) -> dict[str, int]:
    """All PARAMETERS that the document gives, by libvirt's names (virDomainSetSchedulerParametersFlags)."""
    found = {name: cpu_limit(domain, element) for element, name in PARAMETERS.items()}
    return {name: value for name, value in found.items() if value is not None}
