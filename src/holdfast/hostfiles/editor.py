"""A text that a person edits, in an editor of their choice. It may hold passwords: nobody else can read it.

What a killed process leaves of it is found again by the UUID of the domain that it is about.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from holdfast.errors import HoldfastError, files
from holdfast.hostfiles.document_file import read_document
from holdfast.hostfiles.new_file import whole_file
from holdfast.hostfiles.own_folder import EDIT, left_folders, make_locked


class Draft:
    """The text in a file (0600) in a folder of its own (0700), where the editor's own copies of it lie too.

    A context manager. At its end the folder is removed if nothing was edited, or the text is :meth:`done` with; in any
    other case, whatever went wrong, it stays: also while the editor runs on, and where one that crashed has left its
    own copy. It counts as left (:func:`left_drafts`) once this process and the editor have ended.
    """

    def __init__(self, name: str, uuid: str, text: str) -> None:
        """Write ``text``, which is about the domain ``name``, for the editor to find. Raises NO_TEMPORARY_FILE."""
        self._text = text.encode()
        self._done = False
        self._is_open = False
        self._stays = False
        self._editor: subprocess.Popen[bytes] | None = None
        with ExitStack() as undo:
            try:
                self._folder, self._lock = make_locked(_prefix(uuid))
                undo.callback(os.close, self._lock)
                undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
                self.path = self._folder / f"{_short(name.replace('/', '_'))}.xml"
                with whole_file(str(self.path)) as file:
                    file.write(self._text)
            except OSError as error:
                raise files.NO_TEMPORARY_FILE(reason=error.strerror) from error
            undo.pop_all()

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.is_kept:
            remove_draft(self._folder)
            self._stays = self._folder.exists()
        os.close(self._lock)

    @property
    def is_kept(self) -> bool:
        """True where the text was edited, or may be, and is not done with: it will still be there at the end."""
        return not self._done and self._may_be_edited()

    def _may_be_edited(self) -> bool:
        if self._is_open and (self._editor is None or self._editor.poll() is None):
            return True
        try:
            others = [path for path in self._folder.iterdir() if path != self.path]
            return bool(others) or self._is_edited()
        except FileNotFoundError:  # an editor may have removed it
            return False
        except OSError:
            return True

    def _is_edited(self) -> bool:
        """Raises FileNotFoundError."""
        return not self._is_file() or self.path.read_bytes() != self._text

    def _is_file(self) -> bool:
        """False where the editor left something else in its place; a FIFO would be waited for without end."""
        return stat.S_ISREG(self.path.lstat().st_mode)

    @property
    def kept_at(self) -> Path:
        """The text that was edited; the folder, where no more is known than that the editor has something there."""
        try:
            return self.path if self._is_file() and self._is_edited() else self._folder
        except FileNotFoundError:
            return self._folder
        except OSError:
            return self.path

    def done(self) -> None:
        """The text is where it was to go, and needed no more."""
        self._done = True

    def prove_removed(self) -> None:
        """Raise TEXT_NOT_REMOVED where its folder was to go at the end, and is still there."""
        if self._stays:
            raise files.TEXT_NOT_REMOVED(path=self._folder)

    def edit(self) -> str:
        """Open it in $VISUAL, $EDITOR or vi, wait until that has ended, and return the text.

        Raises NO_EDITOR, EDITOR_NOT_STARTED, EDITOR_FAILED, EDITOR_LEFT_NO_FILE, and what :func:`read_document` raises.
        """
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if sys.stdin.isatty() else "")
        if not editor:
            raise files.NO_EDITOR()
        self._editor, self._is_open = None, True  # a signal may come before the process is known
        try:
            self._editor = subprocess.Popen([*shlex.split(editor), str(self.path)], pass_fds=[self._lock])
        except (OSError, ValueError) as error:
            self._is_open = False
            reason = error.strerror if isinstance(error, OSError) else error
            raise files.EDITOR_NOT_STARTED(editor=editor, reason=reason) from error
        # Ctrl-C in an editor is for the editor.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = self._editor.wait()
        finally:
            signal.signal(signal.SIGINT, before)
        if status != 0:
            raise files.EDITOR_FAILED(editor=editor, status=status)
        with suppress(FileNotFoundError):
            if not self._is_file():
                raise files.EDITOR_LEFT_NO_FILE(editor=editor, path=self.path)
        return read_document(str(self.path))


def left_drafts(uuid: str) -> list[Path]:
    """The folders that :class:`Draft` has left of the domain ``uuid``, and at which nobody is any more, by age."""
    return sorted(left_folders(_prefix(uuid)), key=lambda folder: folder.stat().st_ctime)


def text_of_left(folder: Path) -> str | None:
    """The text of a left draft; None where its folder has something else in it, such as a copy of the editor's own.

    "" for one that was killed before it had any.
    """
    try:
        found = list(folder.iterdir())
        if not found:
            return ""
        return read_document(str(found[0])) if len(found) == 1 and stat.S_ISREG(found[0].lstat().st_mode) else None
    except (OSError, HoldfastError):
        return None


def remove_draft(folder: Path) -> None:
    """Remove the folder of a draft; one that cannot be removed stays."""
    with suppress(OSError):
        shutil.rmtree(folder, ignore_errors=True)


def _prefix(uuid: str) -> str:
    return f"{EDIT}{uuid}-"


def _short(name: str) -> str:
    """The beginning of ``name``, as much as the name of a file has room for."""
    return name.encode()[:200].decode(errors="ignore")
