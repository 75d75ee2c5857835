"""Which device of one document is which device of another: matched by what identifies them, never by position."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.notation import in_one_notation
from holdfast.domainxml.device import user_alias
from holdfast.domainxml.document import Element, local_name, value_at
from holdfast.domainxml.sides import Side, Sides


@dataclass(frozen=True)
class Pair:
    """One device in two documents; ``before`` or ``after`` is None where that document does not have it.

    ``other_name`` is None when it is the same device in both. Otherwise another one is in its place, and this is the
    entry of the identity (serial, MAC …) that says so.
    """

    before: Element | None
    after: Element | None
    other_name: str | None = None


def pairs_by_kind(
    declared: Mapping[str, Sides], before: Iterable[Element], after: Iterable[Element]
) -> Iterator[tuple[Pair, Sides]]:
    """Match elements of several kinds, each with the declaration of its kind; what a guest never sees is left out."""
    old, new = _by_kind(before), _by_kind(after)
    for kind in dict.fromkeys((*old, *new)):
        sides = declared.get(kind) or Sides(kind)
        seen = [[each for each in group.get(kind, ()) if sides.is_seen(each)] for group in (old, new)]
        for pair in pairs(sides, *seen):
            yield pair, sides


def _by_kind(elements: Iterable[Element]) -> dict[str, list[Element]]:
    kinds: dict[str, list[Element]] = {}
    for each in elements:
        if isinstance(each.tag, str):
            kinds.setdefault(local_name(each.tag), []).append(each)
    return kinds


def pairs(sides: Sides, before: Iterable[Element], after: Iterable[Element]) -> list[Pair]:
    """Match the devices of one kind: those of ``before`` in their order, then those that only ``after`` has.

    Each entry of ``sides.identity`` is tried in turn, and matches where it names exactly one device in both documents.
    Devices that no entry tells apart (a file may give two the same place) are matched in their order. A device with
    neither name nor place (a file may leave both open) can be any of its kind, and is matched with the next one left.
    """
    all_old, all_new = list(before), list(after)
    found: dict[Element, Pair] = {}

    def left(devices: list[Element]) -> list[Element]:
        return [device for device in devices if device not in found]

    def match(old: Element, new: Element, other_name: str | None = None) -> None:
        found[old] = found[new] = Pair(old, new, other_name)

    for number, entry in enumerate(sides.identities):
        before, after = left(all_old), left(all_new)
        if not before or not after:
            break
        old_by_key, new_by_key = _by_key(sides, before, entry), _by_key(sides, after, entry)
        for key in old_by_key.keys() & new_by_key.keys():
            old, new = old_by_key[key], new_by_key[key]
            if old is not None and new is not None:
                match(old, new, _other_name(sides, number, old, new))
    alike: dict[tuple[str | None, ...], deque[Element]] = {}
    for new in left(all_new):
        alike.setdefault(_names(sides, new), deque()).append(new)
    for old in left(all_old):
        if same := alike.get(_names(sides, old)):
            match(old, same.popleft())
    for old, new in zip(left(all_old), left(all_new), strict=False):
        if _is_anonymous(sides, old) or _is_anonymous(sides, new):
            match(old, new)
    kept = [found.get(device) or Pair(device, None) for device in all_old]
    return kept + [Pair(None, device) for device in left(all_new)]


def _is_anonymous(sides: Sides, device: Element) -> bool:
    return not any(_names(sides, device))


def _names(sides: Sides, device: Element) -> tuple[str | None, ...]:
    """All that the entries of the identity say of a device."""
    return tuple(identity_value(sides, device, entry) for entry in sides.identities if entry not in ("only", "content"))


def _by_key(sides: Sides, devices: Iterable[Element], entry: str) -> dict[str, Element | None]:
    """The devices by what one entry of the identity says of them; None where several have the same."""
    keyed: dict[str, Element | None] = {}
    for device in devices:
        key = content(sides, device) if entry == "content" else identity_value(sides, device, entry)
        if key is not None:
            keyed[key] = None if key in keyed else device
    return keyed


def identity_value(sides: Sides, device: Element, entry: str) -> str | None:
    """What one entry of ``sides.identity`` says of ``device``; None where it says nothing."""
    if entry in sides.names:
        return sides.names[entry](device)
    if entry == "alias":
        return user_alias(device)
    if entry == "address":
        return describe_address(device)
    if entry == "only":
        return entry
    values = {path: value_at(device, path) for path in entry.split("+")}
    said = [str(in_one_notation(path, value)) if value else "" for path, value in values.items()]
    return "\n".join(said) if any(said) else None


def content(sides: Sides, device: Element) -> str:
    """All that the guest sees of ``device``, without its place, as one text."""
    return repr(sorted(sides.view(device).guest.items()))


def _other_name(sides: Sides, number: int, before: Element, after: Element) -> str | None:
    """The entry of the identity that says that another device is in the same place; None when it is the same device.

    That is a name the guest sees (serial, MAC …), or a user's alias if the image behind the disk differs, too. Only
    entries that are better than the one by which the two were matched (``number``) can say so.
    """
    differs: dict[Side | str | None, str] = {}
    for entry in sides.identities[:number]:
        if entry in ("address", "content", "only"):
            continue
        old, new = identity_value(sides, before, entry), identity_value(sides, after, entry)
        if old is not None and new is not None and old != new:
            side = Side.HOST if entry in sides.names else sides.side_of(entry.partition("+")[0])
            kind = "alias" if entry == "alias" else side if side is Side.HOST or "+" not in entry else None
            differs.setdefault(kind, entry)
    return differs.get(Side.GUEST) or (differs.get("alias") if Side.HOST in differs else None)
