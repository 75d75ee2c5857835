"""Whether a domain runs as a rescue, without reading a document: for lists of many domains.

The XML parser is imported only for domains with recorded facts: ``holdfast list`` must stay fast.
"""

from __future__ import annotations

from holdfast.domainxml.namespace import URI
from holdfast.errors import NotFound
from holdfast.libvirtapi.domain import Definition, Domain


def in_rescue(domain: Domain) -> bool:
    """True while ``domain`` runs as a rescue; False also when it is shut off or gone. (virDomainGetMetadata)"""
    try:
        ours = domain.metadata(URI, Definition.LIVE) if domain.is_active() else None
    except NotFound:
        return False
    if ours is None:
        return False
    from holdfast.domainxml.fact import Rescue
    from holdfast.domainxml.metadata import facts_in

    return bool(facts_in(ours, Rescue))
