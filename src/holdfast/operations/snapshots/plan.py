"""What a snapshot would be made of, or why it cannot be made: looked at before anything is done.

What this libvirt cannot do is said in one sentence that names the version that can.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePath

from holdfast.domainxml.document import Element
from holdfast.domainxml.host.image_files import has_tpm_state, nvram_path
from holdfast.domainxml.snapshots.stored import CandidateDisk, candidate_disks
from holdfast.errors import Failed, NotFound, UsageError
from holdfast.hostfiles.new_image import check_file_name
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import Documents

_LONGEST = 255 - len(".xml.new")
"""Bytes: libvirt writes NAME.xml.new beside its other files, after the images are done (9.0)."""

_EXTERNAL_REVERT = (9, 9, 0)
_INTERNAL_UEFI_OFF = (9, 3, 0)
_INTERNAL_UEFI = (10, 10, 0)
"""libvirt's own NEWS: the first versions that revert to external snapshots, make internal ones of domains with UEFI
firmware while they are shut off, and also while they run if their NVRAM is qcow2."""


@dataclass(frozen=True)
class SnapshotDisk:
    """A disk in a snapshot: its target, its image, and the file that is written since; None for an internal one."""

    target: str
    image: str
    overlay: str | None


@dataclass(frozen=True)
class LeftOut:
    """A disk that is not part of a snapshot, and why."""

    target: str
    why: str


@dataclass(frozen=True)
class SnapshotPlan:
    """What a snapshot is made of; ``notes`` are sentences on what is not."""

    memory: bool
    memory_file: str | None
    disks: tuple[SnapshotDisk, ...]
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]

    @property
    def files(self) -> list[str]:
        """The files that would be made."""
        return [disk.overlay for disk in self.disks if disk.overlay] + ([self.memory_file] if self.memory_file else [])


def check_snapshot_name(name: str) -> None:
    """Raise UsageError for a name that libvirt, QEMU or a shell would take for something else."""
    if not name or not name.isprintable() or "/" in name or name[0] in ".-" or name != name.strip():
        raise UsageError(
            f"{name!r} cannot be the name of a snapshot",
            "it is printable, without '/', and begins with neither '.' nor '-' nor a space",
        )
    if name.isdecimal():
        raise UsageError(
            f"a snapshot cannot be called {name}: QEMU would take that for the number of another snapshot",
            f"put a word before it: snapshot-{name}",
        )
    if len(name.encode()) > _LONGEST:
        raise UsageError(f"the name {name[:20]}… is too long: at most {_LONGEST} bytes")


def why_no_external_revert(connection: Connection) -> str | None:
    """The sentence that says so where this libvirt cannot revert to external snapshots; None where it can."""
    version = connection.libvirt_version()
    if version >= _EXTERNAL_REVERT:
        return None
    return (
        f"libvirt {_dotted(version)} cannot revert to an external snapshot, {_dotted(_EXTERNAL_REVERT)} and later can"
    )


def plan_snapshot(
    connection: Connection,
    name: str,
    documents: Documents,
    state: str,
    snapshot: str,
    *,
    external: bool,
    memory: bool,
    without: Collection[str],
    folder: str | None,
    quiesce: bool,
) -> SnapshotPlan:
    """What the snapshot ``snapshot`` of the domain ``name``, which is in ``state``, is made of.

    Raises UsageError, NotFound and Failed where it cannot be made.
    """
    document = documents.live if documents.live is not None else documents.config
    assert document is not None  # read() raises NotFound when there is neither
    with_memory = memory and documents.live is not None
    if quiesce and not (external and documents.live is not None and not memory):
        raise UsageError("--quiesce is for the disks of a running guest", "it goes with --external --no-memory")
    members = candidate_disks(document, external=external)
    _check_without(name, members, without, external)
    if external:
        if with_memory and state != "running":
            raise Failed(
                f"the domain {name!r} is {state}: once its memory is written, QEMU keeps its disks closed until it "
                "runs, and this snapshot could not be deleted",
                f"'holdfast resume {name}' first, or --no-memory",
            )
    else:
        _check_internal(connection, name, document, documents.live is not None, with_memory)
    taken = [each for each in members if not each.left_out and each.target not in without]
    _check_members(name, taken, external)
    disks = [
        SnapshotDisk(
            each.target,
            each.source,
            _beside(each, folder, f"{name}-{each.target}.{snapshot}.qcow2") if external else None,
        )
        for each in taken
    ]
    return SnapshotPlan(
        memory=with_memory,
        memory_file=_beside(taken[0], folder, f"{name}-memory.{snapshot}.save") if external and with_memory else None,
        disks=tuple(disks),
        left_out=tuple(LeftOut(each.target, each.left_out or "as asked for") for each in members if each not in taken),
        notes=tuple(_notes(connection, document, external, documents.live is not None and not with_memory)),
    )


def _check_without(name: str, members: list[CandidateDisk], without: Collection[str], external: bool) -> None:
    if without and not external:
        raise UsageError(
            "an internal snapshot has every disk that can be written in it", "--without goes with --external"
        )
    for target in without:
        if target not in [each.target for each in members]:
            targets = ", ".join(each.target for each in members)
            raise NotFound(f"the domain {name!r} has no disk {target!r}", f"it has {targets}" if targets else None)


def _check_internal(connection: Connection, name: str, document: Element, runs: bool, memory: bool) -> None:
    if runs and not memory:
        raise Failed(
            f"the domain {name!r} runs: the disks alone of a running guest can be taken only externally",
            "--external --no-memory, or leave out --no-memory",
        )
    version = connection.libvirt_version()
    loader = document.find("os/loader[@type='pflash']")
    if loader is not None and version < (_INTERNAL_UEFI if runs else _INTERNAL_UEFI_OFF):
        raise Failed(
            f"libvirt {_dotted(version)} makes no internal snapshot of a domain with UEFI firmware; "
            f"{_dotted(_INTERNAL_UEFI_OFF)} and later do while it is shut off, "
            f"{_dotted(_INTERNAL_UEFI)} and later also while it runs if its NVRAM is qcow2",
            "--external takes it",
        )


def _check_members(name: str, taken: list[CandidateDisk], external: bool) -> None:
    impossible = [f"disk {each.target}: {each.impossible}" for each in taken if each.impossible]
    if impossible:
        ways = [f"--without {each.target}" for each in taken if each.impossible]
        raise Failed(
            f"the domain {name!r} has disks that cannot be part of this snapshot: {'; '.join(impossible)}",
            f"leave them out with {' '.join(ways)}" if external else "--external takes other formats too",
        )
    if not taken:
        raise Failed(f"no disk of {name!r} would be part of this snapshot: there is nothing to take")


def _beside(disk: CandidateDisk, folder: str | None, file: str) -> str:
    """The path of a new file: in ``folder``, else where the image of ``disk`` is."""
    check_file_name(file)
    if folder is None and disk.is_device:
        raise UsageError(f"{disk.source} is a device: no file can be made beside it", "say where with --folder")
    if folder is not None and not folder.startswith("/"):
        raise UsageError(f"{folder!r} is no absolute path", "paths are names on libvirt's host")
    return str(PurePath(folder or PurePath(disk.source).parent, file))


def _notes(connection: Connection, document: Element, external: bool, without_memory: bool) -> list[str]:
    """What a snapshot does not have in it, and what cannot be done with it."""
    notes = []
    nvram = nvram_path(document)
    inside = not external and document.find("os/nvram[@format='qcow2']") is not None
    if (nvram or document.find("os[@firmware='efi']") is not None) and not inside:
        notes.append(f"the UEFI variables{f' ({nvram})' if nvram else ''} are not part of it")
    if has_tpm_state(document):
        notes.append("the TPM's state is not part of it")
    if without_memory:
        notes.append("the memory of the running guest is not part of it: its disks are as after a power cut")
    sentence = why_no_external_revert(connection) if external else None
    return notes if sentence is None else [*notes, sentence]


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
