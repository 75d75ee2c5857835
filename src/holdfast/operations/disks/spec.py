"""What a user can say of a disk or an interface to be made: typed values, checked for sense, without looking anywhere.

``holdfast create`` and ``holdfast disk attach`` both start from these.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.records.disk_record import ROLES
from holdfast.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DiskSpec:
    """One disk. The image is an existing one (``path``, or ``pool`` and ``volume``) or a new one at that place.

    ``source`` is an existing image on the network, as a URL (:mod:`holdfast.domainxml.elements.network_source`);
    raw unless a ``format`` is stated.

    New is an image with a ``size`` (bytes), one that is copied from the file ``copy_from``, or a qcow2 overlay over
    ``overlay_of``; the latter two state the ``source_format`` of what they start from. ``format`` is that of the disk
    itself: it must be stated for an existing image, and is qcow2 for a new one. ``trust_format`` takes what is stated
    against an image's header. ``bus``, ``target``, ``serial`` None take the default, the next free and a new one.

    The rest is recorded, and nothing of it is the guest's: ``role`` (None: root for what boots first, cdrom, else
    volume), the ``id`` that the volume has where it is managed, and whether the image goes when the domain is deleted
    (``delete_with_domain`` None: as it is said then).
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
        """The image that the new one starts from; empty where there is none."""
        return self.copy_from or self.overlay_of or ""

    def __post_init__(self) -> None:
        for problem, hint in self._problems():
            raise UsageError(problem, hint)

    def _problems(self) -> list[tuple[str, str | None]]:
        start = self.made_from
        wrong: list[tuple[bool, str, str | None]] = [
            (
                sum(map(bool, (self.path, self.pool or self.volume, self.source))) > 1,
                "a disk is at a path, in a pool or at a source=, not in two places",
                None,
            ),
            (bool(self.source and self.is_new), "an image on the network must exist already", "leave out size="),
            (bool(self.volume and not self.pool), "a volume needs its pool", "volume=POOL/VOLUME"),
            (
                bool(self.pool and not self.volume and not self.is_new),
                "a disk in a pool needs the name of its volume",
                "volume=POOL/VOLUME",
            ),
            (
                not (self.is_new or self.path or self.volume or self.source or self.device in ("cdrom", "floppy")),
                "a disk needs an image",
                "path=/x.qcow2,format=qcow2 or pool=NAME,volume=NAME,format=… or size=20GiB",
            ),
            (
                bool(self.copy_from and self.overlay_of),
                "a disk is a copy or an overlay, not both",
                "leave out copy-from or overlay-of",
            ),
            (
                bool(start and self.source_format is None),
                f"the format of {start} must be stated",
                "add source-format=qcow2 or source-format=raw; Holdfast never guesses it from the image",
            ),
            (
                bool(self.source_format and not start),
                "source-format goes with copy-from or overlay-of",
                "the format of the disk itself is format=",
            ),
            (
                bool((self.path or self.volume) and not self.is_new and self.format is None and self.device != "cdrom"),
                f"the format of {self.path or self.volume} must be stated",
                "add format=qcow2 or format=raw; Holdfast never guesses it from the image",
            ),
            (
                bool(self.overlay_of and self.format not in (None, "qcow2")),
                f"an overlay is always qcow2, not {self.format}",
                "leave out format=, or use copy-from",
            ),
            (self.size is not None and self.size <= 0, "a disk's size must be more than nothing", "size=20GiB"),
            (
                self.role not in (None, *ROLES),
                f"there is no role {self.role!r} for a disk",
                f"one of {', '.join(ROLES)}",
            ),
            (
                bool(self.delete_with_domain and (self.readonly or self.shareable or self.device != "disk")),
                "only an image that belongs to one domain can be deleted with it",
                "not that of a CD, a floppy or a lun, and none that is readonly or shareable",
            ),
        ]
        paths = (("path", self.path), ("copy-from", self.copy_from), ("overlay-of", self.overlay_of))
        wrong += [
            (bool(path is not None and not path.startswith("/")), f"{key} must be absolute, not {path!r}", None)
            for key, path in paths
        ]
        return [(problem, hint) for is_wrong, problem, hint in wrong if is_wrong]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a disk is to go: a ``path``, or a ``pool`` with or without the name of the new ``volume``.

    ``format`` None keeps that of the disk, where the place can have it.
    """

    path: str | None = None
    pool: str | None = None
    volume: str | None = None
    format: str | None = None

    def __post_init__(self) -> None:
        if bool(self.path) == bool(self.pool) or (self.volume and not self.pool):
            raise UsageError("a disk goes to a path or into a pool", "path=/x.qcow2 or pool=NAME or volume=POOL/NAME")
        if self.path is not None and not self.path.startswith("/"):
            raise UsageError(f"path must be absolute, not {self.path!r}", None)

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
