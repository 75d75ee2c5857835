"""The NoCloud seed of cloud-init: a small CD named "cidata" with user-data and meta-data, made with xorriso."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from base64 import b64decode, b64encode
from pathlib import Path

from holdfast.errors import files
from holdfast.hostfiles.child_process import private_folder, speak
from holdfast.hostfiles.images.for_qemu_img import QemuImgImage

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


def write_seed(image: QemuImgImage, user_data: bytes, *, instance_id: str, hostname: str) -> None:
    """Write the seed into the new file ``image``.

    Raises NO_XORRISO where that is not installed, XORRISO_FAILED, NO_TEMPORARY_FILE. ``hostname`` is made one: what no
    hostname can have becomes a dash. cloud-init takes another ``instance_id`` for another machine and runs its
    first-boot steps again.
    """
    host = re.sub(r"[^A-Za-z0-9-]+", "-", hostname).strip("-")[:63] or "guest"
    # JSON strings are YAML strings.
    meta_data = f"instance-id: {json.dumps(instance_id)}\nlocal-hostname: {json.dumps(host)}\n"
    if shutil.which("xorriso") is None:
        raise files.NO_XORRISO()
    words = json.dumps([image.descriptors[0], meta_data, b64encode(user_data).decode()])
    with private_folder() as folder:
        said = speak(__name__, folder, words, descriptors=image.descriptors)
    if said.failure or said.output:
        raise files.XORRISO_FAILED(path=image.name, reason=said.failure or said.output)


def _make(folder: Path, descriptor: int, meta_data: str, user_data: str) -> str:
    """Be the child: write the seed at ``descriptor``. Returns what went wrong."""
    seed = folder / "seed"
    seed.mkdir(0o700)
    (seed / "meta-data").write_text(meta_data)
    (seed / "user-data").write_bytes(b64decode(user_data))
    command = ["xorriso", "-as", "mkisofs", "-quiet", "-volid", "cidata", "-joliet", "-rock", str(seed)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=descriptor, stderr=subprocess.PIPE, text=True, errors="replace"
    )
    lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
    return lines[-1] if done.returncode != 0 else ""


if __name__ == "__main__":
    sys.stdout.write(_make(Path(sys.argv[1]), *json.load(sys.stdin)))
