"""Holdfast's element in a domain's ``<metadata>``: the facts that libvirt has no field for.

Each class here is a kind of fact, and each fact is one element inside ours. There are functions for our element as
libvirt hands it out by itself (``ours``: text without a prefix, None where there is none), and others for it inside a
whole document.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from lxml import etree

from holdfast.domainxml.document import Element, child, element, parse, remove_children, serialize
from holdfast.domainxml.namespace import PREFIX as PREFIX
from holdfast.domainxml.namespace import URI as URI

OURS = f"{{{URI}}}domain"
"""The tag of our element in a document."""


@dataclass(frozen=True)
class Releasing:
    """A device that was detached, and that the guest has not released yet.

    ``device`` is the name of its element, ``label`` and ``alias`` are those in live. Without this fact it would look
    like a device that somebody attached to live only.
    """

    device: str
    label: str
    alias: str

    def as_device(self) -> Element:
        """An element with the name and alias of the device, for finding it."""
        return element(
            self.device, None, element("target", {"dev": self.label}), element("alias", {"name": self.alias})
        )


@dataclass(frozen=True)
class Brought:
    """A controller that came to the domain with an attach: it goes with the last device that is detached from it.

    ``controller`` is its label: "scsi 0". ``address`` is its place in words, which tells it from a later one; "" where
    it has none. ``marked`` is the label of a device that it made the first of several in one slot; "" where it did not.
    """

    controller: str
    address: str
    marked: str = ""


@dataclass(frozen=True)
class Started:
    """What the guest was given at its last start, to be compared with what the next start would give it.

    ``cpu`` is live's ``<cpu>`` as text, ``firmware`` the SHA-256 of the loader file in hexadecimal; each is empty where
    nobody knew.
    """

    cpu: str
    firmware: str


@dataclass(frozen=True)
class SeenState:
    """A file that the domain had beside its documents at its last start, as it was seen right after it.

    ``kind`` is "nvram" or "tpm", ``path`` its place; ``born`` tells it from another file at the same place, and is
    empty where the file system does not say. What could not be looked at is not recorded.
    """

    kind: str
    path: str
    born: str


@dataclass(frozen=True)
class Adopted:
    """Holdfast keeps records of this domain, which it created or adopted.

    ``since`` is the time (ISO 8601, UTC), ``origin`` what made the domain ("holdfast", "virt-manager" …), ``owner``
    whom it belongs to there: a project or an instance; empty where nobody said.
    """

    since: str
    origin: str
    owner: str


@dataclass(frozen=True)
class Creating:
    """The domain is being created since that time (ISO 8601, UTC). If nobody is at it, the creation was interrupted."""

    since: str


@dataclass(frozen=True)
class Snapshotting:
    """A snapshot is being made: its name, and a file that is made for it; "" for what goes into the images."""

    snapshot: str
    file: str


@dataclass(frozen=True)
class Pivoting:
    """A disk goes over to a copy: from before QEMU is asked for it until both documents say so.

    Where the document has the ``old`` image and nothing copies, nobody knows which of the two is the newer. ``target``
    is the disk's; ``new`` is the copy, and ``format`` the copy's.
    """

    target: str
    old: str
    new: str
    format: str


@dataclass(frozen=True)
class Below:
    """A file that images of the domain rest on, or have data in, by its path: what their headers may name.

    What is no file of the host is there in the words of the header: "nbd://…".
    """

    file: str


@dataclass(frozen=True)
class DiskRecord:
    """What a disk is for, where its image came from, and which image is being made for it. An empty field says nothing.

    ``target``, ``alias``  which disk: the one with this user's alias; where none is recorded, the one with this target
    ``role``               root, ephemeral, swap, config, volume or cdrom
    ``image``              what its image was made from: a path, or an id that the image has elsewhere
    ``id``                 the id that the volume has with whoever provides it, such as Cinder's UUID
    ``volume``             POOL/VOLUME, where the document names the path of that volume
    ``delete``             "yes": the image goes with the domain; "no": it stays whatever is asked; "": as asked
    ``place``              with a ``format``: where an image is being made for the disk, a path or POOL/VOLUME; without:
                           a file made for this domain alone, though its disk does not say so (cloud-init's seed CD)
    ``format``, ``size``   of the image that is being made, size in bytes; empty otherwise, because libvirt knows
    ``old``                the image to be removed once the disk, which is being moved, has the new one
    ``path``               the path that ``volume`` had: while the document names another file, that volume is not its
    """

    target: str
    alias: str = ""
    role: str = ""
    image: str = ""
    id: str = ""
    volume: str = ""
    delete: str = ""
    place: str = ""
    format: str = ""
    size: str = ""
    old: str = ""
    path: str = ""

    @property
    def is_worth_it(self) -> bool:
        """True when the record says more than the document itself, which says where the image is, too."""
        return any((self.role, self.image, self.id, self.delete))

    @property
    def in_making(self) -> bool:
        """True from before the image at ``place`` exists until the image is whole and the disk has it."""
        return bool(self.format)

    @property
    def where(self) -> str:
        """Where the image is being made: POOL/VOLUME if it is in a pool, else its path."""
        return self.volume or self.place

    @property
    def settled(self) -> DiskRecord:
        """What is recorded once the disk has the image that is being made."""
        return replace(self, place="", format="", size="", old="") if self.in_making else self


@dataclass(frozen=True)
class RunAgain:
    """The domain was started and nobody has stopped it: it is to run again after the host has booted.

    ``since`` is when it was started (ISO 8601, UTC): what was started first then is first again.
    """

    since: str


@dataclass(frozen=True)
class Rescue:
    """The domain runs as a rescue, since that time (ISO 8601, UTC). In live only.

    ``before`` is the state that the domain was in, in virsh's words. ``brought`` are the devices that only the rescue
    has, joined by commas: "disk vdb, controller usb 0"; the first is the rescue medium.
    """

    since: str
    before: str
    brought: str

    @property
    def devices(self) -> list[str]:
        """``brought`` as a list of names, the rescue medium first."""
        return self.brought.split(", ")


AnyFact = (
    Releasing
    | Brought
    | Started
    | SeenState
    | Adopted
    | Creating
    | DiskRecord
    | RunAgain
    | Rescue
    | Snapshotting
    | Pivoting
    | Below
)
Fact = TypeVar("Fact", bound=AnyFact)


_TAGS: dict[type[object], str] = {
    Releasing: "releasing",
    Brought: "brought",
    Started: "started",
    SeenState: "state",
    Adopted: "adopted",
    Creating: "creating",
    DiskRecord: "disk",
    RunAgain: "wanted",
    Rescue: "rescue",
    Snapshotting: "snapshotting",
    Pivoting: "pivoting",
    Below: "below",
}
"""Fact → the name of its element. Domains keep these for years, so the names stay whatever the classes are called."""


def tag_of(kind: type[object]) -> str:
    """The tag that facts of this kind have in a document, with the namespace."""
    return f"{{{URI}}}{_TAGS[kind]}"


def facts(domain: Element, kind: type[Fact]) -> list[Fact]:
    """All facts of this kind that the document ``domain`` records."""
    items = domain.iterfind(f"metadata/{OURS}/{tag_of(kind)}")
    return [_read(kind, item) for item in items]


def fact(domain: Element, kind: type[Fact]) -> Fact | None:
    """The first fact of this kind that the document ``domain`` records; None when it records none."""
    return next(iter(facts(domain, kind)), None)


def ours_in(domain: Element) -> str | None:
    """Our element in the document ``domain``, as libvirt hands it out by itself (virDomainGetMetadata)."""
    found = domain.find(f"metadata/{OURS}")
    if found is None:
        return None
    ours = copy.deepcopy(found)
    for each in ours.iter(f"{{{URI}}}*"):
        each.tag = etree.QName(each).localname
    etree.cleanup_namespaces(ours)
    return _text(ours)


def with_ours(domain: Element, ours: str | None) -> Element:
    """A copy of ``domain`` as it is once libvirt was given ``ours`` as our element (virDomainSetMetadata)."""
    after = copy.deepcopy(domain)
    metadata = child(after, "metadata")
    remove_children(metadata, OURS)
    if ours is not None:
        given = _parse(ours)
        root = etree.SubElement(metadata, OURS, nsmap={**given.nsmap, PREFIX: URI})
        for each in given.iter("{}*"):
            if ":" not in str(each.tag):
                each.tag = f"{{{URI}}}{each.tag!s}"
        root.attrib.update(given.attrib)
        root.extend(list(given))
    return after


def facts_in(ours: str, kind: type[Fact]) -> list[Fact]:
    """All facts of one kind in our element, as libvirt gives it by itself."""
    return [_read(kind, item) for item in _parse(ours).iterfind(_TAGS[kind])]


def with_fact(ours: str | None, new: Fact) -> str:
    """Our element with the fact ``new``, in place of an older one about the same thing.

    The result is ``ours`` itself where it says so already: then nothing needs to be written.
    """
    root, tag = _root(ours), _TAGS[type(new)]
    older = [item for item in root.findall(tag) if same_subject(_read(type(new), item), new)]
    if ours is not None and [_read(type(new), item) for item in older] == [new]:
        return ours
    place = root.index(older[0]) if older else len(root)
    for item in older:
        root.remove(item)
    root.insert(place, element(tag, _attributes(new)))
    return _text(root)


def with_all(ours: str | None, kind: type[Fact], new: Sequence[Fact]) -> str | None:
    """Our element with the facts ``new`` and no others of their ``kind``; ``ours`` itself where it says so already."""
    root = _root(ours)
    older = root.findall(_TAGS[kind])
    if {_read(kind, item) for item in older} == set(new):
        return ours
    for item in older:
        root.remove(item)
    root.extend([element(_TAGS[kind], _attributes(each)) for each in new])
    return _text(root) if len(root) or root.attrib else None


def set_facts(domain: Element, *new: AnyFact) -> None:
    """Let the document ``domain``, which is yet to be defined, record the facts ``new``, and no others."""
    remove_children(child(domain, "metadata"), OURS)
    add_facts(domain, *new)


def add_facts(domain: Element, *new: AnyFact) -> None:
    """Let the document ``domain``, which libvirt is yet to be given, record the facts ``new``, too."""
    metadata = child(domain, "metadata")
    root = metadata.find(OURS)
    if root is None:
        root = etree.SubElement(metadata, OURS, nsmap={PREFIX: URI})
    for each in new:
        etree.SubElement(root, f"{{{URI}}}{_TAGS[type(each)]}", _attributes(each))


def drop_facts(domain: Element, kind: type[AnyFact]) -> None:
    """Take the facts of this kind out of the document ``domain``, which libvirt is yet to be given."""
    for root in domain.iterfind(f"metadata/{OURS}"):
        remove_children(root, tag_of(kind))


def without_fact(ours: str | None, old: Fact) -> str | None:
    """Our element without the fact ``old``; None when nothing else was in it, ``ours`` itself when ``old`` was not."""
    return without_facts(ours, type(old), lambda fact: fact == old)


def without_facts(ours: str | None, kind: type[Fact], gone: Callable[[Fact], bool]) -> str | None:
    """Our element without those facts of this kind that ``gone`` is true for; else as :func:`without_fact`."""
    root = _root(ours)
    found = [item for item in root.findall(_TAGS[kind]) if gone(_read(kind, item))]
    if not found:
        return ours
    for item in found:
        root.remove(item)
    return _text(root) if len(root) or root.attrib else None


def same_subject(one: AnyFact, other: AnyFact) -> bool:
    """True when two facts of one kind are about the same thing: one disk, one device, or the domain as a whole."""
    if isinstance(one, DiskRecord) and isinstance(other, DiskRecord):
        return one.alias == other.alias if one.alias and other.alias else one.target == other.target
    if isinstance(one, SeenState) and isinstance(other, SeenState):
        return one.kind == other.kind
    if isinstance(one, Pivoting) and isinstance(other, Pivoting):
        return one.target == other.target
    return one == other if isinstance(one, Releasing | Brought | Snapshotting | Below) else True


def _text(root: Element) -> str:
    """``root`` as text, indented as libvirt (9.0) does from the next start on, so that no byte of it changes then."""
    etree.indent(root, level=2)
    return serialize(root)


def _attributes(one: AnyFact) -> dict[str, str]:
    return {name: value for name, value in asdict(one).items() if value or not isinstance(one, DiskRecord)}


def _read(kind: type[Fact], item: Element) -> Fact:
    return kind(*[item.get(name, "") for name in kind.__match_args__])


def _parse(ours: str) -> Element:
    """Our element from its text; what others wrote into it need not have names that XML would allow."""
    return parse(f"<metadata>{ours}</metadata>")[0]


def _root(ours: str | None) -> Element:
    root = element("domain")
    if ours:
        given = _parse(ours)
        root.attrib.update(given.attrib)
        root.extend(list(given))
        etree.cleanup_namespaces(root)
    return root
