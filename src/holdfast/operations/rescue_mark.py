"""Whether a domain runs as a rescue: asked by every verb that must not be used on one. Reads no document."""

from __future__ import annotations

from holdfast.domainxml.namespace import URI
from holdfast.errors import NotFound, Refused
from holdfast.libvirtapi.domain import Definition, Domain


def in_rescue(domain: Domain) -> bool:
    """True while ``domain`` runs as a rescue; False also when it is shut off or gone. (virDomainGetMetadata)"""
    try:
        ours = domain.metadata(URI, Definition.LIVE) if domain.is_active() else None
    except NotFound:
        return False
    return ours is not None and "<rescue " in ours


def refuse_in_rescue(domain: Domain) -> None:
    """Raise Refused while ``domain`` runs as a rescue: what it has now is not what it will have again."""
    if in_rescue(domain):
        raise Refused(
            f"the domain {domain.name!r} is in rescue", f"'holdfast unrescue {domain.name}' leaves it; then repeat this"
        )
