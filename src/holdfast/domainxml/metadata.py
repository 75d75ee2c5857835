"""Our element in ``<metadata>``: the facts that libvirt has no field for. Text in, text out.

Seven facts are recorded. *releasing*: a device that was detached and that the guest has not released; libvirt keeps
it in live only, where it looks like one that somebody attached to live only. *started*: CPU and firmware at the last
start, to be compared with what the next start would give. *adopted*: since when Holdfast keeps facts of this domain,
and where it came from. *disk*: what a disk is for and where its image came from (:mod:`.disk_record`). *creating*: the
creation of the domain has begun, and its images are being made. *wanted*: it is to run after the host has booted.
*rescue*: it runs as a rescue. *snapshotting*: a snapshot is being made.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TypeVar

from lxml import etree

from holdfast.domainxml.document import Element, child, element, parse, serialize
from holdfast.domainxml.namespace import PREFIX as PREFIX
from holdfast.domainxml.namespace import URI as URI


@dataclass(frozen=True)
class Releasing:
    """A device that was detached while the guest did not answer: its element name, label and alias in live."""

    device: str
    label: str
    alias: str

    def as_device(self) -> Element:
        """An element by which the device is known."""
        return element(
            self.device, None, element("target", {"dev": self.label}), element("alias", {"name": self.alias})
        )


@dataclass(frozen=True)
class Started:
    """What the last start gave to the guest.

    ``cpu`` is live's ``<cpu>`` as text, ``firmware`` the SHA-256 of the loader file in hexadecimal; each is empty
    where it was not known.
    """

    cpu: str
    firmware: str


@dataclass(frozen=True)
class Adopted:
    """``since`` is the time (ISO 8601, UTC); ``origin`` what made the domain ("holdfast", "virt-manager" …).

    ``owner`` is whom it belongs to there, a project or an instance name; empty where nobody said.
    """

    since: str
    origin: str
    owner: str


@dataclass(frozen=True)
class Creating:
    """The domain is being created, ``since`` (ISO 8601, UTC); in a domain that nobody creates, it was interrupted."""

    since: str


@dataclass(frozen=True)
class Snapshotting:
    """A snapshot that is being made: its name, and a file made for it; "" for what goes into the images themselves."""

    snapshot: str
    file: str


@dataclass(frozen=True)
class DiskRecord:
    """What libvirt has no field for, of one disk. An empty field says nothing.

    ``target``, ``alias``  which disk: the one with this user alias; with this target where no alias is recorded
    ``role``               root, ephemeral, swap, config, volume or cdrom
    ``image``              what its image was made from: a path, or an id that the image has elsewhere
    ``id``                 the id of the volume with whoever provides it, such as Cinder's UUID
    ``volume``             POOL/VOLUME, where the document names the path of that volume
    ``delete``             "yes": the image goes with the domain; "no": it stays whatever is asked; "": as asked
    ``place``              with a ``format``: where an image for it is being made, a path or POOL/VOLUME; without: a
                           file made for this domain alone though its disk does not tell, cloud-init's seed CD
    ``format``, ``size``   of the image that is being made, size in bytes; otherwise libvirt's to know, and empty
    ``old``                the image that is to be removed once the disk has the one that is being made: it is moved
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

    @property
    def is_worth_it(self) -> bool:
        """True when it says more than which disk it is of and where its image is, which the document says, too."""
        return any((self.role, self.image, self.id, self.delete))

    @property
    def in_making(self) -> bool:
        """True from before the image at ``place`` exists until it is whole and the disk has it."""
        return bool(self.format)

    @property
    def where(self) -> str:
        """The path or POOL/VOLUME of the image that is being made, as its pool knows it."""
        return self.volume or self.place

    @property
    def settled(self) -> DiskRecord:
        """The same, once the disk has its image."""
        return replace(self, place="", format="", size="", old="") if self.in_making else self


@dataclass(frozen=True)
class RunAgain:
    """The domain was started and nobody has stopped it: it is to run again after the host has booted.

    ``since`` is when it was started (ISO 8601, UTC): what was started first is first again.
    """

    since: str


@dataclass(frozen=True)
class Rescue:
    """In live only: the domain runs as a rescue, since this time (ISO 8601, UTC).

    ``before`` is the state it was in, in virsh's words. ``brought`` are the devices that only the rescue has, as the
    guest view names them, joined by commas: "disk vdb, controller usb 0"; the rescue medium is the first.
    """

    since: str
    before: str
    brought: str

    @property
    def devices(self) -> list[str]:
        """The names of ``brought``, the rescue medium first."""
        return self.brought.split(", ")


AnyFact = Releasing | Started | Adopted | Creating | DiskRecord | RunAgain | Rescue | Snapshotting
Fact = TypeVar("Fact", Releasing, Started, Adopted, Creating, DiskRecord, RunAgain, Rescue, Snapshotting)


_TAGS: dict[type[AnyFact], str] = {
    Releasing: "releasing",
    Started: "started",
    Adopted: "adopted",
    Creating: "creating",
    DiskRecord: "disk",
    RunAgain: "wanted",
    Rescue: "rescue",
    Snapshotting: "snapshotting",
}
"""Fact → its element: what domains have recorded for years must be read for years."""


def tag_of(kind: type[AnyFact]) -> str:
    """The tag of such a fact in a domain document, with its namespace."""
    return f"{{{URI}}}{_tag(kind)}"


def facts(domain: Element, kind: type[Fact]) -> list[Fact]:
    """All facts of one kind that a domain document records."""
    items = domain.iterfind(f"metadata/{{{URI}}}domain/{tag_of(kind)}")
    return [_read(kind, item) for item in items]


