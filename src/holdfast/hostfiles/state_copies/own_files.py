"""The state itself, as it lies on its host: one file, or a folder with files. Read, and put back where it is gone.

No link is followed at its place, and on the way to it only one that nobody but root and this user can have put there.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from holdfast.errors import HoldfastError, files
from holdfast.errors.firmware import BEING_WRITTEN
from holdfast.hostfiles.folder import open_folder
from holdfast.hostfiles.new_file import creating, open_new, whole_file

_FILE = "state"
"""What a state that is one file is called in an archive; those of a folder have their names, behind ``_FOLDER``."""
_FOLDER = "folder/"
_MOST = 256 << 20
"""Bytes. The largest NVRAM, of ARM guests, has 64 MiB."""
_TRIES = 3


def read_state(path: str) -> dict[str, bytes] | None:
    """The files of the state at ``path``, by their names in an archive; None where nothing is there.

    Each was not written to while it was read. Raises UNREADABLE_BY_THIS_USER, UNREADABLE, LINK_OF_OTHERS, and
    BEING_WRITTEN.
    """
    with _reading(path), contextlib.ExitStack() as stack:
        try:
            around = open_folder(str(Path(path).parent))
            stack.callback(os.close, around)
            found = _open(Path(path).name, around)
        except FileNotFoundError:
            return None
        stack.callback(os.close, found)
        if not stat.S_ISDIR(os.fstat(found).st_mode):
            return {_FILE: _content(path, found)}
        read = {}
        for name in sorted(each.name for each in os.scandir(found)):
            if not name.startswith("."):
                file = _open(name, found)
                stack.callback(os.close, file)
                read[_FOLDER + name] = _content(f"{path}/{name}", file)
        return read or None


def put_back(path: str, content: Mapping[str, bytes]) -> None:
    """Let ``content``, as :func:`read_state` has it, be at ``path``, whole or not at all; nothing may be there.

    It belongs to whom the folder belongs that it is put into: libvirt gives it to QEMU or swtpm at a start. Raises
    what :func:`.new_file.creating` does, LINK_OF_OTHERS and FOLDER_EXCHANGED.
    """
    with creating(path):
        names = [name.removeprefix(_FOLDER) for name in content]
        if any("/" in name or name in ("", ".", "..") for name in names):
            raise ValueError(f"what is to be put there has names that lead elsewhere: {', '.join(content)}")
        if _FILE in content:
            _put_file(path, content[_FILE])
        else:
            _put_folder(path, {name.removeprefix(_FOLDER): data for name, data in content.items()})


def take_away(path: str, content: Mapping[str, bytes]) -> None:
    """Remove what :func:`put_back` has put at ``path``, where it is still the same."""
    with contextlib.suppress(HoldfastError, OSError):
        if read_state(path) == content:
            if _FILE in content:
                Path(path).unlink()
            else:
                shutil.rmtree(path)


def _put_file(path: str, data: bytes) -> None:
    with whole_file(path) as file:
        _give_as(file.fileno(), Path(path).parent)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _put_folder(path: str, content: Mapping[str, bytes]) -> None:
    around, name = Path(path).parent, Path(path).name
    new = f".{name}.new"
    if not around.exists():
        around.mkdir(mode=0o711)  # as libvirt makes that of a domain (9.0)
    with contextlib.ExitStack() as stack:
        folder = open_folder(str(around))
        stack.callback(os.close, folder)
        with contextlib.suppress(FileNotFoundError):  # of one that was killed
            shutil.rmtree(new, dir_fd=folder)
        os.mkdir(new, 0o700, dir_fd=folder)
        try:
            made = os.open(new, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
            stack.callback(os.close, made)
            for each, data in content.items():
                with os.fdopen(open_new(each, made), "wb") as file:
                    _give_as(file.fileno(), around)
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            _give_as(made, around)
            _remove_locks(name, folder)
            os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)  # over an empty folder at most
        except BaseException:
            shutil.rmtree(new, dir_fd=folder, ignore_errors=True)
            raise


def _remove_locks(name: str, folder: int) -> None:
    """swtpm leaves its lock file behind in a folder whose state somebody has removed."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(f"{name}/.lock", dir_fd=folder)


def _give_as(file: int, around: Path) -> None:
    with contextlib.suppress(PermissionError):
        owner = around.stat()
        os.fchown(file, owner.st_uid, owner.st_gid)


def _open(name: str, folder: int) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)


def _content(path: str, file: int) -> bytes:
    before = os.fstat(file)
    if not stat.S_ISREG(before.st_mode):
        raise files.UNREADABLE(path=path, reason="it is no file")
    if before.st_size > _MOST:
        raise files.UNREADABLE(path=path, reason=f"it is larger than {_MOST >> 20} MiB")
    for _ in range(_TRIES):
        data = os.pread(file, _MOST, 0)
        after = os.fstat(file)
        if (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, len(data)):
            return data
        before = after
    raise BEING_WRITTEN(path=path)


@contextlib.contextmanager
def _reading(path: str) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise files.UNREADABLE_BY_THIS_USER(path=path, reason=error.strerror) from error
    except OSError as error:
        raise files.UNREADABLE(path=path, reason=error.strerror or str(error)) from error
