"""What a document says in elements and attributes that no file of ours declares: a newer libvirt's, so far."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.sides import local_name

_ELSEWHERE = frozenset({"devices", "metadata", *SECTIONS})


def unknown_parts(domain: Element) -> list[str]:
    """Every path below <domain> that nobody declared, in libvirt's words, sorted: "devices/disk/driver@shiny"."""
    found = set(DOMAIN.view(domain, _ELSEWHERE).unknown)
    for tag, sides in SECTIONS.items():
        for section in domain.iterfind(tag):
            found |= {_join(tag, path) for path in sides.view(section).unknown}
    for device in domain.iterfind("devices/*"):
        if not isinstance(device.tag, str):
            continue
        tag = local_name(device.tag)
        known = DEVICES.get(tag)
        found |= (
            {f"devices/{tag}"}
            if known is None
            else {_join(f"devices/{tag}", path) for path in known.view(device).unknown}
        )
    return sorted(found)


def _join(where: str, path: str) -> str:
    return f"{where}{'' if path.startswith('@') else '/'}{path}"
