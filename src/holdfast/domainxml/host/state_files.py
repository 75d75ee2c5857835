"""The files that a domain has beside its document: its UEFI variables, and the state of its emulated TPM.

They are its own as its images are, and what they hold can be made by nobody but the guest. Where a document does not
name one, libvirt does, by the domain's name or its UUID, in folders of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements.firmware import libvirt_names_nvram, nvram_format, nvram_of, set_nvram
from holdfast.domainxml.fact import KeptNvram
from holdfast.domainxml.metadata import facts


class StateKind(StrEnum):
    """What a domain can have beside its document."""

    NVRAM = "nvram"
    """UEFI variables, in flash (``<nvram>``) or in a device of their own (``<varstore>``, libvirt 12.1)."""
    TPM = "tpm"
    """What an emulated TPM remembers."""


@dataclass(frozen=True)
class StateFolders:
    """Where a libvirt keeps what it names itself."""

    nvram: str
    tpm: str

    @property
    def varstore(self) -> str:
        """That of the files of a ``<varstore>`` (12.8)."""
        return f"{self.nvram.rpartition('/')[0]}/varstore"


@dataclass(frozen=True)
class StateFile:
    """One of these files, or for a TPM their folder. ``is_named`` is False where its path is libvirt's own choice."""

    kind: StateKind
    path: str
    is_named: bool = True

    def __str__(self) -> str:
        return f"{'NVRAM' if self.kind is StateKind.NVRAM else 'TPM state'} {self.path}"


def state_files(domain: Element, folders: StateFolders | None) -> list[StateFile]:
    """The state of ``domain``, there or yet to be made; without ``folders`` only where the document names the place."""
    return [*_nvram(domain, folders), *_tpm(domain, folders)]


def kept_nvram(domain: Element) -> list[StateFile]:
    """The NVRAM of before that is kept for ``domain``, to take an upgrade back."""
    own = nvram_of(domain)
    paths = dict.fromkeys(kept.path for kept in facts(domain, KeptNvram) if kept.path not in ("", own))
    return [StateFile(StateKind.NVRAM, path) for path in paths]


UPGRADES = {"firmware": "4M", "certificates": "2023"}
"""Upgrade of an NVRAM → the word for it in the name of its file."""


def nvram_ending(domain: Element) -> str:
    """How the name of an NVRAM of ``domain`` ends: "fd", "qcow2"."""
    format = nvram_format(domain)
    return "fd" if format == "raw" else format


def upgraded_nvram(domain: Element, upgrade: str) -> str:
    """Where the NVRAM of ``domain`` is to be after an upgrade: in the folder in which it is, under a name not taken."""
    path = nvram_of(domain) or ""
    folder, ending = path.rpartition("/")[0], nvram_ending(domain)
    taken = {path, *(file.path for file in kept_nvram(domain))}
    word = UPGRADES.get(upgrade, upgrade)
    words = (word, *(f"{word}-{number}" for number in range(2, len(taken) + 2)))
    places = (f"{folder}/{upgraded_prefix(value_at(domain, 'uuid') or '')}{word}.{ending}" for word in words)
    return next(place for place in places if place not in taken)


def upgraded_prefix(uuid: str) -> str:
    """How the name of an upgraded NVRAM begins, which nobody else gives to a file."""
    return f"{uuid}_VARS-"


def name_nvram(domain: Element, folders: StateFolders) -> None:
    """Name the file of the UEFI variables of ``domain`` after its UUID, where its document leaves that to libvirt.

    libvirt would take the domain's name, which another domain can have later: then both would have one file.
    """
    if libvirt_names_nvram(domain):
        ending = f"_VARS.{nvram_ending(domain)}" if domain.find("os/varstore") is None else "_VARS.json"
        set_nvram(domain, f"{folders.nvram}/{value_at(domain, 'uuid')}{ending}")


def _nvram(domain: Element, folders: StateFolders | None) -> Iterator[StateFile]:
    path = nvram_of(domain)
    if path is not None:
        yield StateFile(StateKind.NVRAM, path)
    elif folders is not None and libvirt_names_nvram(domain) and domain.find("os/varstore") is None:
        yield StateFile(StateKind.NVRAM, f"{folders.nvram}/{value_at(domain, 'name')}_VARS.fd", is_named=False)


def _tpm(domain: Element, folders: StateFolders | None) -> Iterator[StateFile]:
    """The folders are those of libvirt's ``qemuTPMEmulatorInitPaths`` (9.0); ``<source>`` names another (10.10)."""
    for backend in domain.iterfind("devices/tpm/backend[@type='emulator']"):
        path = value_at(backend, "source@path")
        if path:
            yield StateFile(StateKind.TPM, path)
        elif folders is not None:
            version = "tpm1.2" if backend.get("version") == "1.2" else "tpm2"
            yield StateFile(StateKind.TPM, f"{folders.tpm}/{value_at(domain, 'uuid')}/{version}", is_named=False)
