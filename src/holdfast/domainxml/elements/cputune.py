"""``<cputune>``: the share of the host's CPUs that a domain has. The guest sees nothing of it but time."""

from __future__ import annotations

from holdfast.domainxml.document import Element, child

PARAMETERS = {"shares": "cpu_shares", "period": "vcpu_period", "quota": "vcpu_quota"}
"""Elements of ``<cputune>`` → libvirt's names for them as scheduler parameters."""


def cpu_limit(domain: Element, name: str) -> int | None:
    """The value of one of PARAMETERS; None where the document leaves it to the host."""
    text = domain.findtext(f"cputune/{name}")
    return None if text is None else int(text)


def set_cpu_limit(domain: Element, name: str, value: int) -> None:
    """Set one of PARAMETERS."""
    child(child(domain, "cputune"), name).text = str(value)


def scheduler_parameters(domain: Element) -> dict[str, int]:
    """All of them that the document gives, as libvirt's call takes them."""
    found = {name: cpu_limit(domain, element) for element, name in PARAMETERS.items()}
    return {name: value for name, value in found.items() if value is not None}
