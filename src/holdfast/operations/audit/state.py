"""Findings about NVRAM and TPM state: what two domains have, and what no domain has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.domainxml.host.state_files import StateFile
from holdfast.hostfiles.image import real_path
from holdfast.hostfiles.state_file import names_in
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.operations.own_state import folders_of


class States:
    """The state of all domains of one host, as they come by."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._users: dict[str, list[tuple[str, StateFile]]] = {}

    def add(self, domain: str, files: Iterable[StateFile]) -> None:
        """Remember who has which file; ``domain`` is a name."""
        for file in files:
            place = real_path(file.path) if self._connection.is_local else file.path
            self._users.setdefault(place, []).append((domain, file))

    def shared(self) -> Iterator[tuple[str, Finding]]:
        """Domain and finding, for every file that two domains have."""
        for users in self._users.values():
            names = sorted({name for name, _ in users})
            for name, file in dict(users).items() if len(names) > 1 else ():
                others = ", ".join(other for other in names if other != name)
                sentence = f"its {file} is also that of {others}: each writes over what the other has written"
                yield name, Finding(FindingKind.SHARED_STATE, sentence)

    def orphans(self) -> list[str]:
        """What is in libvirt's own folders and is no domain's, by path; once all domains have come by."""
        folders = folders_of(self._connection)
        if folders is None or not (self._connection.is_local and self._connection.is_usual):
            return []
        here = [f"{folder}/{name}" for folder in (folders.nvram, folders.tpm) for name in names_in(folder)]
        used = [place + "/" for place in self._users]
        return [path for path in here if not any(place.startswith(real_path(path) + "/") for place in used)]
