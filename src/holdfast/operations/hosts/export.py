"""Exporting a domain: its document and all that it has beside it, in one archive that other tools can read, too."""

from __future__ import annotations

import json
import platform
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import host_path, is_shared, pool_and_volume, source_of
from holdfast.domainxml.host.state_files import StateFile
from holdfast.domainxml.versions import dotted
from holdfast.errors.hosts import ARCHIVE_ON_ITS_HOST, STATE_UNSEEN
from holdfast.hostfiles.archives.archive import ArchiveWriter, new_archive
from holdfast.hostfiles.images.new_image import refuse_existing
from holdfast.hostfiles.state_copies.own_files import read_state
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.disks.in_place import find_disk, refuse_without_image
from holdfast.operations.disks.missing_image import refuse_missing_images
from holdfast.operations.host.capabilities import host_versions
from holdfast.operations.hosts.archived_history import HISTORY, history_to_export
from holdfast.operations.hosts.exported_image import ExportedImage, image_to_export
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.own_state import look, refuse_lost_state, state_of
from holdfast.operations.results import Result
from holdfast.operations.session import Need, OpenDomain, changing

DOCUMENT = "domain.xml"
MANIFEST = "manifest.json"
FORMAT = "holdfast-export"
VERSION = 1


class PartKind(StrEnum):
    """What a member of the archive is."""

    DOCUMENT = "document"
    HISTORY = "history"
    NVRAM = "nvram"
    TPM = "tpm"
    DISK = "disk"


@dataclass(frozen=True, kw_only=True)
class ExportedPart:
    """One member of the archive.

    ``member``  its name in there; of NVRAM and TPM state, which can be several, the folder
    ``kind``    what it is
    ``path``    where it came from on the host; "" for the document
    ``target``, ``format``, ``size``  of a disk: its target, the format of its image, and the bytes that the guest has
    """

    member: str
    kind: PartKind
    path: str = ""
    target: str = ""
    format: str = ""
    size: int = 0


@dataclass(frozen=True, kw_only=True)
class Exported(Result):
    """What was exported.

    ``archive``   the path of the archive
    ``parts``     what is in it
    ``left_out``  the disks whose images are not in it, each with its place: "vdb: /srv/data.raw"
    """

    archive: str
    parts: tuple[ExportedPart, ...]
    left_out: tuple[str, ...] = ()


