"""What the images of a domain may rest on: the files that its documents, its records and its snapshots name.

Whoever writes a header onto an image can let QEMU open any file of the host for the guest. So what a header names is
compared with what is known, before a start and before the image is opened here; what was taken with open eyes is
recorded (:class:`Below`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Container, Iterable, Iterator
from typing import NamedTuple

from holdfast.domainxml import metadata
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import backing_files, host_path, source_of, stated_format
from holdfast.domainxml.fact import Adopted, Below, DiskRecord
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.metadata import fact, facts
from holdfast.domainxml.snapshots.stored import read_snapshot
from holdfast.errors import Failed, HoldfastError, NoConnection, Refused, images
from holdfast.errors.files import NO_PERMISSION
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage, open_for_qemu_img
from holdfast.hostfiles.images.header import can_name_files
from holdfast.hostfiles.images.image import check_format, real_path
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.libvirtapi.snapshot import snapshots
from holdfast.operations.disks.in_place import DiskInPlace
from holdfast.operations.disks.missing_image import images_missing, refuse_missing_images
from holdfast.operations.disks.newest_image import refuse_unless_newest
from holdfast.operations.documents import Documents
from holdfast.operations.facts import rewrite
from holdfast.operations.image_access import by_pool
from holdfast.operations.session import OpenDomain

_MAKES_IMAGES = ("nova",)
"""Managers that make the images of a domain anew, and look at them themselves (Nova 34: format_inspector)."""


_NOT_SEEN_THROUGH = tuple(
    condition.code
    for condition in (
        images.BACKING_FORMAT_NOT_STATED,
        images.HEADER_CUT_OFF,
        images.HEADER_DAMAGED,
        images.NOT_OF_FORMAT,
        images.ANOTHER_FORMAT,
    )
)
"""What is wrong with a header in which QEMU may find a name nevertheless: it reads zeros behind the end of a file, and
takes whatever bears no mark for the description of a vmdk image (7.2)."""


_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class KnownFiles:
    """The files that the images of a domain may name; its snapshots are asked only where nothing else tells of one."""

    def __init__(self, domain: Domain, documents: Documents) -> None:
        self._domain = domain
        self._files = _files_in(documents.present.values())
        self._of_snapshots: set[str] | None = None

    def __contains__(self, path: object) -> bool:
        return path in self._files or path in self._snapshots()

    def _snapshots(self) -> set[str]:
        """(virDomainSnapshotGetXMLDesc)"""
        if self._of_snapshots is None:
            stored = [read_snapshot(snapshot.xml()) for snapshot in snapshots(self._domain)]
            self._of_snapshots = {real_path(image) for each in stored for image in each.images().values()}
        return self._of_snapshots


def files_known_of(document: Element) -> set[str] | None:
    """What the images of a domain that is not there may rest on, as its ``document`` tells; else as known_files()."""
    return _files_in([document]) if _are_kept([document]) else None


def _files_in(documents: Iterable[Element]) -> set[str]:
    return {real_path(name) if name.startswith("/") else name for name in _names_in(documents)}


def _are_kept(documents: Iterable[Element]) -> bool:
    """True for a domain whose images are known: it was created or adopted here, and nobody makes them anew."""
    adopted = [fact(document, Adopted) for document in documents]
    return any(each is not None and each.origin not in _MAKES_IMAGES for each in adopted)


def _names_in(documents: Iterable[Element]) -> Iterator[str]:
    for document in documents:
        for disk in document.iterfind("devices/disk"):
            yield from (path for path in (source_of(disk), *backing_files(disk)) if path is not None)
        yield from (record.image for record in facts(document, DiskRecord))
        yield from (below.file for below in facts(document, Below))


def known_files(domain: OpenDomain) -> Container[str] | None:
    """What the images of ``domain`` may rest on; None where nobody can tell: it was neither created nor adopted here,
    or its manager makes its images.
    """
    return _known_files(domain, domain.documents)


def _known_files(domain: Domain, documents: Documents) -> Container[str] | None:
    return KnownFiles(domain, documents) if _are_kept(documents.present.values()) else None


def known_below(domain: OpenDomain, disk: Element) -> Container[str] | None:
    """What the image of a ``disk`` of ``domain`` may rest on, for :func:`.images.for_qemu_img.open_for_qemu_img`.

    A raw image names nothing, whatever its guest wrote into it.
    """
    return known_files(domain) if can_name_files(stated_format(disk)) else None


@contextlib.contextmanager
def open_disk_for_qemu_img(disk: DiskInPlace) -> Iterator[QemuImgImage]:
    """The image of a disk of a domain that is shut off, for qemu-img.

    Raises NAMES_ANOTHER_NOW where its header names a file that is not known, and as :func:`open_for_qemu_img`.
    """
    known = known_below(disk.domain, disk.current)
    with (
        about_attached_image(disk.domain.name),
        open_for_qemu_img(disk.image or "", stated_format(disk.current), known) as image,
    ):
        yield image


def refuse_unknown_below(disk: DiskInPlace) -> None:
    """Check the header of an image of this host that libvirt will open by its path.

    Raises as :func:`open_disk_for_qemu_img`.
    """
    path, known, connection = host_path(disk.current), known_below(disk.domain, disk.current), disk.domain.connection
    if path is not None and known is not None and connection.is_local:
        with about_attached_image(disk.domain.name):
            check_format(path, stated_format(disk.current), known=known, otherwise=by_pool(connection))


@contextlib.contextmanager
def about_attached_image(name: str) -> Iterator[None]:
    """Raise NAMES_ANOTHER_NOW in place of NAMES_ANOTHER_FILE: the image belongs to the domain ``name`` already."""
    try:
        yield
    except Refused as error:
        if error.code != images.NAMES_ANOTHER_FILE.code:
            raise
        fields = error.fields
        raise images.NAMES_ANOTHER_NOW(name=name, path=fields["path"], other=fields["other"]) from error


class _Listed(NamedTuple):
    """A domain that is only looked at."""

    connection: Connection
    name: str
    documents: Documents


def look_at_images(domain: OpenDomain, document: Element | None = None, *, may_lack: bool = False) -> tuple[str, ...]:
    """Look at the images that a start of ``document``, else of config, would give to the guest, and at their headers.

    Returns what was not seen, in sentences. With ``may_lack`` images may be missing.

    Raises what :func:`refuse_unless_newest` does, NAMES_ANOTHER_NOW where a header names a file that is not known, what
    is in _NOT_SEEN_THROUGH, and IMAGE_MISSING. Whatever else is wrong with an image is QEMU's to say.
    """
    refuse_unless_newest(domain, document)
    started = document if document is not None else domain.documents.config
    known = known_files(domain)
    unseen = () if started is None or known is None else tuple(_look(domain.connection, domain.name, started, known))
    if started is not None and not may_lack:
        refuse_missing_images(domain, started.iterfind("devices/disk"))
    return unseen


def images_outlook(connection: Connection, domain: Domain, documents: Documents) -> Iterator[Outlook]:
    """What :func:`look_at_images` makes of the next cold start of ``domain``, which has these ``documents``, and which
    images are missing.
    """
    if documents.config is not None:
        yield from images_missing(connection, domain, documents, documents.config.iterfind("devices/disk"))
    try:
        refuse_unless_newest(_Listed(connection, domain.name, documents))
        known = _known_files(domain, documents)
        if known is None or documents.config is None:
            return
        for sentence in _look(connection, domain.name, documents.config, known):
            yield Outlook(Effect.UNKNOWN, "disk", sentence)
    except NoConnection:
        raise
    except HoldfastError as error:
        yield Outlook(Effect.BLOCKS, "disk", str(error))


def _look(connection: Connection, name: str, document: Element, known: Container[str]) -> Iterator[str]:
    for disk in document.iterfind("devices/disk"):
        path, format = host_path(disk), stated_format(disk)
        if path is None or not can_name_files(format):
            continue
        if not connection.is_local:
            yield f"the files that the header of {path} names were not checked: it is on another host"
            continue
        try:
            with about_attached_image(name):
                check_format(path, format, known=known, otherwise=by_pool(connection))
        except HoldfastError as error:
            if error.code in (images.NAMES_ANOTHER_NOW.code, *_NOT_SEEN_THROUGH):
                raise
            if error.code in (images.UNREADABLE_IMAGE.code, NO_PERMISSION.code):
                yield f"the files that the header of {path} names were not checked: {error.message}"


def found_below(connection: Connection, disks: Iterable[Element]) -> list[Below]:
    """What the images of ``disks`` rest on now, as far as this user can read them and a document hold it; to be
    recorded.
    """
    found: dict[str, Below] = {}
    for disk in disks if connection.is_local else ():
        path = host_path(disk)
        if path is not None and can_name_files(stated_format(disk)):
            with contextlib.suppress(Failed):
                files = files_below(path, elsewhere=True, otherwise=by_pool(connection))
                found.update((file, Below(file)) for file in files if not _NOT_IN_XML.search(file))
    return list(found.values())


def record_below(domain: OpenDomain, disks: Iterable[Element]) -> None:
    """Record what the images of ``disks`` rest on, which was taken with open eyes, where records are kept of
    ``domain``. (virDomainSetMetadata)
    """
    found = found_below(domain.connection, disks)
    if not found or known_files(domain) is None:
        return

    def added(ours: str | None) -> str | None:
        for below in found:
            ours = metadata.with_fact(ours, below)
        return ours

    rewrite(domain, added)
