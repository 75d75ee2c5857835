"""What OpenStack Nova writes of its instance into a domain's ``<metadata>`` (namespace of Nova ≥ 2013, read only)."""

from __future__ import annotations

from dataclasses import dataclass, field

from holdfast.domainxml.document import Element

URI = "http://openstack.org/xmlns/libvirt/nova/1.1"
_NAMES = {"nova": URI}


@dataclass(frozen=True)
class NovaInstance:
    """One instance as its domain tells of it.

    ``name`` is what the user calls it; its id is the UUID of the domain. ``image_properties`` are those with which the
    document was made, as text; None where Nova did not record them (before 32).
    """

    name: str
    flavor: str | None = None
    project: str | None = None
    image_properties: dict[str, str] | None = field(default=None, compare=False)


def nova_instance(domain: Element) -> NovaInstance | None:
    """The instance that ``domain`` is; None for a domain that Nova did not make."""
    instance = domain.find("metadata/nova:instance", _NAMES)
    if instance is None:
        return None
    flavor, properties = instance.find("nova:flavor", _NAMES), instance.find("nova:image/nova:properties", _NAMES)
    return NovaInstance(
        (instance.findtext("nova:name", "", _NAMES)).strip(),
        None if flavor is None else flavor.get("name"),
        (instance.findtext("nova:owner/nova:project", "", _NAMES)).strip() or None,
        None
        if properties is None
        else {each.get("name", ""): each.text or "" for each in properties.iterfind("nova:property", _NAMES)},
    )
