"""What a guest would see change from one domain document to another: :func:`compare`.

This module walks through both documents; what of them the guest sees is declared in each element's own file (see
:mod:`holdfast.domainxml.sides`).
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from itertools import zip_longest

from holdfast.domainxml.address import describe_address
from holdfast.domainxml.compare.change import Change, ChangeKind
from holdfast.domainxml.compare.implied import with_implied
from holdfast.domainxml.compare.match import Pair, identity_value, pairs_by_kind
from holdfast.domainxml.compare.notation import same_value
from holdfast.domainxml.device import device_name, generated_aliases, remove_without_trace, short_name
from holdfast.domainxml.document import NOTHING, Element, in_order, parse, serialize, value_at
from holdfast.domainxml.elements.declarations import DEVICES, DOMAIN, SECTIONS
from holdfast.domainxml.secret_parts import shown_value
from holdfast.domainxml.sides import Sides, View, own_texts

_ELSEWHERE = frozenset({"devices", "metadata", *SECTIONS})


def compare(before: str, after: str) -> list[Change]:
    """The difference between two domain documents as the guest sees it; empty when nothing differs.

    Cosmetic changes (names, aliases, what one document leaves open) are in the list, too: ``change.visible`` takes them
    out. Raises InvalidDocument when one of the texts is no domain document.
    """
    one = parse(before, "domain")
    return [] if before == after else _compare(*map(with_implied, (one, parse(after, "domain"))))


def compare_documents(before: Element, after: Element) -> list[Change]:
    """As :func:`compare`, for documents that are parsed already. Neither is changed."""
    return compare_as_written(*map(with_implied, (before, after)))


def compare_as_written(before: Element, after: Element) -> list[Change]:
    """As :func:`compare_documents`, but what libvirt adds to any document counts only where it is written down."""
    return _compare(*(copy.deepcopy(each) if any(generated_aliases(each)) else each for each in (before, after)))


def _compare(before: Element, after: Element) -> list[Change]:
    """As :func:`compare_as_written`, but generated aliases become the last elements of their devices."""
    return [
        *_domain(before, after),
        *_sections(before, after),
        *_devices(before, after),
        *_unknown_of_unseen(before, after),
    ]


def device_pairs(before: Element, after: Element) -> Iterator[tuple[Pair, Sides]]:
    """Every device of both documents that a guest can see, matched by identity, with the declaration of its kind."""
    return pairs_by_kind(DEVICES, before.iterfind("devices/*"), after.iterfind("devices/*"))


def _differing(*documents: list[Element]) -> list[list[Element]]:
    """The elements of each document without those that both have word for word, in any order: nothing changed there.

    The history keeps attributes in another order than libvirt.
    """
    for written in (serialize, in_order):
        texts = [[written(each) for each in elements] for elements in documents]
        one, other = map(Counter, texts)
        same = {text for text, _ in one.items() & other.items()}
        documents = tuple(
            [each for each, text in zip(elements, said, strict=True) if text not in same]
            for elements, said in zip(documents, texts, strict=True)
        )
    return list(documents)


def _named_by(device: Element, sides: Sides, entry: str) -> str:
    """A device with what tells it from another one in the same place: "disk vdb, serial ONE"."""
    value = identity_value(sides, device, entry) if entry in ("alias", *sides.names) else value_at(device, entry)
    name = short_name(device)
    return name if value is None or value.lower() in name else f"{name}, {entry.replace('@', ' ')} {value}"


def _domain(before: Element, after: Element) -> Iterator[Change]:
    one, other = DOMAIN.view(before, _ELSEWHERE), DOMAIN.view(after, _ELSEWHERE)
    yield from _differences(DOMAIN, before, after, one, other, None, "")


def _sections(before: Element, after: Element) -> Iterator[Change]:
    found = ([child for child in document if child.tag in SECTIONS] for document in (before, after))
    for pair, sides in pairs_by_kind(SECTIONS, *_differing(*found)):
        old, new = (NOTHING if each is None else each for each in (pair.before, pair.after))
        yield from _differences(sides, before, after, sides.view(old), sides.view(new), sides.tag, sides.tag)


def _devices(before: Element, after: Element) -> Iterator[Change]:
    found = (list(document.iterfind("devices/*")) for document in (before, after))
    aliases = [*generated_aliases(before), *generated_aliases(after)]
    for device, alias in aliases:
        remove_without_trace(device, alias)
    differing = _differing(*found)
    for device, alias in aliases:
        device.append(alias)
    for pair, sides in pairs_by_kind(DEVICES, *differing):
        yield from _device(pair, sides)


def _device(pair: Pair, sides: Sides) -> Iterator[Change]:
    before, after = pair.before, pair.after
    where = f"devices/{sides.tag}"
    if before is None:
        if after is not None:
            yield Change(
                ChangeKind.ADDED, short_name(after), where, None, place(after, sides), sides.tag not in DEVICES
            )
        return
    if after is None:
        yield Change(
            ChangeKind.REMOVED, short_name(before), where, place(before, sides), None, sides.tag not in DEVICES
        )
        return
    other_name = pair.other_name
    if other_name is not None:
        old, new = (_named_by(device, sides, other_name) for device in (before, after))
        yield Change(ChangeKind.REPLACED, short_name(before), where, old, new)
    one, other = sides.view(before), sides.view(after)
    if one.place != other.place and not _same_place(before, after, sides):
        yield Change(ChangeKind.MOVED, short_name(before), f"{where}/address", *_places(before, after, sides))
    if one != other:
        told = set() if other_name is None else {_join(where, path) for path in _paths_of(other_name)}
        found = _differences(sides, before, after, one, other, device_name(before), where)
        yield from (change for change in found if change.where not in told)


def _paths_of(entry: str) -> list[str]:
    return ["alias@name"] if entry == "alias" else entry.split("+")


def _unknown_of_unseen(before: Element, after: Element) -> Iterator[Change]:
    """What nobody has declared, of elements that are no hardware of the guest's as far as anybody knows, and of
    ``<devices>`` itself.
    """
    old, new = (_said_unknown(document) for document in (before, after))
    for path in dict.fromkeys((*old, *new)):
        was, becomes = old.get(path, Counter()), new.get(path, Counter())
        gone, come = list((was - becomes).elements()), list((becomes - was).elements())
        for one, other in zip_longest(gone, come):
            name = path.removeprefix("devices/").partition("/")[0].partition("@")[0]
            yield Change(ChangeKind.CHANGED, name, path, shown_value(path, one), shown_value(path, other), unknown=True)


def _said_unknown(document: Element) -> dict[str, Counter[str]]:
    """Path → how often each value stands there."""
    found: dict[str, Counter[str]] = {}
    for parent in document.iterfind("devices"):
        values = [(f"devices@{name}", value) for name, value in parent.items()]
        values += [("devices", text.strip()) for text in own_texts(parent) if text.strip()]
        for each in parent:
            sides = DEVICES.get(each.tag) if isinstance(each.tag, str) else None
            if sides is not None and sides.unseen is not None and not sides.is_seen(each):
                view = sides.view(each)
                values += [(_join(f"devices/{sides.tag}", path), view.guest[path]) for path in view.unknown]
        for path, value in values:
            found.setdefault(path, Counter())[value] += 1
    return found


def place(device: Element, sides: Sides) -> str | None:
    """Where a device sits, in words: "pci 0000:04:00.0", "port 1"; None when only its name says that."""
    return describe_address(device) or ", ".join(_words(device, sides, "target@dev")) or None


def _places(before: Element, after: Element, sides: Sides) -> tuple[str | None, str | None]:
    """Both places in words; with the target ("vdb, pci 0000:04:00.0") only where that changes, too."""
    words = _words(before, sides), _words(after, sides)
    if words[0] == words[1]:
        return describe_address(before), describe_address(after)
    one, other = ([*said, describe_address(item)] for said, item in zip(words, (before, after), strict=True))
    return ", ".join(filter(None, one)) or None, ", ".join(filter(None, other)) or None


def _words(device: Element, sides: Sides, without: str = "") -> list[str]:
    given = {path: value_at(device, path) for path in sides.place.split() if path != without}
    return [value if path == "target@dev" else f"port {value}" for path, value in given.items() if value]


def _same_place(before: Element, after: Element, sides: Sides) -> bool:
    if any(value_at(before, path) != value_at(after, path) for path in sides.place.split()):
        return False
    old, new = before.find("address"), after.find("address")
    if describe_address(before) == describe_address(after):
        return True
    if old is None or new is None or not old.get("type") == new.get("type") == "dimm":
        return False
    # The base of a DIMM is chosen at the start: only what both documents name can differ.
    return all(same_value(f"@{key}", old.attrib[key], new.attrib[key]) for key in set(old.attrib) & set(new.attrib))


def _differences(
    sides: Sides, before: Element, after: Element, one: View, other: View, what: str | None, where: str
) -> Iterator[Change]:
    """What differs between two views of one element; ``what`` None names each change by the first word of its path."""
    if sides.reconcile is not None:
        for path, old, new in sides.reconcile(before, after, one, other):
            yield Change(ChangeKind.COSMETIC, what or path, _join(where, path), old, new)
    unknown = one.unknown | other.unknown
    for kind, was, becomes in (
        (ChangeKind.CHANGED, one.guest, other.guest),
        (ChangeKind.COSMETIC, one.management, other.management),
    ):
        if was == becomes:
            continue
        for path in dict.fromkeys((*was, *becomes)):
            old, new = was.get(path, one.usual.get(path)), becomes.get(path, other.usual.get(path))
            if not same_value(path, old, new):
                name = what or path.partition("/")[0].partition("@")[0] or "domain"
                at = _join(where, path)
                is_unknown = kind is ChangeKind.CHANGED and path in unknown
                yield Change(kind, name, at, shown_value(at, old), shown_value(at, new), is_unknown)


def _join(where: str, path: str) -> str:
    return f"{where}/{path}" if where and path and path[0] != "@" else f"{where}{path}"
