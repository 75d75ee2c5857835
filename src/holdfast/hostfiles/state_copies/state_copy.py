"""One copy of a state: all that is known of it is its name, and what is in it is a compressed tar archive.

So a copy is one file, which is there whole or not at all; a list of names tells everything, on another machine and of
what is encrypted, too; and age or gpg, gzip and tar are all that it takes to read one.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from holdfast.errors.firmware import COPY_DAMAGED

_NAME = re.compile(
    r"(?P<time>\d{8}T\d{12}Z)\.(?P<kind>nvram|tpm)\.(?P<how>off|running)\.(?P<entry>[0-9a-f]{40}|none)\."
    r"(?P<digest>[0-9a-f]{64})\.tar\.gz(\.(?P<cipher>age|gpg))?"
)
_TIME = "%Y%m%dT%H%M%S%fZ"
KEPT = 5
"""How many copies of each kind a domain has at most, and besides the last one that was taken while it was off."""


@dataclass(frozen=True, kw_only=True)
class StateCopy:
    """A copy of the state of a domain.

    ``kind``     "nvram" or "tpm"
    ``time``     when it was taken, in ISO 8601
    ``running``  True where that was while the guest ran: it may have been writing
    ``entry``    the id of the entry of the history that has the document of then; "" where there was no history
    ``digest``   the SHA-256 of the archive
    ``cipher``   "age" or "gpg" where it is encrypted, else ""
    """

    kind: str
    time: str
    running: bool
    entry: str
    digest: str
    cipher: str

    @property
    def id(self) -> str:
        """As much of the digest as is shown."""
        return self.digest[:8]

    @property
    def told(self) -> str:
        """What is to be known before it is used: "of 2026-12-01 09:15:00, 3 hours old, taken while it ran"."""
        time = datetime.fromisoformat(self.time)
        how = ", taken while it ran" if self.running else ""
        return f"of {time.astimezone():%Y-%m-%d %H:%M:%S}, {_age(datetime.now(UTC) - time)} old{how}"

    @property
    def file_name(self) -> str:
        """The name of its file."""
        time = datetime.fromisoformat(self.time).strftime(_TIME)
        how = "running" if self.running else "off"
        words = (time, self.kind, how, self.entry or "none", self.digest, "tar", "gz", *filter(None, [self.cipher]))
        return ".".join(words)


def _age(age: timedelta) -> str:
    seconds = max(0, int(age.total_seconds()))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}{'s' * (seconds >= 2 * size)}"
    return "less than a minute"


def copy_named(file_name: str) -> StateCopy | None:
    """The copy that a file of this name is; None for any other file."""
    said = _NAME.fullmatch(file_name)
    if said is None:
        return None
    try:
        time = datetime.strptime(said["time"], _TIME).replace(tzinfo=UTC).isoformat(timespec="microseconds")
    except ValueError:
        return None
    return StateCopy(
        kind=said["kind"],
        time=time,
        running=said["how"] == "running",
        entry="" if said["entry"] == "none" else said["entry"],
        digest=said["digest"],
        cipher=said["cipher"] or "",
    )


def superfluous(copies: Iterable[StateCopy]) -> list[StateCopy]:
    """Which of the ``copies`` of one kind are not kept any more."""
    newest_first = sorted(copies, key=lambda copy: copy.time, reverse=True)
    kept = newest_first[:KEPT]
    kept += [copy for copy in newest_first if not copy.running][:1]
    return [copy for copy in newest_first if copy not in kept]


def archive(files: Mapping[str, bytes]) -> bytes:
    """The ``files`` as a tar archive that is the same for the same files."""
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in sorted(files.items()):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            tar.addfile(member, io.BytesIO(content))
    return written.getvalue()


def digest_of(tar: bytes) -> str:
    """The SHA-256 of an archive, in hexadecimal."""
    return hashlib.sha256(tar).hexdigest()


def compressed(tar: bytes) -> bytes:
    """What is kept of an archive, or encrypted."""
    return gzip.compress(tar, compresslevel=6, mtime=0)


def files_in(content: bytes, copy: StateCopy) -> dict[str, bytes]:
    """The files in what was kept of ``copy``, decrypted. Raises COPY_DAMAGED."""
    try:
        tar = gzip.decompress(content)
        if digest_of(tar) != copy.digest:
            raise COPY_DAMAGED(copy=copy.file_name, reason="its content is not what its name says")
        with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
            members = {member.name: archive.extractfile(member) for member in archive}
            return {name: b"" if file is None else file.read() for name, file in members.items()}
    except (EOFError, OSError, tarfile.TarError, zlib.error) as error:
        raise COPY_DAMAGED(copy=copy.file_name, reason=str(error)) from error