def export_domain(
    connection: Connection,
    name: str,
    archive: str,
    *,
    disks: Collection[str] = (),
    all_disks: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Exported:
    """Write the domain ``name``, which must be shut off, into the new file ``archive``, for its owner alone.

    It has the config document with all secrets, its history, the NVRAM and the TPM state, and the images of ``disks``,
    by target, or of ``all_disks`` that are the domain's own; what an image rests on becomes part of it, and an image
    that this user cannot open is read through its storage pool. The domain stays as it is. ``progress`` is called with
    how many bytes of how many of an image are written.

    Raises TRANSIENT, RUNNING, IN_RESCUE, UNFINISHED, MANAGED_SAVE, READ_ONLY, ARCHIVE_ON_ITS_HOST, STATE_GONE,
    STATE_UNSEEN, NO_DISK, IMAGE_MISSING, NOT_ITS_OWN and other reasons why an image cannot be copied,
    UNREADABLE_BY_THIS_USER, EXISTS, NO_FOLDER, NO_PERMISSION, CANNOT_CREATE. (virDomainGetXMLDesc)
    """
    needs = Need.CONFIG | Need.OWN_HARDWARE | Need.WHOLE | Need.OFF
    if not connection.is_local:
        raise ARCHIVE_ON_ITS_HOST(uri=connection.uri)
    refuse_existing(archive)
    with changing(connection, name, needs=needs, dry_run=dry_run) as domain:
        refuse_with_managed_save(domain, "that memory would be left behind")
        document = domain.documents.config
        assert document is not None  # Need.CONFIG
        refuse_lost_state(connection, domain.name, document)
        chosen = _chosen(domain, document, disks, all_disks)
        history, notes = history_to_export(connection, domain.uuid)
        state = list(_state(domain, document))
        parts = (
            ExportedPart(member=DOCUMENT, kind=PartKind.DOCUMENT),
            *([ExportedPart(member=HISTORY, kind=PartKind.HISTORY)] if history is not None else []),
            *state,
            *map(_part_of_disk, chosen),
        )
        if not dry_run:
            with new_archive(archive, progress) as writer:
                _write(writer, domain, parts, history)
        return Exported(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            archive=archive,
            parts=parts,
            left_out=tuple(_left_out(document, chosen)),
            notes=(*_notes(domain), *notes),
        )


def _chosen(domain: OpenDomain, document: Element, disks: Collection[str], all_disks: bool) -> list[ExportedImage]:
    """The disks whose images are to be exported: each is this domain's alone, and there."""
    own = (disk for disk in document.iterfind("devices/disk") if disk.get("device", "disk") == "disk")
    every = [label(disk) for disk in own if not is_shared(disk) and _is_of_this_host(disk)] if all_disks else []
    chosen = [find_disk(domain, name) for name in dict.fromkeys([*disks, *every])]
    for disk in chosen:
        refuse_without_image(disk)
    refuse_missing_images(domain, [disk.current for disk in chosen])
    return [image_to_export(disk) for disk in chosen]


def _state(domain: OpenDomain, document: Element) -> Iterator[ExportedPart]:
    """Its NVRAM and TPM state, as far as there is any. Raises STATE_UNSEEN where nobody can tell from here."""
    for file in state_of(domain.connection, document):
        is_there = look(domain.connection, file).there
        if is_there is None:
            raise STATE_UNSEEN(name=domain.name, state=file)
        if is_there:
            yield _part_of(file)


def _is_of_this_host(disk: Element) -> bool:
    return host_path(disk) is not None or pool_and_volume(disk) is not None


def _part_of(file: StateFile) -> ExportedPart:
    kind = PartKind(file.kind)
    return ExportedPart(member=kind, kind=kind, path=file.path)


def _part_of_disk(image: ExportedImage) -> ExportedPart:
    disk = image.disk
    return ExportedPart(
        member=f"disks/{disk.target}.{image.format}",
        kind=PartKind.DISK,
        path=disk.image or "",
        target=disk.target,
        format=image.format,
        size=image.size(),
    )


def _left_out(document: Element, chosen: Collection[ExportedImage]) -> Iterator[str]:
    targets = {image.disk.target for image in chosen}
    for disk in document.iterfind("devices/disk"):
        if label(disk) not in targets and (place := source_of(disk)):
            yield f"{label(disk)}: {place}"


def _notes(domain: OpenDomain) -> Iterator[str]:
    if count := domain.snapshot_count():
        yield f"its {count} snapshots are not exported; an image of one is exported as it is today"


def _write(writer: ArchiveWriter, domain: OpenDomain, parts: Collection[ExportedPart], history: bytes | None) -> None:
    writer.add_bytes(MANIFEST, json.dumps(_manifest(domain, parts), indent=2).encode())
    writer.add_bytes(DOCUMENT, domain.xml(Definition.CONFIG, secure=True).encode())
    if history is not None:
        writer.add_bytes(HISTORY, history)
    for part in parts:
        if part.kind is PartKind.DISK:
            image_to_export(find_disk(domain, part.target)).add_to(writer, part.member)
        elif part.kind in (PartKind.NVRAM, PartKind.TPM):
            for name, content in (read_state(part.path) or {}).items():
                writer.add_bytes(f"{part.member}/{name}", content)


def _manifest(domain: OpenDomain, parts: Collection[ExportedPart]) -> dict[str, object]:
    versions = host_versions(domain.connection)
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": domain.name,
        "uuid": domain.uuid,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "libvirt": dotted(versions.libvirt),
        "qemu": dotted(versions.qemu),
        "parts": [asdict(part) for part in parts],
    }
