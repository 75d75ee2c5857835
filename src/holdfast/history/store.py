"""dulwich's view of the objects and refs in a history's folder, for which its group is not trusted.

It opens whatever is there: a link leads out of the folder, a pipe without a writer is waited for without an end, and a
few KiB can become gigabytes. Here what is neither a file nor a folder is an error, and so is an object that is too
large; other folders with objects (objects/info/alternates) are not looked at.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.hostfiles.folder import read_file_in
from holdfast.hostfiles.history_folder import check_nodes

if TYPE_CHECKING:
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ObjectID, ShaFile
    from dulwich.refs import DiskRefsContainer, Ref

_ID = re.compile("[0-9a-f]{40}")
_MOST = 64 << 20
"""Bytes of one object. A document has some ten thousand."""
_MOST_OF_A_REF = 4096


def opened(folder: Path) -> tuple[DiskObjectStore, DiskRefsContainer]:
    """The objects and the refs of the history in ``folder``. Raises HISTORY_UNUSABLE where its folders are links."""
    # Not dulwich.repo, whose import takes as long again, and whose init leaves half of one when it is killed.
    from dulwich.object_store import DiskObjectStore
    from dulwich.objects import ShaFile, sha_to_hex
    from dulwich.refs import DiskRefsContainer

    class _Objects(DiskObjectStore):
        def _get_loose_object(self, sha: ObjectID) -> ShaFile | None:
            name = (sha_to_hex(sha) if len(sha) == 20 else sha).decode()  # type: ignore[arg-type]
            if not _ID.fullmatch(name):
                raise ValueError(f"{name!r} is no id of an object")
            try:
                packed = read_file_in(folder, f"objects/{name[:2]}/{name[2:]}", _MOST)
            except FileNotFoundError:
                return None
            inflating = zlib.decompressobj()
            inflating.decompress(packed, _MOST)
            if inflating.unconsumed_tail:
                raise ValueError(f"it is larger than {_MOST >> 20} MiB")
            found = ShaFile.from_file(BytesIO(packed))
            if found.id != name.encode():
                raise ValueError("it is another one than its name says")  # one could even lead to itself
            return found

        def _read_alternate_paths(self) -> Iterator[str]:
            return iter(())

    class _Refs(DiskRefsContainer):
        def read_loose_ref(self, name: Ref) -> bytes | None:
            try:
                return read_file_in(folder, name.decode(), _MOST_OF_A_REF).partition(b"\n")[0].strip() or None
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return None

    check_nodes(folder)
    objects = _Objects(f"{folder}/objects")
    objects.fsync_object_files = True  # of packs; 0.21 always does
    return objects, _Refs(str(folder))
