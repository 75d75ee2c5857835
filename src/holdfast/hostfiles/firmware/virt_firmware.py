"""UEFI variables, read and written by virt-firmware: Holdfast itself takes no NVRAM apart.

virt-firmware is under the GPL: its command is run, and nothing of it is imported. It is given memory and no files, so
that nothing is left of a command that was killed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import firmware as errors
from holdfast.hostfiles.firmware.flash import SUCCESSORS, Successor
from holdfast.json_value import Json, as_list, as_object, as_text

_PROGRAM = "virt.firmware"
"""The package that has the command."""

_MICROSOFT = "77fa9abd-0359-4d32-bd60-28f4e78f784b"
"""The owner of Microsoft's certificates (SignatureOwner)."""

_WRITTEN, _BEING_REPLACED = b"\xaa\x55\x3f\x00", b"\xaa\x55\x3e\x00"
"""How a variable begins that holds, and one that its firmware was about to replace (edk2's VariableFormat.h)."""


_STORE = re.compile(r"var store range: 0x([0-9a-f]+) -> 0x([0-9a-f]+)")
"""Where the variables are in the NVRAM, as virt-firmware (24.1.1 to 26.10) says while it reads it."""

_TITLE = re.compile(r'^Boot[0-9A-F]{4} *: boot entry: title="(.*)" devpath=', re.MULTILINE)


@dataclass(frozen=True)
class Variable:
    """A UEFI variable; ``data`` is in hexadecimal, and ``rest`` is what virt-firmware says of it besides."""

    name: str
    guid: str
    data: str
    rest: str


@dataclass(frozen=True)
class Nvram:
    """The content of an NVRAM, and what is in it.

    ``entries``  the titles of its boot entries: "debian"
    ``as_json``  its variables as virt-firmware writes and reads them
    """

    content: bytes
    variables: frozenset[Variable]
    entries: tuple[str, ...]
    as_json: bytes

    def data_of(self, name: str) -> bytes:
        """The content of one variable; nothing where there is none."""
        return next((bytes.fromhex(each.data) for each in self.variables if each.name == name), b"")

    @property
    def names(self) -> frozenset[str]:
        """The names of its variables."""
        return frozenset(each.name for each in self.variables)


def nvram_from(content: bytes) -> Nvram:
    """What is in the NVRAM ``content``.

    Raises NO_VIRT_FIRMWARE, VIRT_FIRMWARE_FAILED, and VARIABLES_UNCLEAR where virt-firmware would drop a variable: it
    keeps one of each name, and none that is half written (26.10). (virt-fw-vars --output-json --print)
    """
    with _memory(content) as given, _memory() as made:
        said = _run("--input", given, "--output-json", made, "--print")
        as_json = _content(made)
    found = [_variable(each) for each in as_list(as_object(json.loads(as_json))["variables"])]
    place = _STORE.search(said)
    store = content if place is None else content[int(place[1], 16) : int(place[2], 16)]
    if store.count(_WRITTEN) != len(found) or _BEING_REPLACED in store:
        raise errors.VARIABLES_UNCLEAR()
    return Nvram(content, frozenset(found), tuple(_TITLE.findall(said)), as_json)


def move_variables(nvram: Nvram, template: bytes) -> Nvram:
    """An NVRAM like ``template``, with all the variables of ``nvram`` and no others. Raises as :func:`nvram_from`.

    (virt-fw-vars --delete --set-json)
    """
    drop = [word for name in sorted(nvram_from(template).names) for word in ("--delete", name)]
    with _memory(template) as given, _memory(nvram.as_json) as variables, _memory() as made:
        _run("--input", given, *drop, "--set-json", variables, "--output", made)
        after = nvram_from(_content(made))
    if after.variables != nvram.variables:
        raise errors.VIRT_FIRMWARE_FAILED(reason="what it wrote has other variables")
    return after


def missing_successors(nvram: Nvram) -> list[Successor]:
    """The certificates of 2023 that an NVRAM lacks, though it has those of 2011 before them."""
    data = {name: nvram.data_of(name) for name in ("KEK", "db")}
    return [
        each
        for each in SUCCESSORS
        if each.of_2011.encode() in data[each.variable] and each.of_2023.encode() not in data[each.variable]
    ]


def with_successors(nvram: Nvram, wanted: Sequence[Successor]) -> Nvram:
    """``nvram`` with these certificates, too; PK and dbx stay as they are.

    Raises NO_CERTIFICATES where virt-firmware is older than they are, and as :func:`nvram_from`.
    (virt-fw-vars --add-kek --add-db)
    """
    words = [
        word for each in wanted for word in (f"--add-{each.variable.lower()}", _MICROSOFT, str(_certificate(each)))
    ]
    with _memory(nvram.content) as given, _memory() as made:
        _run("--input", given, *words, "--output", made)
        after = nvram_from(_content(made))
    changed = {each.name for each in nvram.variables ^ after.variables}
    if changed != {each.variable for each in wanted} or missing_successors(after):
        raise errors.VIRT_FIRMWARE_FAILED(reason="what it wrote has other changes than these certificates")
    return after


def _certificate(successor: Successor) -> Path:
    found = importlib.util.find_spec(_PROGRAM)
    folders = [] if found is None else [Path(folder) for folder in found.submodule_search_locations or ()]
    for folder in folders:
        file = folder / "certs" / "microsoft.com" / f"{successor.file}.pem"
        if file.exists():
            return file
    raise errors.NO_CERTIFICATES(certificate=successor.of_2023)


def _run(*arguments: str) -> str:
    """What virt-fw-vars of this Python says; what it opens is in this process's memory."""
    if not _is_there():
        raise errors.NO_VIRT_FIRMWARE()
    command = [sys.executable, "-P", "-m", f"{_PROGRAM}.vars", *arguments]
    descriptors = [int(each.rpartition("/")[2]) for each in arguments if each.startswith("/dev/fd/")]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", pass_fds=descriptors
    )
    if done.returncode != 0:
        lines = [*done.stderr.strip().splitlines(), *done.stdout.strip().splitlines()]
        raise errors.VIRT_FIRMWARE_FAILED(reason=lines[-1] if lines else f"it ended with {done.returncode}")
    return done.stdout + done.stderr


def _is_there() -> bool:
    try:
        return importlib.util.find_spec(_PROGRAM) is not None
    except ModuleNotFoundError:
        return False


@contextlib.contextmanager
def _memory(content: bytes = b"") -> Iterator[str]:
    """The name of a file in memory, with this content (memfd_create(2))."""
    descriptor = os.memfd_create("holdfast-nvram", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(content)
        yield f"/dev/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _content(name: str) -> bytes:
    return Path(name).read_bytes()


def _variable(said: Json) -> Variable:
    one = dict(as_object(said))
    name, guid, data = (as_text(one.pop(key)) for key in ("name", "guid", "data"))
    return Variable(name, guid, data, json.dumps(one, sort_keys=True))
