"""Findings about NVRAM and TPM state: what two domains have, and what no domain has; and what else is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.domainxml.host.state_files import StateFile, StateKind, upgraded_prefix
from holdfast.domainxml.make.rescue import nvram_copy
from holdfast.hostfiles.images.image import file_identity, real_path
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.hostfiles.own_folder import CHILD, EDIT, left_folders
from holdfast.hostfiles.state_file import names_in
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.report import Finding, FindingKind, Orphan
from holdfast.operations.own_state import folders_of


class StateFindings:
    """The state of all domains of one host, as they come by."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._users: dict[str, list[tuple[str, StateFile]]] = {}
        self._begin: dict[str, set[str]] = {}

    def add(self, domain: str, uuid: str, files: Iterable[StateFile]) -> None:
        """Remember who has which file; ``domain`` is a name."""
        for file in files:
            place = real_path(file.path) if self._connection.is_local else file.path
            self._users.setdefault(place, []).append((domain, file))
            if file.kind is StateKind.NVRAM:
                self._begin.setdefault(place.rpartition("/")[0], set()).add(upgraded_prefix(uuid))

    def shared(self) -> Iterator[tuple[str, Finding]]:
        """Domain and finding, for every file that two domains have."""
        same: dict[str, list[tuple[str, StateFile]]] = {}
        for place, users in self._users.items():
            same.setdefault(file_identity(place) if self._connection.is_local else place, []).extend(users)
        for users in same.values():
            names = sorted({name for name, _ in users})
            for name, file in dict(users).items() if len(names) > 1 else ():
                others = ", ".join(other for other in names if other != name)
                sentence = f"its {file} is also that of {others}: each writes over what the other has written"
                yield name, Finding(FindingKind.SHARED_STATE, sentence)

    def orphans(self) -> Iterator[Orphan]:
        """What is no domain's, once all domains have come by: in libvirt's own folders, and left of a rescue."""
        if not self._connection.is_local:
            return
        copies = [nvram_copy(place) for place in self._users]
        yield from (Orphan.at(path, _RESCUE, is_folder=False) for path in copies if file_exists(path))
        upgraded = list(self._upgraded())
        yield from (Orphan.at(path, _UPGRADE, is_folder=False) for path in upgraded)
        folders = folders_of(self._connection)
        if folders is None or not self._connection.is_usual:
            return
        here = [
            f"{folder}/{name}" for folder in (folders.nvram, folders.varstore, folders.tpm) for name in names_in(folder)
        ]
        used = [f"{place}/" for place in (*self._users, *copies, *upgraded)]
        for path in here:
            if not any(place.startswith(real_path(path) + "/") for place in used):
                yield Orphan.at(path, _STATE, is_folder=path.startswith(folders.tpm + "/"))

    def _upgraded(self) -> Iterator[str]:
        """What an upgrade of an NVRAM has made, and no domain has."""
        for folder, beginnings in self._begin.items():
            for name in names_in(folder):
                place, stem = f"{folder}/{name}", name.rpartition("_VARS-")
                if stem[0] + stem[1] in beginnings and place not in self._users:
                    yield place


def killed_leftovers(connection: Connection) -> Iterator[Orphan]:
    """What commands of this user have left in the temporary folder of this host when they were killed."""
    for folder in left_folders(EDIT) if connection.is_local else ():
        yield Orphan.at(str(folder), _TEXT, is_folder=True)
    for folder in left_folders(CHILD) if connection.is_local else ():
        yield Orphan.at(str(folder), _CHILD, is_folder=True)


_STATE = "NVRAM and TPM state that no domain has"
_RESCUE = "a copy of an NVRAM, left by the start of a rescue that was killed"
_UPGRADE = "an NVRAM, left by an upgrade that was interrupted"
_TEXT = "the text of an edit, kept with any secrets in it"
_CHILD = "left by a command that was killed, with any secrets in it"
