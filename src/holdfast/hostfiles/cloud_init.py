"""The NoCloud seed of cloud-init: a small CD named "cidata" with user-data and meta-data, made with xorriso."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path

from holdfast.errors import files

_BEGINNINGS = (b"#", b"Content-Type:", b"MIME-Version:", b"From ", b"\x1f\x8b")
"""How user-data that cloud-init (22.4) understands begins: a "#…" line, MIME, or gzip of these."""

MAX_BYTES = 16 * 1024 * 1024


def read_user_data(path: str) -> bytes:
    """The user-data in the file ``path``.

    Raises NO_USER_DATA, UNREADABLE_USER_DATA, USER_DATA_TOO_LARGE, and NOT_USER_DATA when cloud-init would ignore it.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise files.NO_USER_DATA(path=path) from error
    except OSError as error:
        raise files.UNREADABLE_USER_DATA(path=path, reason=error.strerror) from error
    if len(data) > MAX_BYTES:
        raise files.USER_DATA_TOO_LARGE(path=path, most=MAX_BYTES // 1024 // 1024)
    if not data.startswith(_BEGINNINGS):
        raise files.NOT_USER_DATA(path=path)
    return data


def write_seed(path: str, user_data: bytes, *, instance_id: str, hostname: str) -> None:
    """Write the seed into the reserved file ``path``. Raises NO_XORRISO where that is not installed, XORRISO_FAILED,
    NO_TEMPORARY_FILE.

    ``hostname`` is made one: what no hostname can have becomes a dash. cloud-init takes another ``instance_id`` for
    another machine and runs its first-boot steps again.
    """
    host = re.sub(r"[^A-Za-z0-9-]+", "-", hostname).strip("-")[:63] or "guest"
    # JSON strings are YAML strings.
    meta_data = f"instance-id: {json.dumps(instance_id)}\nlocal-hostname: {json.dumps(host)}\n"
    with ExitStack() as stack:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-seed-"))
            for name, data in (("user-data", user_data), ("meta-data", meta_data.encode())):
                Path(folder, name).write_bytes(data)
        except OSError as error:
            raise files.NO_TEMPORARY_FILE(reason=error.strerror) from error
        command = ["xorriso", "-as", "mkisofs", "-quiet", "-output", path, "-volid", "cidata", "-joliet", "-rock"]
        try:
            done = subprocess.run(
                [*command, folder], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
            )
        except FileNotFoundError as error:
            raise files.NO_XORRISO() from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise files.XORRISO_FAILED(path=path, reason=lines[-1])
