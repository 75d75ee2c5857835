"""Who can open a file: whether QEMU can open an image, as far as its permissions tell, and letting it.

libvirt gives an image to QEMU's user when a domain starts, where its DAC driver is on; the permission bits it leaves.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from holdfast.errors import files


def lacks_permission(path: str, write: bool) -> bool:
    """True when even the owner of the file ``path`` may not read it, or with ``write`` not write to it.

    A block device, or a file that cannot be looked at, is not judged. (stat(2))
    """
    try:
        found = Path(path).stat()
    except OSError:
        return False
    wanted = stat.S_IRUSR | (stat.S_IWUSR if write else 0)
    return stat.S_ISREG(found.st_mode) and found.st_mode & wanted != wanted


def permit(path: str, write: bool) -> None:
    """Let the owner of the file ``path`` read it, and with ``write`` write to it (chmod(2)).

    Raises CANNOT_PERMIT.
    """
    file = Path(path)
    try:
        file.chmod(stat.S_IMODE(file.stat().st_mode) | stat.S_IRUSR | (stat.S_IWUSR if write else 0))
    except OSError as error:
        raise files.CANNOT_PERMIT(path=path, reason=error.strerror) from error


def make_private(path: str) -> None:
    """Take the file ``path`` from everybody but its owner (chmod(2)); no error where there is none.

    Raises CANNOT_PERMIT.
    """
    try:
        Path(path).chmod(0o600)
    except FileNotFoundError:
        return
    except OSError as error:
        raise files.CANNOT_PERMIT(path=path, reason=error.strerror) from error


def may_open(path: str, *, write: bool = False) -> bool:
    """True when this user may read the file ``path``, and with ``write`` write to it (faccessat(2))."""
    return os.access(path, os.R_OK | (os.W_OK if write else 0), effective_ids=True)


def may_create_in(folder: str) -> bool:
    """True when this user may make files in ``folder`` (faccessat(2))."""
    return os.access(folder, os.W_OK | os.X_OK, effective_ids=True)
