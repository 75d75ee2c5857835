"""The two files of a UEFI firmware in flash: which build they are of, and which certificates the variables name.

Both are told from the outside, by their size and by words in them: nothing in an NVRAM is taken apart here, for the
guest has written it. What is to be known for certain is asked of virt-firmware (:mod:`.virt_firmware`).
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import NamedTuple

OLD_BUILD = "2 MB"
"""The build that distributions have given up: Debian and Ubuntu with ovmf 2023.11-2."""

_BUILDS = {OLD_BUILD: (2 << 20, 128 << 10), "4 MB": (4 << 20, 528 << 10)}
"""Build of OVMF → the bytes of its flash, and of the part of it that holds the variables (OvmfPkg's VarStore.fdf)."""

_LARGEST = 8 << 20
"""As much flash as a PC has at most (QEMU's max-fw-size)."""

_QCOW2 = b"QFI\xfb"


class Successor(NamedTuple):
    """A certificate of Microsoft's of 2023, by the common names of it and of the one of 2011 that it takes over from.

    ``variable``  which variable has both
    ``file``      its name in virt-firmware
    """

    variable: str
    of_2011: str
    of_2023: str
    file: str


SUCCESSORS = (
    Successor("KEK", "Microsoft Corporation KEK CA 2011", "Microsoft Corporation KEK 2K CA 2023", "ms-kek-2023"),
    Successor("db", "Microsoft Windows Production PCA 2011", "Windows UEFI CA 2023", "windows-2023"),
    Successor("db", "Microsoft Corporation UEFI CA 2011", "Microsoft UEFI CA 2023", "ms-uefi-2023"),
    Successor("db", "Microsoft Corporation UEFI CA 2011", "Microsoft Option ROM UEFI CA 2023", "ms-uefi-rom-2023"),
)


def loader_build(path: str) -> str | None:
    """The build of OVMF that the code in the file ``path`` is: "2 MB", "4 MB"; None for another, and where none is."""
    size = _flash_size(path)
    return next((name for name, (whole, variables) in _BUILDS.items() if size == whole - variables), None)


def nvram_build(path: str) -> str | None:
    """The build of OVMF that the variables in the file ``path`` fit; None for others, and where there are none."""
    size = _flash_size(path)
    return next((name for name, (_, variables) in _BUILDS.items() if size == variables), None)


def missing_2023_certificates(path: str) -> list[str] | None:
    """The certificates of 2023 that are nowhere in the file ``path``, though those of 2011 before them are.

    None where it cannot be read. A word that is left of a variable of before counts as there.
    """
    try:
        with Path(path).open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            content = file.read(_LARGEST)
    except (OSError, ValueError):
        return None
    return [each.of_2023 for each in SUCCESSORS if _has(content, each.of_2011) and not _has(content, each.of_2023)]


def _has(content: bytes, name: str) -> bool:
    return name.encode() in content


def _flash_size(path: str) -> int | None:
    """The bytes that a guest sees of the file, raw or qcow2."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return _plain_size(path)
    try:
        head, found = os.pread(descriptor, 32, 0), os.fstat(descriptor)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    if head[:4] == _QCOW2 and len(head) == 32:
        return int(struct.unpack(">Q", head[24:])[0])
    return found.st_size


def _plain_size(path: str) -> int | None:
    """The size of a file that this user may not open."""
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError):
        return None
