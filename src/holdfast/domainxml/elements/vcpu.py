"""``<vcpu>``, ``<vcpus>`` and the topology in ``<cpu>``: how many vCPUs there are, which are online, what they form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from math import prod

from holdfast.domainxml.document import Element, child, element, value_at
from holdfast.domainxml.number import as_number


@dataclass(frozen=True)
class Topology:
    """How a guest's vCPUs form sockets, dies, cores and threads. ``str()``: "sockets=1,dies=1,cores=4,threads=1"."""

    sockets: int = 1
    dies: int = 1
    cores: int = 1
    threads: int = 1

    def __str__(self) -> str:
        return f"sockets={self.sockets},dies={self.dies},cores={self.cores},threads={self.threads}"


def max_vcpus(domain: Element) -> int:
    """How many vCPUs the guest can have without a new start."""
    return _number(value_at(domain, "vcpu")) or 1


def online_vcpus(domain: Element) -> int:
    """How many vCPUs are online."""
    return _number(value_at(domain, "vcpu@current")) or max_vcpus(domain)


def are_first_vcpus(domain: Element) -> bool:
    """True when ``<vcpus>`` enables the first vCPUs, or is not there: it says no more than their number then."""
    enabled = sorted(map(_id, domain.iterfind("vcpus/vcpu[@enabled='yes']")))
    return enabled == list(range(len(enabled)))


def least_online(domain: Element) -> int:
    """How many vCPUs a running guest keeps until it stops: those that it was started with cannot be detached."""
    if domain.find("vcpus") is None:
        return online_vcpus(domain)
    return len(domain.findall("vcpus/vcpu[@enabled='yes'][@hotpluggable='no']"))


def set_online(domain: Element, count: int) -> None:
    """Have ``count`` vCPUs online, chosen as libvirt (9.0) does: the lowest come first, the highest go first."""
    more = count - online_vcpus(domain)
    _set_counts(domain, max_vcpus(domain), count)
    every = sorted(domain.iterfind("vcpus/vcpu"), key=_id)
    off = [vcpu for vcpu in every if vcpu.get("enabled") == "no"]
    on = [vcpu for vcpu in reversed(every) if vcpu.get("enabled") == "yes"]
    for vcpu in off[: max(0, more)]:
        vcpu.set("enabled", "yes")
    for vcpu in on[: max(0, -more)]:
        vcpu.set("enabled", "no")


def set_max_vcpus(domain: Element, count: int) -> None:
    """Have at most ``count`` vCPUs; those beyond go, with their pinning and scheduling."""
    listed = domain.find("vcpus")
    if listed is not None:
        for vcpu in listed.findall("vcpu"):
            if _id(vcpu) >= count:
                listed.remove(vcpu)
        listed.extend(
            element("vcpu", {"id": str(number), "enabled": "no"}) for number in range(max_vcpus(domain), count)
        )
    _set_counts(domain, count, min(online_vcpus(domain), count))
    for tag, key in (("vcpupin", "vcpu"), ("vcpusched", "vcpus")):  # libvirt prints one element for each vCPU (9.0)
        for tuned in domain.findall(f"cputune/{tag}"):
            if _number(tuned.get(key)) >= count:
                child(domain, "cputune").remove(tuned)


def pinned_beyond(domain: Element, count: int) -> list[int]:
    """The numbers of the vCPUs from ``count`` on that are pinned to processors of the host."""
    return sorted(number for pin in domain.iterfind("cputune/vcpupin") if (number := _number(pin.get("vcpu"))) >= count)


def topology(domain: Element) -> str | None:
    """The topology that ``domain`` gives, as text (see :class:`Topology`); None where it gives none."""
    found = domain.find("cpu/topology")
    if found is None:
        return None
    return str(Topology(*(_number(found.get(each.name, "1")) for each in fields(Topology))))


def topology_vcpus(domain: Element) -> int | None:
    """How many vCPUs the topology of ``domain`` has room for; None where it gives none."""
    found = domain.find("cpu/topology")
    return None if found is None else prod(_number(str(value)) for value in found.attrib.values())


def set_topology(domain: Element, new: Topology) -> None:
    """Have the topology ``new``; what else ``<topology>`` says (clusters, libvirt ≥ 10.1) stays."""
    found = child(child(domain, "cpu"), "topology")
    for key, value in asdict(new).items():
        found.set(key, str(value))


def _set_counts(domain: Element, most: int, count: int) -> None:
    vcpu = child(domain, "vcpu")
    vcpu.text = str(most)
    if count == most:
        vcpu.attrib.pop("current", None)
    else:
        vcpu.set("current", str(count))


def _id(vcpu: Element) -> int:
    return _number(vcpu.get("id"))


def _number(text: str | None) -> int:
    return max(0, as_number(text) or 0) if text else 0
