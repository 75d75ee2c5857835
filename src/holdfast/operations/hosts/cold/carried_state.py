"""The NVRAM and TPM state that go with a domain that is shut off from host to host; libvirt carries their files."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from holdfast.domainxml.document import Element
from holdfast.domainxml.fact import SeenState
from holdfast.domainxml.host.state_files import StateFile, StateKind
from holdfast.domainxml.metadata import facts
from holdfast.errors.files import EXISTS
from holdfast.errors.hosts import STATE_STAYS
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.hosts.cold.carried import read_files, write_files
from holdfast.operations.own_state import refuse_state_of_others, state_gone, state_of


@dataclass(frozen=True)
class CarriedState:
    """One of them: what it is there, and its files by their names there."""

    there: StateFile
    files: dict[str, bytes] = field(repr=False)

    def make(self, target: Connection) -> None:
        """Make its files. Raises VOLUME_EXISTS, NOT_AS_COPIED, and what libvirt refuses."""
        is_folder = self.there.kind is StateKind.TPM
        folder = self.there.path if is_folder else self.there.path.rpartition("/")[0]
        write_files(target, folder, self.files, make_folder=is_folder)


def state_to_carry(
    connection: Connection, target: Connection, here: Element, there: Element, fresh: Collection[str]
) -> Iterator[CarriedState]:
    """What of the state of the domain with the document ``here`` is to be made there, where the document is ``there``.

    What that host has already, byte for byte, both share. Raises STATE_STAYS, STATE_GONE for what was there at the last
    recorded start, STATE_IN_USE, and EXISTS for what is another one there. (virStorageVolDownload)
    """
    refuse_state_of_others(target, there)
    name, recorded = here.findtext("name") or "", {seen.kind for seen in facts(here, SeenState)}
    before = {file.kind: file for file in state_of(connection, here)}
    after = {file.kind: file for file in state_of(target, there)}
    for kind in _kinds(here) - {*fresh}:
        if kind not in before or kind not in after:
            raise STATE_STAYS(kind=kind, name=name, uri=(connection if kind not in before else target).uri)
        old, new = before[kind], after[kind]
        is_folder = kind is StateKind.TPM
        files = read_files(connection, old.path, is_folder=is_folder)
        if not files and kind in recorded:
            raise state_gone(name, [old], {})
        if not is_folder:
            files = {new.path.rpartition("/")[2]: data for data in files.values()}
        found = read_files(target, new.path, is_folder=is_folder)
        if found and found != files:
            raise EXISTS(path=new.path)
        if files and not found:
            yield CarriedState(new, files)


def lost_here(connection: Connection, here: Element, kinds: Collection[str]) -> list[StateFile]:
    """What the host of ``connection`` lacks of the state of the domain ``here`` that was carried, of these ``kinds``.

    libvirt removes a domain's state before it undefines the domain (9.0 to 12.8): what was carried is the only copy
    then. A start would have made the file anew. (virStorageVolDownload)
    """
    return [
        file
        for file in state_of(connection, here)
        if str(file.kind) in kinds and not read_files(connection, file.path, is_folder=file.kind is StateKind.TPM)
    ]


def _kinds(domain: Element) -> set[StateKind]:
    """What a domain has, wherever that is."""
    has_tpm = domain.find("devices/tpm/backend[@type='emulator']") is not None
    has_nvram = domain.find("os/nvram") is not None or domain.find("os/varstore") is not None
    return {kind for kind, has in ((StateKind.TPM, has_tpm), (StateKind.NVRAM, has_nvram)) if has}
