"""What a domain has beside its documents, NVRAM and TPM state: whether it is still there, and whose it is.

A start makes anew what is gone, without a word (libvirt 9.0): Secure Boot keys, boot entries and all that the guest
has sealed with its TPM are lost then. So what was there at a recorded start, and is not any more, stops the next one.
What was never recorded, or cannot be looked at, stops nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.elements.firmware import Flash, flash_of, nvram_of
from holdfast.domainxml.fact import SeenState
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.host.state_files import (
    StateFile,
    StateFolders,
    StateKind,
    kept_nvram,
    state_files,
    upgraded_prefix,
)
from holdfast.domainxml.metadata import facts
from holdfast.errors import NotFound, Refused
from holdfast.errors.firmware import NVRAM_UNFIT, STATE_GONE, STATE_IN_USE
from holdfast.hostfiles.firmware.flash import loader_build, nvram_build
from holdfast.hostfiles.images.image import file_identity, real_path
from holdfast.hostfiles.state_file import UNKNOWN, Look, is_another, is_of_this_host, look_at, names_in, why_shared
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.libvirtapi.domain_list import inventory
from holdfast.operations.history_place import newest_copies

if TYPE_CHECKING:
    from holdfast.hostfiles.state_copies.state_copy import StateCopy


def state_of(connection: Connection, document: Element) -> list[StateFile]:
    """The state of the domain with this document, there or yet to be made."""
    return state_files(document, folders_of(connection))


def all_state_of(connection: Connection, document: Element) -> list[StateFile]:
    """As :func:`state_of`, with the NVRAM of before an upgrade, which is kept."""
    return [*state_of(connection, document), *kept_nvram(document)]


def folders_of(connection: Connection) -> StateFolders | None:
    """Where the libvirt of ``connection`` keeps the state that it names itself; None where nobody can tell."""
    return None if connection.state_folders is None else StateFolders(*connection.state_folders)


def look(connection: Connection, file: StateFile, before: SeenState | None = None) -> Look:
    """Look at a file of the host of ``connection``; of another machine's nothing is known.

    A libvirt behind a socket of its own may be in a container, with other files than we see: what it has and we do not
    see is unknown, unless it was seen ``before`` from here.
    """
    if not connection.is_local:
        return UNKNOWN
    now = look_at(file.path)
    was_here = before is not None and is_of_this_host(before.born)
    return UNKNOWN if now.there is False and not (connection.is_usual or was_here) else now


def state_to_record(connection: Connection, running: Element, config: Element) -> list[SeenState]:
    """What is to be recorded right after a start: what is seen, and for what cannot be seen, the earlier record."""
    before = {seen.kind: seen for seen in facts(config, SeenState)}
    found = []
    for file in state_of(connection, running):
        now = look(connection, file, before.get(file.kind))
        if now.there:
            found.append(SeenState(file.kind, file.path, now.born))
        elif now.there is None and file.kind in before:
            found.append(before[file.kind])
    return found


def lost_state(connection: Connection, config: Element) -> list[StateFile]:
    """What the domain had at its last recorded start, and has no more: known to be gone, and not just out of sight."""
    recorded = {seen.kind: seen for seen in facts(config, SeenState)}
    files = [file for file in state_of(connection, config) if file.kind in recorded]
    return [file for file in files if look(connection, file, recorded[file.kind]).there is False]


def refuse_lost_state(connection: Connection, name: str, config: Element, fresh: Collection[str] = ()) -> None:
    """Raise STATE_GONE where the next start would make anew what is lost, unless it is of a kind in ``fresh``."""
    lost = [file for file in lost_state(connection, config) if file.kind not in fresh]
    if lost:
        raise state_gone(name, lost, newest_copies(connection, config.findtext("uuid") or ""))


def state_gone(name: str, lost: Sequence[StateFile], copies: Mapping[str, StateCopy]) -> Refused:
    """STATE_GONE for the state that is ``lost``, which says how old the ``copies`` of it are, by its kind."""
    told = {kind: f" (there is a copy {copy.told})" for kind, copy in copies.items()}
    said = [f"its {file}{told.get(file.kind, '')}" for file in lost]
    return STATE_GONE(name=name, lost=said, kinds=[file.kind for file in lost])


def state_outlook(
    connection: Connection, config: Element, *, live: Element | None = None, fresh: Collection[str] = ()
) -> Iterator[Outlook]:
    """What there is to know of the state of a domain before its next start; ``live`` where it runs now."""
    recorded = {seen.kind: seen for seen in facts(config, SeenState)}
    in_use = [] if live is None else state_of(connection, live)
    for file in state_of(connection, config):
        before = recorded.get(file.kind)
        now = look(connection, file, before)
        is_elsewhere = now.there is False and before is None and file in in_use
        if now.there is None or is_elsewhere:
            yield _outlook(Effect.UNKNOWN, file, f"whether its {file} is there cannot be seen from here")
        elif now.there is False and before is None:
            yield _outlook(Effect.NOTE, file, f"its {file} is yet to be made: a start does that")
        elif now.there is False and file.kind in fresh:
            yield _outlook(Effect.CHANGES, file, f"its {file} is gone, and is made anew")
        elif now.there is False:
            yield _outlook(Effect.BLOCKS, file, f"its {file} is gone")
        elif file.kind is StateKind.NVRAM and (misfit := why_unfit(connection, flash_of(config), file)):
            yield Outlook(Effect.BLOCKS, "firmware", misfit)
        elif before is not None and before.path == file.path and is_another(before.born, now.born):
            yield _outlook(Effect.CHANGES if live is None else Effect.NOTE, file, f"its {file} {ANOTHER}")


def why_unfit(connection: Connection, flash: Flash | None, nvram: StateFile) -> str | None:
    """Why ``nvram`` does not fit the firmware ``flash``, in words; None where it does, or nobody knows.

    Such a guest starts all the same, and its firmware finds no variables (OVMF's builds have them at other places).
    """
    if flash is None or not connection.is_local:
        return None
    code, variables = loader_build(flash.loader), nvram_build(nvram.path)
    if code is None or variables is None or code == variables:
        return None
    return f"its {nvram} belongs to a {variables} firmware, but {flash.loader} is a {code} build"


def unfit_nvram(connection: Connection, config: Element) -> str | None:
    """As :func:`why_unfit`, of the NVRAM that the domain with this document has."""
    nvram = (file for file in state_of(connection, config) if file.kind is StateKind.NVRAM)
    return next((why for file in nvram if (why := why_unfit(connection, flash_of(config), file))), None)


def refuse_unfit_nvram(connection: Connection, name: str, config: Element) -> None:
    """Raise NVRAM_UNFIT where the firmware of the domain with this document would not find its variables."""
    if why := unfit_nvram(connection, config):
        raise NVRAM_UNFIT(name=name, why=why)


ANOTHER = "is not the file of its last recorded start: it was made anew, or somebody put it there"
"""What is said about a file that was replaced by another."""


def refuse_state_of_others(connection: Connection, document: Element) -> None:
    """Raise STATE_IN_USE where a file of the state of ``document`` is that of another domain, too."""
    files = state_of(connection, document)
    users = users_of_state(connection, document.findtext("uuid") or "", files)
    for file in files:
        if file.path in users:
            raise STATE_IN_USE(file=file, user=users[file.path])


def why_not_its_own(connection: Connection, config: Element, file: StateFile) -> str | None:
    """Why an NVRAM that the domain with this document names may be somebody else's, in words; None where it is its own.

    Its own is what was there at a recorded start, is named after its UUID, or is in libvirt's own folder; and
    only a file with no other name.
    """
    if file.kind is not StateKind.NVRAM:
        return None
    if connection.is_local and (reason := why_shared(file.path)) is not None:
        return reason
    if file.path in (seen.path for seen in facts(config, SeenState)):
        return None
    folder, _, name = file.path.rpartition("/")
    folders = folders_of(connection)
    is_libvirts = folders is not None and _real(connection, folder) == _real(connection, folders.nvram)
    if is_libvirts or name.startswith(config.findtext("uuid") or "/"):
        return None
    return "it is not in libvirt's folder, and no record says whose it is"


def left_upgraded(config: Element) -> list[str]:
    """The files that upgrades of the NVRAM of this domain have made, on this host, and that it does not have."""
    path, uuid = nvram_of(config), config.findtext("uuid") or ""
    if path is None or not uuid:
        return []
    folder = path.rpartition("/")[0]
    used = {path, *(file.path for file in kept_nvram(config))}
    names = [name for name in names_in(folder) if name.startswith(upgraded_prefix(uuid))]
    return [place for name in names if (place := f"{folder}/{name}") not in used]


def users_of_state(connection: Connection, uuid: str, files: Iterable[StateFile]) -> dict[str, str]:
    """Path → name of another domain than ``uuid`` that has it as state, in either document.

    (virConnectListAllDomains, virDomainGetXMLDesc)
    """
    wanted = {_identity(connection, file.path): file.path for file in files}
    users: dict[str, str] = {}
    for each in inventory(connection) if wanted else ():
        if each.domain.uuid == uuid:
            continue
        which = [Definition.LIVE] * each.active + [Definition.CONFIG] * each.persistent
        try:
            documents = [parse(each.domain.xml(definition)) for definition in which]
        except NotFound:
            continue
        for file in (file for document in documents for file in all_state_of(connection, document)):
            path = wanted.get(_identity(connection, file.path))
            if path is not None:
                users[path] = each.domain.name
    return users


def _real(connection: Connection, path: str) -> str:
    return real_path(path) if connection.is_local else path


def _identity(connection: Connection, path: str) -> str:
    return file_identity(path) if connection.is_local else path


def _outlook(effect: Effect, file: StateFile, sentence: str) -> Outlook:
    return Outlook(effect, str(file.kind), sentence)
