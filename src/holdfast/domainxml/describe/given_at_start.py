"""What a start has given a guest that its config document need not say: CPU, firmware, MTU of its interfaces."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.describe.identity import identity_of
from holdfast.domainxml.document import Element, value_at

_SIGNS = {"disable": "-", "forbid": "-"}


def given_at_start(live: Element) -> dict[str, str]:
    """What the live document says of these, by name: "cpu", "firmware", "mtu of 52:54:00:…"."""
    return dict(_given(live))


def _given(live: Element) -> Iterator[tuple[str, str]]:
    identity = identity_of(live)
    features = (f"{_SIGNS.get(each.get('policy', ''), '+')}{each.get('name')}" for each in live.iterfind("cpu/feature"))
    yield "cpu", " ".join((identity.cpu, *features))
    yield "firmware", identity.firmware
    for interface in live.iterfind("devices/interface"):
        if mtu := value_at(interface, "mtu@size"):
            yield f"mtu of {value_at(interface, 'mac@address')}", mtu
