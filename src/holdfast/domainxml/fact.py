"""The kinds of facts that Holdfast records in the metadata of a domain, and the names of their elements.

How they are written and read is in :mod:`holdfast.domainxml.metadata`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from holdfast.domainxml.document import Element, element


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
class AddedController:
    """A controller that libvirt added for an attach: it goes once the last device behind it is detached.

    ``controller`` is its label: "scsi 0". ``address`` is its place in words, which tells it from a later one; "" where
    it has none. ``marked`` is the label of a device that it made the first of several in one slot; "" where it did not.
    """

    controller: str
    address: str
    marked: str = ""


@dataclass(frozen=True)
class Attaching:
    """An attach that takes several steps: from before the first of them until all is recorded that came of it.

    ``device``       the name of its element
    ``alias``        its alias, which is chosen before
    ``asked``        tells what was asked for: repeating just that goes on with this device, where it names none
    ``controllers``  the labels of those that were there before, joined by commas: all others came with it
    ``first``        the same of the devices that were marked as the first of several in one slot
    """

    device: str
    alias: str
    asked: str
    controllers: str
    first: str


@dataclass(frozen=True)
class Detaching:
    """A detach of a device with which controllers go: from before it until they are gone, too.

    ``device`` is the name of its element, ``label`` and ``alias`` are those that it had.
    """

    device: str
    label: str
    alias: str


@dataclass(frozen=True)
class Started:
    """What the guest was given at its last start, to be compared with what the next start would give it.

    ``cpu`` is live's ``<cpu>`` as text, ``firmware`` the SHA-256 of the loader file in hexadecimal, ``qemu`` and
    ``libvirt`` are the versions that started it; each is empty where nobody knew.
    """

    cpu: str
    firmware: str
    qemu: str = ""
    libvirt: str = ""


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
class Deleting:
    """The domain's deletion, with images, began at that time (ISO 8601, UTC), and goes on or was interrupted."""

    since: str


@dataclass(frozen=True)
class Snapshotting:
    """A snapshot is being made: its name, and a file that is made for it; "" for what goes into the images."""

    snapshot: str
    file: str


@dataclass(frozen=True)
class Pivoting:
    """A disk switches to a copy: from before QEMU is asked for it until both documents say so.

    Where the document has the ``old`` image and nothing copies, nobody knows which of the two is the newer. ``target``
    is the disk's; ``new`` is the copy, and ``format`` the copy's.
    """

    target: str
    old: str
    new: str
    format: str


@dataclass(frozen=True)
class KeptNvram:
    """The NVRAM that the domain had before an upgrade of its firmware or certificates, which can be taken back.

    ``upgrade``  "firmware" or "certificates"
    ``since``    when it was done (ISO 8601, UTC)
    ``path``     the file, which nobody has written since; "" where there was none yet
    ``os``       what the document said of its firmware, as the text of an ``<os>``
    """

    upgrade: str
    since: str
    path: str
    os: str


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

    ``since`` is when it was started (ISO 8601, UTC): what was started first then is first again. ``starting`` is "yes"
    from before a cold start until that is recorded: one that was cut off comes after any end that libvirt tells of.
    """

    since: str
    starting: str = ""


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


@dataclass(frozen=True)
class BeingMoved:
    """The domain is being moved here, shut off, since that time (ISO 8601, UTC), and is the other host's until then.

    ``host`` is that host's name, ``uuid`` what libvirt tells it by; ``copied`` the disks whose images were made here,
    by target, and ``state`` the kinds of state that were, both joined by commas. ``autostart``: "yes" where it is then
    to start with its host.
    """

    since: str
    host: str
    uuid: str
    copied: str = ""
    state: str = ""
    autostart: str = ""


AnyFact = (
    Releasing
    | AddedController
    | Attaching
    | Detaching
    | Started
    | SeenState
    | Adopted
    | Creating
    | Deleting
    | DiskRecord
    | RunAgain
    | Rescue
    | Snapshotting
    | Pivoting
    | KeptNvram
    | Below
    | BeingMoved
)

TAGS: dict[type[object], str] = {
    Releasing: "releasing",
    AddedController: "brought",
    Attaching: "attaching",
    Detaching: "detaching",
    Started: "started",
    SeenState: "state",
    Adopted: "adopted",
    Creating: "creating",
    Deleting: "deleting",
    DiskRecord: "disk",
    RunAgain: "wanted",
    Rescue: "rescue",
    Snapshotting: "snapshotting",
    Pivoting: "pivoting",
    KeptNvram: "kept-nvram",
    Below: "below",
    BeingMoved: "arriving",
}
"""Fact → the name of its element. Domains keep these for years, so the names stay whatever the classes are called."""
