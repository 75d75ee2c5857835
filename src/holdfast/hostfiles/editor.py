"""A text that a person edits, in an editor of their choice. It may hold passwords: nobody else can read it."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from holdfast.errors import files
from holdfast.hostfiles.document_file import read_document


class Draft:
    """The text in a file (0600) in a folder of its own (0700), where the editor's own copies of it lie too.

    A context manager. At its end the folder is removed if nothing was edited, or the text is :meth:`done` with; in any
    other case, whatever went wrong, it stays: also while the editor runs on, and where one that crashed has left its
    own copy.
    """

    def __init__(self, name: str, text: str) -> None:
        """Write ``text``, which is about ``name``, for the editor to find. Raises NO_TEMPORARY_FILE."""
        self._text = text.encode()
        self._done = False
        self._is_open = False
        self._editor: subprocess.Popen[bytes] | None = None
        with ExitStack() as undo:
            try:
                self._folder = Path(tempfile.mkdtemp(prefix="holdfast-edit-"))
                undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
                self.path = self._folder / f"{_short(name.replace('/', '_'))}.xml"
                with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
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
            shutil.rmtree(self._folder, ignore_errors=True)

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

    def edit(self) -> str:
        """Open it in $VISUAL, $EDITOR or vi, wait until that has ended, and return the text.

        Raises NO_EDITOR, EDITOR_NOT_STARTED, EDITOR_FAILED, EDITOR_LEFT_NO_FILE, and what :func:`read_document` raises.
        """
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if sys.stdin.isatty() else "")
        if not editor:
            raise files.NO_EDITOR()
        self._editor, self._is_open = None, True  # a signal may come before the process is known
        try:
            self._editor = subprocess.Popen([*shlex.split(editor), str(self.path)])
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


def _short(name: str) -> str:
    """The beginning of ``name``, as much as the name of a file has room for."""
    return name.encode()[:200].decode(errors="ignore")
