"""A place of copies of state, and what is set about it."""

from __future__ import annotations

from pathlib import Path

from holdfast.domainxml.host.state_files import StateKind
from holdfast.hostfiles.state_copies.state_copy import copy_named
from holdfast.operations import StateCopy

NVRAM, TPM = StateKind.NVRAM, StateKind.TPM


class Kept:
    """The place of the copies, and what is set."""

    def __init__(self, settings: Path, folder: Path) -> None:
        self.settings = settings
        self.folder = folder

    def set(self, **values: object) -> None:
        self.settings.parent.mkdir(parents=True, exist_ok=True)
        self.settings.write_text("".join(f'{key} = "{value}"\n' for key, value in values.items()))
        self.settings.chmod(0o600)

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*/*"))

    def traces(self) -> list[tuple[str, int, int]]:
        return [(each.name, each.stat().st_ino, each.stat().st_mtime_ns) for each in self.files()]

    def copies(self, kind: str = NVRAM) -> list[StateCopy]:
        found = [copy for each in self.files() if (copy := copy_named(each.name)) is not None]
        return [copy for copy in found if copy.kind == kind]


def write(path: Path, data: bytes, at: int = 0x20000) -> None:
    """Write a few bytes into an NVRAM, as a firmware does."""
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
