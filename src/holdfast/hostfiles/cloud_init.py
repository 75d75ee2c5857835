"""The NoCloud seed of cloud-init: a small CD named "cidata" with user-data and meta-data, made with xorriso."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path

from holdfast.errors import Failed, NotFound, UsageError

_BEGINNINGS = (b"#", b"Content-Type:", b"MIME-Version:", b"From ", b"\x1f\x8b")
"""How user-data that cloud-init (22.4) understands begins: a "#…" line, MIME, or gzip of these."""

MAX_BYTES = 16 * 1024 * 1024


def read_user_data(path: str) -> bytes:
    """The user-data in the file ``path``. Raises NotFound, Failed, and UsageError when cloud-init would ignore it."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise NotFound(f"there is no user-data {path}") from error
    except OSError as error:
        raise Failed(f"cannot read the user-data {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise UsageError(f"the user-data {path} is larger than {MAX_BYTES // 1024 // 1024} MiB")
    if not data.startswith(_BEGINNINGS):
        raise UsageError(f"cloud-init would ignore {path}", "its first line must say what it is: #cloud-config or #!…")
    return data


def write_seed(path: str, user_data: bytes, *, instance_id: str, hostname: str) -> None:
    """Write the seed into the reserved file ``path``. Raises Failed, also when xorriso is not installed.

    ``hostname`` is made one: what no hostname can have becomes a dash. cloud-init takes another ``instance_id`` for
    another machine and runs its first-boot steps again.
    """
    host = re.sub(r"[^A-Za-z0-9-]+", "-", hostname).strip("-")[:63] or "guest"
    # JSON strings are YAML strings.
    meta_data = f"instance-id: {json.dumps(instance_id)}\nlocal-hostname: {json.dumps(host)}\n"
    with tempfile.TemporaryDirectory(prefix="holdfast-seed-") as folder:
        files = {"user-data": user_data, "meta-data": meta_data.encode()}
        for name, data in files.items():
            Path(folder, name).write_bytes(data)
        command = ["xorriso", "-as", "mkisofs", "-quiet", "-output", path, "-volid", "cidata", "-joliet", "-rock"]
        try:
            done = subprocess.run(
                [*command, folder], stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
            )
        except FileNotFoundError as error:
            raise Failed("a cloud-init seed is made with xorriso, which is not here", "install xorriso") from error
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise Failed(f"xorriso could not make the cloud-init seed {path}: {lines[-1]}")
