"""New files: known again by what they are and not by their path, and written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from holdfast.errors import files
from holdfast.hostfiles.folder import leads_to, open_folder


@dataclass(frozen=True)
class MadeFile:
    """A file that we have made. What somebody else has put at its ``path`` meanwhile is not it."""

    path: str
    device: int
    inode: int

    @classmethod
    def at(cls, path: str, descriptor: int) -> MadeFile:
        """The file that was made at ``path`` and is open at ``descriptor``."""
        found = os.fstat(descriptor)
        return cls(path, found.st_dev, found.st_ino)

    def refuse_another(self, descriptor: int) -> None:
        """Raise ANOTHER_FILE where another file is open at ``descriptor``."""
        if not self._is(os.fstat(descriptor)):
            raise files.ANOTHER_FILE(path=self.path)

    def refuse_exchanged(self, folder: int) -> None:
        """Raise ANOTHER_FILE where something else is at its name in the folder that is open as ``folder``."""
        try:
            found = os.stat(Path(self.path).name, dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            found = None
        if found is None or not self._is(found):
            raise files.ANOTHER_FILE(path=self.path)

    def remove(self) -> None:
        """Remove it; no error where it is gone, or where something else is at its path by now."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), folder_of(self.path) as folder:
            self.remove_from(folder)

    def remove_from(self, folder: int) -> None:
        """The same in the folder that is open as ``folder``, wherever that is by now."""
        with contextlib.suppress(FileNotFoundError):
            name = Path(self.path).name
            if self._is(os.stat(name, dir_fd=folder, follow_symlinks=False)):
                os.unlink(name, dir_fd=folder)

    def _is(self, found: os.stat_result) -> bool:
        return (found.st_dev, found.st_ino) == (self.device, self.inode)


@contextlib.contextmanager
def created(path: str) -> Iterator[tuple[MadeFile, int]]:
    """The new file ``path``, for its owner alone, and its descriptor; after an error inside it is gone.

    It is made in the folder that is opened first, and no link of others is followed. Raises what :func:`creating` does,
    LINK_OF_OTHERS, and in the end ANOTHER_FILE and FOLDER_EXCHANGED where ``path`` leads elsewhere by then.
    """
    with contextlib.ExitStack() as stack:
        with creating(path):
            folder = open_folder(str(Path(path).parent))
            stack.callback(os.close, folder)
            descriptor = open_new(Path(path).name, folder)
        stack.callback(os.close, descriptor)
        made = MadeFile.at(path, descriptor)
        try:
            yield made, descriptor
            made.refuse_exchanged(folder)
            refuse_exchanged_folder(path, folder)
        except BaseException:
            made.remove_from(folder)
            raise


def open_new(name: str, folder: int) -> int:
    """A descriptor of a new file in the folder that is open as ``folder``; no link is followed (open(2), O_EXCL)."""
    return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=folder)


def refuse_exchanged_folder(path: str, folder: int) -> None:
    """Raise FOLDER_EXCHANGED where ``path`` is no longer in the folder that is open as ``folder``."""
    around = str(Path(path).parent)
    if not leads_to(around, folder):
        raise files.FOLDER_EXCHANGED(path=path, folder=around)


@contextlib.contextmanager
def creating(path: str) -> Iterator[None]:
    """Say in our words why ``path`` cannot be created: EXISTS, NO_FOLDER, NO_PERMISSION, CANNOT_CREATE,
    CANNOT_CREATE_THERE.
    """
    try:
        yield
    except FileExistsError as error:
        raise files.EXISTS(path=path) from error
    except (FileNotFoundError, NotADirectoryError) as error:
        folder = Path(path).parent
        if folder.is_dir():  # /proc and its like answer so
            raise files.CANNOT_CREATE_THERE(path=path, folder=folder) from error
        raise files.NO_FOLDER(path=folder) from error
    except PermissionError as error:
        raise files.NO_PERMISSION(deed="create", path=path) from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise files.CANNOT_CREATE(path=path, reason=reason) from error


@contextlib.contextmanager
def new_file(path: str) -> Iterator[Callable[[str], object]]:
    """A function that writes text; at the end the file takes the place of whatever was at ``path``.

    After an error in between, what was there before still is. Raises CANNOT_WRITE.
    """
    umask = os.umask(0)
    os.umask(umask)
    with writing(path), whole_file(path, over=True) as file:
        os.fchmod(file.fileno(), 0o666 & ~umask)
        yield lambda text: file.write(text.encode(errors="replace"))


def write_private(path: str, text: str) -> None:
    """Write ``text`` to the file ``path``, for its owner alone, whole or not at all; its folder is made.

    Raises CANNOT_WRITE.
    """
    with writing(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, over=True) as file:
            file.write(text.encode())


def remove_file(path: str) -> None:
    """Remove the file ``path``; no error where there is none (unlink(2))."""
    Path(path).unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: str) -> Iterator[None]:
    """Say in our words why the file ``path`` cannot be written: CANNOT_WRITE."""
    try:
        yield
    except OSError as error:
        raise files.CANNOT_WRITE(path=path, reason=error.strerror) from error


@contextlib.contextmanager
def whole_file(path: str, *, over: bool = False) -> Iterator[BinaryIO]:
    """The new file ``path`` (0600), which gets its name when it is whole: killed before, it leaves nothing.

    With ``over`` it takes the place of what is at ``path``, and is called ``.NAME.new`` just before. Raises OSError,
    LINK_OF_OTHERS, and FOLDER_EXCHANGED where ``path`` leads elsewhere before it has its name.
    (open(2) with O_TMPFILE; on a file system that has no such files it has a name at once, and goes after an error)
    """
    name = Path(path).name
    before = f".{name.encode()[:200].decode(errors='ignore')}.new"
    first = before if over else name
    with contextlib.ExitStack() as stack:
        folder = open_folder(str(Path(path).parent))
        stack.callback(os.close, folder)
        if over:
            with contextlib.suppress(FileNotFoundError):  # of one that was killed
                os.unlink(before, dir_fd=folder)
        with _unnamed_or(first, folder) as (file, is_named):
            yield file
            file.flush()
            refuse_exchanged_folder(path, folder)
            if not is_named:
                os.link(f"/proc/self/fd/{file.fileno()}", first, src_dir_fd=folder, dst_dir_fd=folder)
        if over:
            try:
                os.replace(first, name, src_dir_fd=folder, dst_dir_fd=folder)
            except OSError:
                os.unlink(first, dir_fd=folder)
                raise


@contextlib.contextmanager
def _unnamed_or(name: str, folder: int) -> Iterator[tuple[BinaryIO, bool]]:
    """A new file in ``folder`` without a name, or where there are none with this ``name``; and whether it has it."""
    try:
        descriptor = os.open(".", os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o600, dir_fd=folder)
    except OSError as error:
        if error.errno not in (errno.EOPNOTSUPP, errno.EISDIR):
            raise
    else:
        with os.fdopen(descriptor, "wb") as file:
            yield file, False
        return
    with os.fdopen(open_new(name, folder), "wb") as file:
        try:
            yield file, True
        except BaseException:
            os.unlink(name, dir_fd=folder)
            raise


@contextlib.contextmanager
def folder_of(path: str) -> Iterator[int]:
    """A descriptor of the folder that ``path`` is in, for what is done by name in that very folder. Raises OSError."""
    folder = os.open(Path(path).parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield folder
    finally:
        os.close(folder)
