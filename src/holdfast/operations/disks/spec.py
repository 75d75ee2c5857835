"""What a user can say of a disk, of an interface, and of the place that a disk is to be moved to.

Whether it makes sense is checked here, without looking at any host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.domainxml.records.disk_record import ROLES
from holdfast.errors import HoldfastError
from holdfast.errors import disk_spec as errors
from holdfast.errors.elements import UNKNOWN_WORD
from holdfast.text import has_control_characters


@dataclass(frozen=True, kw_only=True)
class DiskSpec:
    """A disk: its image, what the guest sees of it, and what is recorded of it.

    The image is one that exists, or a new one where a size is given, or what it is made from.

    ``path``, ``pool``, ``volume``  where the image is, or is to be made: a path, or a volume of a pool
    ``source``       an existing image on the network, as a URL (:mod:`holdfast.domainxml.elements.network_source`)
    ``format``       that of the image. It must be stated for an existing one, except for a CD or one on the network,
                     which are raw unless it is; a new one is qcow2 unless it is, or raw in a pool that is not of files
    ``size``         of a new image, in bytes
    ``copy_from``    the file that a new image is a copy of
    ``overlay_of``   the file that a new image is a qcow2 overlay over
    ``source_format``  that of the file which is copied or overlaid; it must be stated
    ``trust_format`` True takes an image as stated, whatever its header says, and whatever files that names
    ``device``       "disk", "cdrom", "floppy" or "lun"
    ``bus``, ``target``, ``serial``  None: the usual one, the next that is free, a new one
    ``role``         recorded: what the disk is for; None: root for what boots first, cdrom, else volume
    ``id``           recorded: the id that its volume has where that is managed
    ``delete_with_domain``  recorded: whether the image goes with the domain; None: the options of ``delete`` decide

    Raises the conditions of :mod:`holdfast.errors.disk_spec` for what makes no sense together.
    """

    path: str | None = None
    pool: str | None = None
    volume: str | None = None
    source: str | None = None
    format: str | None = None
    size: int | None = None
    copy_from: str | None = None
    overlay_of: str | None = None
    source_format: str | None = None
    trust_format: bool = False
    device: str = "disk"
    bus: str | None = None
    target: str | None = None
    serial: str | None = None
    cache: str | None = None
    discard: str | None = None
    readonly: bool = False
    shareable: bool = False
    role: str | None = None
    id: str | None = None
    delete_with_domain: bool | None = None

    @classmethod
    def at(cls, place: str, *, format: str | None, device: str = "disk", bus: str | None = None) -> DiskSpec:
        """The existing image at ``place``: a path, POOL/VOLUME or a URL."""
        if place.startswith("rbd:") or "://" in place:
            return cls(source=place, format=format, device=device, bus=bus)
        pool, slash, volume = place.partition("/")
        if pool and slash:
            return cls(pool=pool, volume=volume, format=format, device=device, bus=bus)
        return cls(path=place, format=format, device=device, bus=bus)

    @property
    def is_new(self) -> bool:
        """True when the image is to be made."""
        return not (self.size is None and self.copy_from is None and self.overlay_of is None)

    @property
    def made_from(self) -> str:
        """The image that the new one is a copy of, or an overlay over; empty where there is none."""
        return self.copy_from or self.overlay_of or ""

    @property
    def has_image(self) -> bool:
        """True when it says where its image is, or is to be."""
        return bool(self.path or self.volume or self.source)

    def __post_init__(self) -> None:
        for problem in (*self._wrong_place(), *self._wrong_origin(), *self._wrong_format(), *self._wrong_record()):
            raise problem

    def _wrong_place(self) -> Iterator[HoldfastError]:
        if sum(map(bool, (self.path, self.pool or self.volume, self.source))) > 1:
            yield errors.TWO_PLACES()
        if self.source and self.is_new:
            yield errors.NEW_ON_NETWORK()
        if self.volume and not self.pool:
            yield errors.VOLUME_WITHOUT_POOL()
        if self.pool and not self.volume and not self.is_new:
            yield errors.POOL_WITHOUT_VOLUME()
        if not (self.is_new or self.has_image or self.device in ("cdrom", "floppy")):
            yield errors.DISK_NEEDS_IMAGE()
        for path in (self.path, self.copy_from, self.overlay_of):
            yield from _wrong_path(path)
        yield from _wrong_names(self.pool, self.volume, self.is_new)

    def _wrong_origin(self) -> Iterator[HoldfastError]:
        """What is wrong with what a new image is made from."""
        if self.copy_from and self.overlay_of:
            yield errors.COPY_AND_OVERLAY()
        if self.made_from and self.source_format is None:
            yield errors.SOURCE_FORMAT_NOT_STATED(path=self.made_from)
        if self.source_format and not self.made_from:
            yield errors.SOURCE_FORMAT_WITHOUT_SOURCE()
        if self.size is not None and self.size <= 0:
            yield errors.NO_SIZE()

    def _wrong_format(self) -> Iterator[HoldfastError]:
        place = self.path or self.volume
        if place and not self.is_new and self.format is None and self.device != "cdrom":
            yield errors.FORMAT_NOT_STATED(path=place)
        if self.overlay_of and self.format not in (None, "qcow2"):
            yield errors.OVERLAY_NOT_QCOW2(format=self.format)

    def _wrong_record(self) -> Iterator[HoldfastError]:
        if self.role not in (None, *ROLES):
            yield UNKNOWN_WORD(what="disk role", word=self.role, words=ROLES)
        if self.delete_with_domain and (self.readonly or self.shareable or self.device != "disk"):
            yield errors.NOT_ONE_DOMAINS()


def _wrong_path(path: str | None) -> Iterator[HoldfastError]:
    if path is not None and not path.startswith("/"):
        yield errors.NOT_ABSOLUTE(path=path)
    elif path is not None and has_control_characters(path):
        yield errors.CONTROL_CHARACTERS(text=path)


def _wrong_names(pool: str | None, volume: str | None, is_new: bool) -> Iterator[HoldfastError]:
    for name in (pool, volume):
        if name is not None and has_control_characters(name):
            yield errors.CONTROL_CHARACTERS(text=name)
    if is_new and volume is not None and volume.startswith("-"):
        yield errors.VOLUME_LIKE_OPTION(volume=volume)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a disk is to go: a ``path``, or a ``pool`` with or without the name of the new ``volume``.

    ``format`` None keeps that of the disk, where the place can have it. Raises NO_PLACE, NOT_ABSOLUTE,
    CONTROL_CHARACTERS, VOLUME_LIKE_OPTION.
    """

    path: str | None = None
    pool: str | None = None
    volume: str | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.pool) or (self.volume and not self.pool):
            raise errors.NO_PLACE()
        for problem in (*_wrong_path(self.path), *_wrong_names(self.pool, self.volume, True)):
            raise problem

    def is_at(self, where: str) -> bool:
        """True when this may be ``where``, a path or POOL/VOLUME."""
        pool, _, volume = where.partition("/")
        return where == self.path if not pool else self.pool == pool and self.volume in (None, volume)


@dataclass(frozen=True, kw_only=True)
class InterfaceSpec:
    """One interface: ``kind`` network, bridge or user, the ``source`` it is on (None for user), model and MAC.

    ``mac`` None takes a new one.
    """

    kind: str = "network"
    source: str | None = None
    model: str = "virtio"
    mac: str | None = None
