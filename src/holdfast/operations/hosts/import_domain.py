"""Importing a domain: what another host exported, or a document of one, arrives here with the hardware it had.

The document is replayed, never made anew: what it names of its old host is replaced as far as somebody says by what,
and the guest's side is proved to stay. The archive is somebody's input: what of the host a guest could reach by it is
taken only when that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import PurePosixPath

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.disk import Source, file_source, host_path, set_source, stated_format
from holdfast.domainxml.make.identifiers import identifiers
from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps
from holdfast.domainxml.records.disk_record import disk_record
from holdfast.errors.creation import NO_NAME
from holdfast.errors.files import EXISTS
from holdfast.errors.hosts import (
    ARCHIVE_ON_ITS_HOST,
    NOT_AN_EXPORT,
    STATE_NOT_IN_ARCHIVE,
)
from holdfast.hostfiles.archive import ArchiveReader, is_archive
from holdfast.hostfiles.document_file import read_document
from holdfast.hostfiles.images.for_qemu_img import open_for_qemu_img
from holdfast.hostfiles.images.new_image import new_image_file
from holdfast.hostfiles.new_file import MadeFile
from holdfast.hostfiles.state_copies.own_files import put_back, take_away
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.disks.new import PlannedDisk, plan_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.create import check_new_name, not_startable
from holdfast.operations.domain.make import Created, NewDomain, make_domain
from holdfast.operations.hosts.export import DOCUMENT, FORMAT, MANIFEST, VERSION, ExportedPart, PartKind
from holdfast.operations.hosts.other_host import (
    macs_here,
    refuse_macs,
    refuse_other_hardware,
    refuse_reaches,
    taken_over,
    what_was_replaced,
)
from holdfast.operations.own_state import look, refuse_state_of_others, state_of


@dataclass(frozen=True, kw_only=True)
class Arriving:
    """What is to arrive: the document as it was, and the parts that come with it in an ``archive``, if there is one."""

    document: Element
    parts: tuple[ExportedPart, ...] = ()
    archive: ArchiveReader | None = None


@dataclass(frozen=True)
class ArchivedImage:
    """An image to be made of a member of an archive, at a path where this user may make files."""

    archive: ArchiveReader
    member: str
    path: str
    format: str
    in_pool: None = None

    def __str__(self) -> str:
        return self.path

    def make(
        self, connection: Connection, undo: ExitStack, progress: Progress | None = None
    ) -> tuple[Source, MadeFile | None]:
        """Make it, and check that it rests on nothing; ``undo`` then removes it again."""
        with new_image_file(self.path, self.format) as (made, image):
            undo.callback(made.remove)
            self.archive.copy_to(self.member, self.path, image.descriptors[0])
        with open_for_qemu_img(self.path, self.format):
            return file_source(self.path), made


def import_domain(
    connection: Connection,
    path: str,
    *,
    maps: HostMaps = NO_MAPS,
    folder: str | None = None,
    fresh: Collection[str] = (),
    accept_host: bool = False,
    start: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Created:
    """Let the domain that the file ``path`` has arrive here, with the same UUID, MAC addresses and every address.

    ``path`` is an archive of :func:`.export.export_domain`, or a document, as ``virsh dumpxml --inactive`` prints it.
    ``maps`` say what stands for what of the old host; images of the archive go where the document then has them, or
    into ``folder``. ``accept_host`` takes what else of this host the guest could reach by the document. What the domain
    had beside it begins anew where it is not in the archive, and is of a kind in ``fresh`` ("nvram", "tpm").

    Raises NO_FILE, UNREADABLE, ARCHIVE_ON_ITS_HOST, NOT_AN_ARCHIVE, DAMAGED_ARCHIVE, NOT_AN_EXPORT, UNASKED_IMPORT,
    REACHES_HOST, MAC_IN_USE, STATE_NOT_IN_ARCHIVE, STATE_IN_USE, and as :func:`.create.create_domain` does; then
    nothing is left of it. (virDomainDefineXMLFlags)
    """
    with ExitStack() as stack:
        arriving = _open(stack, connection, path)
        before = arriving.document
        name = before.findtext("name") or ""
        check_new_name(connection, name, dry_run, to_start=start)
        after = taken_over(connection, before, maps)
        disks = list(_plan_disks(connection, arriving, after, folder))
        refuse_other_hardware(before, after)
        if not accept_host:
            refuse_reaches(connection, after, maps, [str(disk.image) for disk in disks])
        refuse_macs(after, macs_here(connection))
        restore = _plan_state(connection, arriving, after, fresh, accept_host)
        notes = [*what_was_replaced(before, after), *not_startable(connection, after, start)]
        new = NewDomain(
            document=after,
            disks=disks,
            stated=frozenset(identifiers(before)),
            notes=notes,
            other_files=restore,
        )
        prove = partial(refuse_other_hardware, before)
        return make_domain(connection, new, start=start, dry_run=dry_run, progress=progress, prove=prove)


def _open(stack: ExitStack, connection: Connection, path: str) -> Arriving:
    """Raises ARCHIVE_ON_ITS_HOST, and NOT_AN_EXPORT for an archive of something else."""
    if path == "-" or not is_archive(path):
        return Arriving(document=_document(read_document(path)))
    if not connection.is_local:
        raise ARCHIVE_ON_ITS_HOST(uri=connection.uri)
    archive = stack.enter_context(ArchiveReader(path))
    try:
        manifest = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise NOT_AN_EXPORT(path=path, reason=f"its format is {manifest['format']!r}")
        if manifest["version"] != VERSION:
            raise NOT_AN_EXPORT(path=path, reason=f"this Holdfast does not know version {manifest['version']!r} of it")
        parts = tuple(_part(said) for said in manifest["parts"])
        text = archive.read(DOCUMENT).decode()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NOT_AN_EXPORT(path=path, reason=f"{MANIFEST} or {DOCUMENT} cannot be read ({error})") from error
    return Arriving(document=_document(text), parts=parts, archive=archive)


def _part(said: dict[str, object]) -> ExportedPart:
    texts = {name: str(said[name]) for name in ("member", "path", "target", "format")}
    return ExportedPart(**texts, kind=PartKind(str(said["kind"])), size=int(str(said["size"])))


def _document(text: str) -> Element:
    domain = parse(text, "domain")
    domain.attrib.pop("id", None)
    if not (domain.findtext("name") or "").strip():
        raise NO_NAME()
    return domain


def _plan_disks(
    connection: Connection, arriving: Arriving, domain: Element, folder: str | None
) -> Iterator[PlannedDisk]:
    """The images that come with it, each at its place here, which is put into ``domain``. Raises NOT_AN_EXPORT."""
    archive, disks = arriving.archive, {label(disk): disk for disk in domain.iterfind("devices/disk")}
    for part in arriving.parts:
        if part.kind is not PartKind.DISK or archive is None:
            continue
        disk = disks.get(part.target)
        if disk is None or stated_format(disk) != part.format:
            reason = f"its document has no disk {part.target} of the format {part.format}"
            raise NOT_AN_EXPORT(path=archive.path, reason=reason)
        path = host_path(disk) or ""
        if folder is not None:
            path = f"{folder.rstrip('/')}/{PurePosixPath(path).name}"
        record = disk_record(domain, disk)
        spec = DiskSpec(
            path=path,
            format=part.format,
            size=part.size,
            role=(record.role if record is not None else "") or None,
            delete_with_domain={"yes": True, "no": False}.get(record.delete) if record is not None else None,
        )
        name = domain.findtext("name") or ""
        plan_disk(connection, spec, name=name, target=part.target, bus=value_at(disk, "target@bus") or "virtio")
        set_source(disk, file_source(path))
        for below in disk.findall("backingStore"):
            disk.remove(below)
        yield PlannedDisk(disk, spec, ArchivedImage(archive, part.member, path, part.format))


def _plan_state(
    connection: Connection, arriving: Arriving, domain: Element, fresh: Collection[str], accept_host: bool
) -> Callable[[ExitStack], None] | None:
    """What brings NVRAM and TPM state of the archive to their places here; None where there is nothing to bring.

    Raises STATE_NOT_IN_ARCHIVE for what would begin anew unasked, STATE_IN_USE, and EXISTS for what is there: nobody
    knows whose it is. Of a document alone it is taken with ``accept_host``.
    """
    refuse_state_of_others(connection, domain)
    archive, kinds = arriving.archive, {part.kind for part in arriving.parts}
    brought: dict[str, dict[str, bytes]] = {}
    for file in state_of(connection, domain):
        if look(connection, file).there and not (archive is None and accept_host):
            raise EXISTS(path=file.path)
        if archive is None or file.kind in fresh:
            continue
        if PartKind(file.kind) not in kinds:
            raise STATE_NOT_IN_ARCHIVE(kind=file.kind, name=domain.findtext("name"), path=archive.path)
        begin = f"{file.kind}/"
        members = [name for name in archive.names() if name.startswith(begin)]
        brought[file.path] = {name.removeprefix(begin): archive.read(name) for name in members}

    def restore(undo: ExitStack) -> None:
        for path, content in brought.items():
            put_back(path, content)
            undo.callback(take_away, path, content)

    return restore if brought else None
