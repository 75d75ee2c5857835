"""The document of a domain that comes from another host: what it names of that host becomes what this one has.

Only as far as somebody said what stands for what; the guest sees nothing of it, which the caller proves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from holdfast.domainxml.document import Element
from holdfast.domainxml.metadata import OURS


@dataclass(frozen=True, kw_only=True)
class HostMaps:
    """What of this host stands for what of another one, each as that host's name → this one's.

    ``networks``, ``bridges``, ``pools``  by name; ``bridges`` are the devices of direct interfaces, too
    ``paths``  a file, or a folder for all that is in it; the longest one that fits counts
    """

    networks: Mapping[str, str] = field(default_factory=dict)
    bridges: Mapping[str, str] = field(default_factory=dict)
    pools: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)

    def lead_to(self, place: str) -> bool:
        """True for a path of this host that stands for one of the other; POOL/VOLUME likewise."""
        if not place.startswith("/"):
            return place.partition("/")[0] in self.pools.values()
        leads_out = "/../" in f"{place}/"
        return not leads_out and any(_is_at_or_in(place, new) for new in self.paths.values())

    def stand_for(self, place: str) -> bool:
        """True for a path of the other host, or a POOL/VOLUME, of which they say what stands for it here."""
        if not place.startswith("/"):
            return place.partition("/")[0] in self.pools
        return any(_is_at_or_in(place, old) for old in self.paths)


NO_MAPS = HostMaps()


def rebind(domain: Element, maps: HostMaps) -> None:
    """Let ``domain``, and what Holdfast records in it, name what this host has, as ``maps`` say."""
    for source, (attribute, names) in _named_sources(domain, maps):
        if (name := source.get(attribute, "")) in names:
            source.set(attribute, names[name])
    for node in _nodes(domain):
        for name, value in node.items():
            if name == "volume" and str(node.tag).startswith("{"):  # a record's POOL/VOLUME
                pool, slash, volume = value.partition("/")
                node.set(name, f"{maps.pools.get(pool, pool)}{slash}{volume}")
            else:
                node.set(name, _path(value, maps.paths))
        if node.text and node.text.startswith("/"):
            node.text = _path(node.text, maps.paths)


def unused_maps(domain: Element, maps: HostMaps) -> Iterator[str]:
    """A sentence for each of ``maps`` that nothing in ``domain`` is named by: somebody may have mistyped it."""
    interfaces, disks = (list(domain.iterfind(f"devices/{tag}/source")) for tag in ("interface", "disk"))
    for names, attributes, sources, words in (
        (maps.networks, ("network",), interfaces, "no interface of it is on the network"),
        (maps.bridges, ("bridge", "dev"), interfaces, "no interface of it is on the bridge"),
        (maps.pools, ("pool",), disks, "no disk of it is in the storage pool"),
    ):
        used = {source.get(attribute) for source in sources for attribute in attributes}
        yield from (f"{words} {name}" for name in names if name not in used)
    places = {value for node in _nodes(domain) for value in (*map(str, node.values()), node.text or "")}
    for old in maps.paths:
        if not any(_is_at_or_in(place, old) for place in places):
            yield f"nothing of it is at {old}"


def _named_sources(domain: Element, maps: HostMaps) -> Iterator[tuple[Element, tuple[str, Mapping[str, str]]]]:
    for source in domain.iterfind("devices/interface/source"):
        yield source, ("network", maps.networks)
        yield source, ("bridge", maps.bridges)
        yield source, ("dev", maps.bridges)
    for source in domain.iterfind("devices/disk/source"):
        yield source, ("pool", maps.pools)


def _nodes(domain: Element) -> Iterator[Element]:
    """All of the document, but what others have written into its metadata, and what people read."""
    for child in domain:
        if child.tag == "metadata":
            ours = child.find(OURS)
            yield from () if ours is None else ours.iter("{*}*")
        elif isinstance(child.tag, str) and child.tag not in ("name", "title", "description", "sysinfo"):
            yield from child.iter("{*}*")


def _path(value: str, paths: Mapping[str, str]) -> str:
    for old in sorted(paths, key=len, reverse=True):
        if _is_at_or_in(value, old):
            return paths[old].rstrip("/") + value.removeprefix(old.rstrip("/"))
    return value


def _is_at_or_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")
