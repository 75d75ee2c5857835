"""A text that a person edits, in an editor of their choice. It may hold passwords: nobody else can read it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from holdfast.errors import files
from holdfast.hostfiles.document_file import read_document


class Draft:
    """The text in a file (0600) in a folder of its own (0700), where the editor's own copies of it lie too.

    A context manager: the folder is removed at the end, unless it is to be kept.
    """

    def __init__(self, name: str, text: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="holdfast-edit-"))
        self._text = text.encode()
        self._kept = False
        self.path = self._folder / f"{name.replace('/', '_')[:64]}.xml"
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(self._text)

    def __enter__(self) -> Draft:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._kept:
            shutil.rmtree(self._folder, ignore_errors=True)

    def keep(self) -> bool:
        """Leave the text there at the end, if anything was edited; returns whether it was."""
        with contextlib.suppress(OSError):  # an editor may have removed it
            self._kept = self.path.read_bytes() != self._text
        return self._kept

    def edit(self) -> str:
        """Open it in $VISUAL, $EDITOR or vi, wait until that has ended, and return the text.

        Raises NO_EDITOR, EDITOR_NOT_STARTED, EDITOR_FAILED, and what :func:`read_document` raises.
        """
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or ("vi" if sys.stdin.isatty() else "")
        if not editor:
            raise files.NO_EDITOR()
        try:
            process = subprocess.Popen([*shlex.split(editor), str(self.path)])
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise files.EDITOR_NOT_STARTED(editor=editor, reason=reason) from error
        # Ctrl-C in an editor is for the editor.
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            status = process.wait()
        finally:
            signal.signal(signal.SIGINT, before)
        if status != 0:
            raise files.EDITOR_FAILED(editor=editor, status=status)
        return read_document(str(self.path))
