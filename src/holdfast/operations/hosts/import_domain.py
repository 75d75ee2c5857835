"""Importing a domain: what another host exported, or a document of one, arrives here with the hardware it had.

The document is replayed, never made anew: what it names of its old host is replaced as far as somebody says by what,
and the guest's side is proved to stay. The archive is somebody's input: what of the host a guest could reach by it is
taken only when that is asked for.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection
from contextlib import ExitStack
from functools import partial

from holdfast.domainxml.document import Element, parse, value_at
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.make.identifiers import identifiers
from holdfast.domainxml.make.rebind import NO_MAPS, HostMaps, unused_maps
from holdfast.errors.creation import NO_NAME
from holdfast.errors.files import EXISTS
from holdfast.errors.hosts import (
    ARCHIVE_ON_ITS_HOST,
    NOT_AN_EXPORT,
    STATE_NOT_IN_ARCHIVE,
    UNASKED_IMPORT,
)
from holdfast.hostfiles.archives.archive import ArchiveReader
from holdfast.hostfiles.archives.archive_format import is_archive
from holdfast.hostfiles.document_file import read_document
from holdfast.hostfiles.state_copies.own_files import put_back, take_away
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.volume import Progress
from holdfast.operations.domain.create import check_new_name, not_startable
from holdfast.operations.domain.make import Created, NewDomain, make_domain
from holdfast.operations.hosts.archived_disks import Arriving, plan_archived_disks
from holdfast.operations.hosts.archived_history import HISTORY, join_history
from holdfast.operations.hosts.export import DOCUMENT, FORMAT, MANIFEST, VERSION, ExportedPart, PartKind
from holdfast.operations.hosts.new_identity import call_otherwise
from holdfast.operations.hosts.other_host import (
    macs_here,
    refuse_macs,
    refuse_other_hardware,
    taken_over,
    what_it_reaches,
    what_was_replaced,
)
from holdfast.operations.own_state import look, refuse_state_of_others, state_of

_LONGEST = 16 << 20
"""Bytes of a document: what libvirt's protocol takes as one (REMOTE_STRING_MAX is 4 MiB)."""


def import_domain(
    connection: Connection,
    path: str,
    *,
    maps: HostMaps = NO_MAPS,
    folder: str | None = None,
    fresh: Collection[str] = (),
    accept_host: bool = False,
    new_name: str | None = None,
    new_uuid: bool = False,
    start: bool = False,
    progress: Progress | None = None,
    dry_run: bool = False,
) -> Created:
    """Let the domain that the file ``path`` has arrive here, with the same UUID, MAC addresses and every address.

    With ``new_name`` it is called otherwise here; with ``new_uuid`` libvirt has it under another UUID, while its guest
    goes on seeing the one that it knows.

    ``path`` is an archive of :func:`.export.export_domain`, or a document, as ``virsh dumpxml --inactive`` prints it.
    ``maps`` say what stands for what of the old host; images of the archive go where the document then has them, or
    into ``folder``. ``accept_host`` takes what else of this host the guest could reach by the document. What the domain
    had beside it begins anew where it is not in the archive, and is of a kind in ``fresh`` ("nvram", "tpm").

    Raises NO_FILE, UNREADABLE, ARCHIVE_ON_ITS_HOST, NO_HWUUID, NOT_AN_ARCHIVE, DAMAGED_ARCHIVE, NOT_AN_EXPORT,
    UNASKED_IMPORT, REACHES_HOST, MAC_IN_USE, STATE_NOT_IN_ARCHIVE, STATE_IN_USE, and as :func:`.create.create_domain`
    does; then nothing is left of it. (virDomainDefineXMLFlags)
    """
    with ExitStack() as stack:
        arriving = _open(stack, connection, path)
        before = arriving.document
        after = taken_over(connection, before, maps)
        call_otherwise(connection, after, new_name, new_uuid=new_uuid, bringing_nvram=arriving.brings(PartKind.NVRAM))
        name = after.findtext("name") or ""
        check_new_name(connection, name, dry_run, to_start=start)
        disks = list(plan_archived_disks(connection, arriving, after, folder))
        refuse_other_hardware(before, after)
        images = [source_of(disk.element) or "" for disk in disks]
        reached = what_it_reaches(connection, after, maps, images, accept=accept_host)
        refuse_macs(after, macs_here(connection))
        restore = _plan_state(connection, arriving, after, fresh, accept_host)
        notes = [*unused_maps(before, maps), *what_was_replaced(before, after), *reached]
        notes += not_startable(connection, after, start)
        new = NewDomain(
            document=after,
            disks=disks,
            stated=frozenset(identifiers(before)),
            notes=notes,
            other_files=restore,
            history=partial(_join_history, connection, arriving),
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
        manifest = json.loads(archive.read(MANIFEST, most=_LONGEST))
        if manifest["format"] != FORMAT:
            raise NOT_AN_EXPORT(path=path, reason=f"its format is {manifest['format']!r}")
        if manifest["version"] != VERSION:
            raise NOT_AN_EXPORT(path=path, reason=f"this Holdfast does not know version {manifest['version']!r} of it")
        parts = tuple(_part(said) for said in manifest["parts"])
        text = archive.read(DOCUMENT, most=_LONGEST).decode()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise NOT_AN_EXPORT(path=path, reason=f"{MANIFEST} or {DOCUMENT} cannot be read ({error})") from error
    history = archive.read(HISTORY) if any(part.kind is PartKind.HISTORY for part in parts) else None
    return Arriving(document=_document(text), parts=parts, archive=archive, history=history)


def _part(said: dict[str, object]) -> ExportedPart:
    texts = {name: str(said[name]) for name in ("member", "path", "target", "format")}
    size = int(str(said["size"]))
    if size < 0:
        raise ValueError(f"a size of {size}")
    return ExportedPart(**texts, kind=PartKind(str(said["kind"])), size=size)


def _join_history(connection: Connection, arriving: Arriving) -> None:
    if arriving.history is not None:
        join_history(connection, value_at(arriving.document, "uuid") or "", arriving.history)


def _document(text: str) -> Element:
    domain = parse(text, "domain")
    domain.attrib.pop("id", None)
    if not (domain.findtext("name") or "").strip():
        raise NO_NAME()
    if not (domain.findtext("uuid") or "").strip():
        changes = ["a UUID that libvirt chooses, for its document has none"]
        raise UNASKED_IMPORT(name=domain.findtext("name"), changes=changes)
    return domain


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
