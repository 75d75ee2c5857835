"""Which device of one document is which device of another: by identity, never by position."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element
from holdfast.domainxml.sides import Side, Sides, value_at


@dataclass(frozen=True)
class Pair:
    """A device in both documents; one of the two is None where a document does not have it.

    ``replaced`` is True when only the place is the same and the name (serial, MAC …) tells that it is another one.
    """

    before: Element | None
    after: Element | None
    replaced: bool = False


def pairs(sides: Sides, before: Iterable[Element], after: Iterable[Element]) -> list[Pair]:
    """Match the devices of one kind: what both have, then what only ``after`` has, then what only ``before`` has.

    Each entry of ``sides.identity`` is tried in turn, and matches where it names exactly one device on both sides. What
    has neither name nor place (a file may leave both open) can be any of its kind, and is the next that is left.
    """
    old, new = list(before), list(after)
    found: dict[int, Pair] = {}
    for number, entry in enumerate(sides.identities):
        if not (old and new):
            break
        known, wanted = _by_key(old, entry), _by_key(new, entry)
        for key, device in wanted.items():
            match = known.get(key)
            if device is not None and match is not None:
                found[id(device)] = Pair(match, device, _other_name(sides, number, match, device))
        gone = {id(pair.before) for pair in found.values()}
        old = [device for device in old if id(device) not in gone]
        new = [device for device in new if id(device) not in found]
    for match, device in zip(old, new, strict=False):
        if _is_anonymous(sides, match) or _is_anonymous(sides, device):
            found[id(device)] = Pair(match, device)
    gone = {id(pair.before) for pair in found.values()}
    added = [Pair(None, device) for device in new if id(device) not in found]
    removed = [Pair(device, None) for device in old if id(device) not in gone]
    return [*found.values(), *added, *removed]


def _is_anonymous(sides: Sides, device: Element) -> bool:
    return all(identity_value(device, entry) is None for entry in sides.identities if entry != "only")


def _by_key(devices: list[Element], entry: str) -> dict[str, Element | None]:
    """The devices by what this entry of the identity says of them; None where several say the same."""
    keyed: dict[str, Element | None] = {}
    if entry == "only":
        return {entry: devices[0]} if len(devices) == 1 else {}
    for device in devices:
        key = identity_value(device, entry)
        if key is not None:
            keyed[key] = None if key in keyed else device
    return keyed


def identity_value(device: Element, entry: str) -> str | None:
    """What one entry of ``Sides.identity`` says of a device; None where it says nothing."""
    if entry == "alias":
        return user_alias(device)
    if entry == "address":
        return describe_address(device)
    values = [value_at(device, path) for path in entry.split("+")]
    return None if not any(values) else "\n".join(value or "" for value in values).lower()


def _other_name(sides: Sides, number: int, before: Element, after: Element) -> bool:
    """True when a better, guest-visible entry of the identity differs: the place stayed, the device did not."""
    for entry in sides.identities[:number]:
        if "+" in entry or entry in ("alias", "address") or sides.side_of(entry) is not Side.GUEST:
            continue
        old, new = identity_value(before, entry), identity_value(after, entry)
        if old is not None and new is not None and old != new:
            return True
    return False
