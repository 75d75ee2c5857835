"""Deleting a domain: the only place besides a completed move where a domain is undefined.

The images go first, the config document last: after a crash in between, the domain is still there to be deleted again,
and records that it is being deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache

from holdfast.domainxml import metadata
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import Creating, Deleting, RunAgain
from holdfast.domainxml.host.state_files import StateFile, StateKind
from holdfast.domainxml.make.rescue import nvram_copy
from holdfast.domainxml.metadata import fact
from holdfast.domainxml.records.disk_record import left_in_making
from holdfast.errors import HoldfastError, NotFound
from holdfast.errors.changes import NOT_WHOLLY_DELETED, RUNNING_BEFORE_DELETE
from holdfast.hostfiles.images.chain import remove_image_file
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.hostfiles.images.shared import is_shared_storage
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.disks.newest_image import refuse_forgotten_qemu, refuse_held_open
from holdfast.operations.disks.own_images import ImageFate, image_exists, images_to_delete, remove_image, unknown_below
from holdfast.operations.documents import Documents
from holdfast.operations.domain.adopt import now
from holdfast.operations.facts import rewrite
from holdfast.operations.own_state import all_state_of, look, state_of, users_of_state, why_not_its_own
from holdfast.operations.power.elsewhere import Whereabouts, whereabouts
from holdfast.operations.results import Result
from holdfast.operations.session import OpenDomain, changing


@dataclass(frozen=True, kw_only=True)
class Deletion(Result):
    """A deletion; ``notes`` say what of its state stays.

    ``state``         what libvirt kept for the domain, and removed with it, in words: "its NVRAM …", "its 2 snapshots"
    ``switched_off``  True where the guest ran, and was switched off for it
    ``images``        the images of its disks, each with the reason why it was kept, if it was, or that it was gone
    """

    state: tuple[str, ...]
    switched_off: bool
    images: tuple[ImageFate, ...]


def delete_domain(
    connection: Connection, name: str, *, storage: bool = False, force: bool = False, dry_run: bool = False
) -> Deletion:
    """Undefine a domain, with its NVRAM, TPM state, managed-save image and the metadata of its snapshots.

    NVRAM and TPM state that another domain has, too, stay, and so does a file that a document names as NVRAM and that
    may be somebody else's.

    ``storage`` also removes its images: files behind writable disks that no other domain uses, directly or as a backing
    file, and what its external snapshots left below them. CD images, other backing files, block devices and network
    disks stay, and images that are recorded to stay. Those recorded to go with the domain (``delete_with_domain``) are
    removed without ``storage`` too. ``force`` switches a running domain off first. What goes with the domain stays
    where another host has it by now, as the remote of the history says, and on shared storage where that cannot be
    asked.

    Raises RUNNING_BEFORE_DELETE without ``force``, QEMU_FORGOTTEN, IMAGE_OPEN; USES_NOT_SEEN where nobody can tell what
    other domains use, and without ``storage`` IMAGES_LEFT where an image that was being made when something broke would
    be left behind; then nothing was changed. Raises NOT_WHOLLY_DELETED when it stopped in the middle: repeating the
    call goes on.
    (virDomainSetMetadata, virDomainUndefineFlags, virStorageVolDelete, unlink)
    """
    with changing(connection, name, dry_run=dry_run) as domain:
        documents = domain.documents
        if documents.live is not None and not force:
            raise RUNNING_BEFORE_DELETE(name=domain.name)
        refuse_forgotten_qemu(domain)
        asked = cache(lambda: whereabouts(connection, [domain.uuid]))
        seen, unknown = images_to_delete(domain, documents.own(), storage)
        seen = {_unless_elsewhere(domain.uuid, image, asked): what for image, what in seen.items()}
        images = tuple(seen)
        for image in images if documents.live is None and connection.is_local else ():
            if image.kept is None and not image.gone:
                refuse_held_open(image.source)
        state = _OwnState(domain, documents, asked)
        words = (*state.words(), *_rest(domain))
        notes = (*state.notes, *unknown_below(connection, images), *unknown)
        if not dry_run:
            images = _delete(domain, seen, state)
        return Deletion(
            name=domain.name,
            uuid=domain.uuid,
            dry_run=dry_run,
            notes=notes,
            state=words,
            switched_off=documents.live is not None,
            images=images,
        )


class _OwnState:
    """The NVRAM and the TPM state of a domain that is deleted: what goes, and by whose hand, and what stays."""

    def __init__(self, domain: OpenDomain, documents: Documents, asked: Callable[[], Whereabouts]) -> None:
        connection = domain.connection
        files = {file.path: file for document in documents.own() for file in all_state_of(connection, document)}
        document = documents.config if documents.config is not None else documents.live
        whys = {} if document is None else dict(_whys_it_stays(connection, domain.uuid, document, files))
        shared = [path for path in files if path not in whys and is_shared_storage(path)]
        whys |= {path: why for path in shared if (why := asked().why_it_stays(domain.uuid, path))}
        self._going = [file for path, file in files.items() if path not in whys]
        looks = {file.path: look(connection, file).there for file in self._going}
        self._there = [file for file in self._going if looks[file.path]]
        self._to_tell = [file for file in self._going if looks[file.path] is not False]
        self._connection = connection
        self.kept = {files[path].kind for path in whys}
        notes = [f"the {files[path]} stays: {why}" for path, why in whys.items()]
        # libvirt removes what belongs to a config document: of a transient domain, no NVRAM (9.0).
        is_libvirts = documents.config is not None and StateKind.NVRAM not in self.kept
        config = state_of(connection, documents.config) if is_libvirts and documents.config is not None else []
        left = [each for each in self._going if each.kind is StateKind.NVRAM and each not in config]
        copies = [nvram_copy(file.path) for file in self._going if file.kind is StateKind.NVRAM]  # left by a rescue
        to_remove = [*(file.path for file in left), *copies] if connection.is_local else []
        self.to_remove = [path for path in to_remove if file_exists(path) is not None]
        notes += [f"whether {path} is left cannot be seen from here" for path in to_remove if file_exists(path) is None]
        self.notes = tuple(notes)

    def gone(self) -> Iterator[str]:
        """What of it was there and is not any more, in sentences."""
        for file in self._there:
            if look(self._connection, file).there is False:
                yield f"its {file} was removed"

    def words(self) -> Iterator[str]:
        """What goes, in words, and what may."""
        for file in self._to_tell:
            yield f"its {file}" if file.kind is StateKind.NVRAM else "its TPM state"


def _unless_elsewhere(uuid: str, image: ImageFate, asked: Callable[[], Whereabouts]) -> ImageFate:
    """``image``, which stays where another host has the domain, or may have it."""
    if image.kept is not None or image.gone or not (why := asked().why_it_stays(uuid, image.source)):
        return image
    return replace(image, kept=why)


def _whys_it_stays(
    connection: Connection, uuid: str, document: Element, files: Mapping[str, StateFile]
) -> Iterator[tuple[str, str]]:
    """Path, and why it stays, of each file of a domain's state that others have, or that may not be its own."""
    users = users_of_state(connection, uuid, files.values())
    for path, file in files.items():
        if path in users:
            yield path, f"the domain {users[path]!r} has it, too"
        elif look(connection, file).there is not False and (reason := why_not_its_own(connection, document, file)):
            yield path, reason