def fact(domain: Element, kind: type[Fact]) -> Fact | None:
    """The fact of this kind that a domain document records; None when it records none."""
    return next(iter(facts(domain, kind)), None)


def ours_in(domain: Element) -> str | None:
    """Our element of a domain document as libvirt tells it (virDomainGetMetadata): its names without a prefix."""
    found = domain.find(f"metadata/{{{URI}}}domain")
    if found is None:
        return None
    ours = copy.deepcopy(found)
    for each in ours.iter():
        each.tag = etree.QName(each).localname
    etree.cleanup_namespaces(ours)
    return _text(ours)


def with_ours(domain: Element, ours: str | None) -> Element:
    """A domain document as it is once libvirt was given ``ours`` as our element (virDomainSetMetadata); None: none."""
    after = copy.deepcopy(domain)
    metadata = child(after, "metadata")
    for old in metadata.findall(f"{{{URI}}}domain"):
        metadata.remove(old)
    if ours is not None:
        root = etree.SubElement(metadata, f"{{{URI}}}domain", nsmap={PREFIX: URI})
        given = parse(ours)
        root.attrib.update(given.attrib)
        for each in given:
            etree.SubElement(root, etree.QName(URI, str(each.tag)), each.attrib)
    return after


def facts_in(ours: str, kind: type[Fact]) -> list[Fact]:
    """All facts of one kind in our element, as libvirt gives it by itself."""
    return [_read(kind, item) for item in parse(ours).iterfind(_tag(kind))]


def with_fact(ours: str | None, new: Fact) -> str:
    """Our element (None: there is none yet) with ``new`` recorded, in place of an older one of the same thing.

    ``ours`` itself where it says so already: then nothing needs to be written.
    """
    root, tag = _root(ours), _tag(type(new))
    older = [item for item in root.findall(tag) if same_subject(_read(type(new), item), new)]
    if ours is not None and [_read(type(new), item) for item in older] == [new]:
        return ours
    for item in older:
        root.remove(item)
    root.append(element(tag, _attributes(new)))
    return _text(root)


def with_all(ours: str | None, kind: type[Fact], new: Sequence[Fact]) -> str | None:
    """Our element with the facts ``new`` as all of their ``kind``; ``ours`` itself where it says so already."""
    root = _root(ours)
    older = root.findall(_tag(kind))
    if {_read(kind, item) for item in older} == set(new):
        return ours
    for item in older:
        root.remove(item)
    root.extend([element(_tag(kind), _attributes(each)) for each in new])
    return _text(root) if len(root) or root.attrib else None


def set_facts(domain: Element, *new: AnyFact) -> None:
    """Put our element with the facts ``new`` into a document that is yet to be defined; an older one of ours goes."""
    metadata = child(domain, "metadata")
    for old in metadata.findall(f"{{{URI}}}domain"):
        metadata.remove(old)
    add_facts(domain, *new)


def add_facts(domain: Element, *new: AnyFact) -> None:
    """Add the facts ``new`` to those of a document that libvirt is yet to be given."""
    metadata = child(domain, "metadata")
    root = metadata.find(f"{{{URI}}}domain")
    if root is None:
        root = etree.SubElement(metadata, f"{{{URI}}}domain", nsmap={PREFIX: URI})
    for each in new:
        etree.SubElement(root, f"{{{URI}}}{_tag(type(each))}", _attributes(each))


def drop_facts(domain: Element, kind: type[AnyFact]) -> None:
    """Take the facts of one kind out of a document that libvirt is yet to be given."""
    for root in domain.iterfind(f"metadata/{{{URI}}}domain"):
        for old in root.findall(f"{{{URI}}}{_tag(kind)}"):
            root.remove(old)


def without_fact(ours: str | None, old: Fact) -> str | None:
    """Our element without ``old``; None when nothing is left in it, and ``ours`` itself when it was not there."""
    return without_facts(ours, type(old), lambda fact: fact == old)


def without_facts(ours: str | None, kind: type[Fact], gone: Callable[[Fact], bool]) -> str | None:
    """Our element without the facts of ``kind`` that are ``gone``; otherwise as :func:`without_fact`."""
    root = _root(ours)
    found = [item for item in root.findall(_tag(kind)) if gone(_read(kind, item))]
    if not found:
        return ours
    for item in found:
        root.remove(item)
    return _text(root) if len(root) or root.attrib else None


def same_subject(one: AnyFact, other: AnyFact) -> bool:
    """True when both are of the same thing: of one device, or of the domain as a whole."""
    if isinstance(one, DiskRecord) and isinstance(other, DiskRecord):
        return one.alias == other.alias if one.alias and other.alias else one.target == other.target
    return one == other if isinstance(one, Releasing | Snapshotting) else True


def _text(root: Element) -> str:
    """Indented as libvirt itself does from the next start on (9.0): the document stays the same to the byte."""
    etree.indent(root, level=2)
    return serialize(root)


def _attributes(one: AnyFact) -> dict[str, str]:
    return {name: value for name, value in asdict(one).items() if value or not isinstance(one, DiskRecord)}


def _tag(kind: type[AnyFact]) -> str:
    return _TAGS[kind]


def _read(kind: type[Fact], item: Element) -> Fact:
    return kind(*(item.get(field.name, "") for field in fields(kind)))


def _root(ours: str | None) -> Element:
    root = element("domain")
    if ours:
        given = parse(ours)
        root.attrib.update(given.attrib)
        root.extend(list(given))
        etree.cleanup_namespaces(root)
    return root
