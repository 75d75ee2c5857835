"""What two hosts both have by name, and not alike: bridges that let less through, secrets of another value."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.device import device_name
from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.host.named_provisions import ProvisionKind, named_provisions
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.operations.host.provides import HostProvides


def smaller_mtus(before: Element, after: Element, here: HostProvides, there: HostProvides) -> Iterator[Outlook]:
    """The bridges and devices ``there`` of the document ``after`` whose MTU is below that which ``before`` has here.

    A guest goes on sending what fitted before, and loses it.
    """
    pairs = zip(before.iterfind("devices/interface"), after.iterfind("devices/interface"), strict=True)
    for old, new in pairs:
        attribute = {"bridge": "source@bridge", "direct": "source@dev"}.get(new.get("type", ""))
        one, other = (None if attribute is None else value_at(each, attribute) for each in (old, new))
        if one is None or other is None:
            continue
        was, becomes = here.mtu(one), there.mtu(other)
        if was is not None and becomes is not None and becomes < was:
            who = device_name(new)
            yield Outlook(Effect.BLOCKS, "host", f"{who}: {other} there has an MTU of {becomes}, not {was}", who=who)


def other_secrets(domain: Element, here: HostProvides, there: HostProvides) -> Iterator[Outlook]:
    """The secrets that ``domain`` names, of its disks or its TPM, whose value ``there`` is another one.

    With it the guest's data could not be read. Where libvirt does not hand out a value, nothing is known.
    """
    for provision in named_provisions(domain):
        if provision.kind is ProvisionKind.SECRET:
            one, other = (host.secret_digest(provision.name) for host in (here, there))
            if None not in (one, other) and one != other:
                what = f"{provision.who}: the secret {provision.name} there has another value"
                yield Outlook(Effect.BLOCKS, "host", what, who=provision.who)