def take_back_creation(connection: Connection, uuid: str, interrupted: bool) -> None:
    """Undefine a domain whose creation failed, if it is there and unfinished; its images are gone already.

    ``interrupted``: an image may have been made all the same. Then the domain stays, since only its record names the
    image. (virDomainUndefineFlags)
    """
    try:
        domain = connection.find_domain(uuid)
    except NotFound:
        return
    document = parse(domain.xml(Definition.CONFIG))
    is_left = interrupted and any(image_exists(connection, record) for record in left_in_making(document))
    if fact(document, Creating) is not None and not is_left:
        domain.undefine(keep_nvram=True)  # it was never started: what it names was there before


def _delete(domain: OpenDomain, images: Mapping[ImageFate, str], state: _OwnState) -> tuple[ImageFate, ...]:
    """Delete it; returns what has become of the ``images``."""
    done: list[str] = []
    fates: list[ImageFate] = []
    persistent = domain.is_persistent()
    config = domain.documents.config
    takes_steps = config is not None and (domain.is_active() or any(image.kept is None for image in images))
    if takes_steps:
        rewrite(domain, _begun, Definition.CONFIG)
    try:
        if domain.is_active():
            domain.destroy()
            done.append("it was switched off")
        for path in state.to_remove:
            with suppress(NotFound):
                remove_image_file(path)
        for image, seen in images.items():
            is_removed = image.kept is None and remove_image(domain.connection, image.source, seen)
            fates.append(replace(image, gone=image.kept is None and not is_removed))
            if is_removed:
                done.append(f"{image.source} was removed")
        if persistent:
            domain.undefine(keep_nvram=StateKind.NVRAM in state.kept, keep_tpm=StateKind.TPM in state.kept)
            domain.config_change.is_gone = True
    except HoldfastError as error:
        # libvirt (9.0) removes what belongs to a domain before the file of its document, and stops where it cannot.
        if not (done := [*done, *state.gone()]):
            if takes_steps and config is not None:
                rewrite(domain, lambda _: metadata.ours_in(config), Definition.CONFIG)
            raise
        raise NOT_WHOLLY_DELETED(name=domain.name, done=done, cause=error) from error
    return tuple(fates)


def _begun(ours: str | None) -> str:
    """What records that the deletion begins, and that the domain is not to run again."""
    return metadata.with_fact(metadata.without_facts(ours, RunAgain, lambda _: True), Deleting(now()))


def _rest(domain: OpenDomain) -> Iterator[str]:
    """What libvirt keeps for the domain besides, in words."""
    if domain.has_managed_save():
        yield "its managed-save image"
    if snapshots := domain.snapshot_count():
        yield f"its {snapshots} snapshot{'s' if snapshots > 1 else ''}"
