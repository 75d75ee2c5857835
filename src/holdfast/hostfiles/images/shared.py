"""Whether other hosts could have an image, too, by where it is: asked before a domain starts that one of them may run.

What is not known to be this host's alone counts as shared: a file system over a network or in a cluster, a disk of a
storage network. A local file system on such a disk, which somebody mounts elsewhere, cannot be told from any other.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

_LOCAL = {
    *("bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus", "iso9660", "jfs"),
    *("msdos", "nilfs2", "ntfs", "ntfs3", "overlay", "reiserfs", "rootfs", "squashfs", "tmpfs", "udf", "vfat", "xfs"),
    "zfs",
}
"""Types of file systems, as mountinfo has them (proc(5)), that one host alone can have at a time."""

_ALONE = re.compile(r"(dm-|loop|md|ram|zram|zd)\d+")
"""Names of virtual block devices that are made on this host; what is below them says the rest."""

_OVER_NETWORK = re.compile(r"/(session\d+|rport-[\d:-]+|vport-[\d:-]+)/")
"""What is on the way to a SCSI disk of iSCSI or Fibre Channel in sysfs."""


def is_shared_storage(path: str) -> bool:
    """True unless the file or block device ``path`` is known to be on this host's own storage.

    Of a file that is not there its folder decides, of a folder that is not there the one above it.
    """
    try:
        found = _there(Path(path)).stat()
    except OSError:
        return True
    if stat.S_ISBLK(found.st_mode):
        return _is_shared_device(found.st_rdev)
    return _type_of(found.st_dev, path) not in _LOCAL


def _there(path: Path) -> Path:
    return next((each for each in (path, *path.parents) if os.path.lexists(each)), path)


def _type_of(device: int, path: str) -> str:
    """The type of the file system with this device number; "" where it cannot be told."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    mounts = [line.split(" ") for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines()]
    found = {fields[fields.index("-") + 1] for fields in mounts if fields[2] == wanted}
    if not found:  # btrfs gives its subvolumes numbers of their own, which mountinfo does not have
        real = os.path.realpath(path)
        around = [fields for fields in mounts if _is_in(real, fields[4])]
        found = {fields[fields.index("-") + 1] for fields in sorted(around, key=lambda each: len(each[4]))[-1:]}
    return found.pop() if len(found) == 1 else ""


def _is_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _is_shared_device(number: int) -> bool:
    device = Path(os.path.realpath(f"/sys/dev/block/{os.major(number)}:{os.minor(number)}"))
    if not device.exists():
        return True
    below = list((device / "slaves").glob("*"))
    if below:
        return any(_is_shared_device(_number(each)) for each in below)
    if "/virtual/" in str(device):
        return _ALONE.fullmatch(device.name) is None or _rests_on_shared_file(device)
    with contextlib.suppress(OSError):
        whole = device if not (device / "partition").exists() else device.parent
        return (whole / "device" / "transport").read_text().strip() != "pcie"  # NVMe over a fabric
    return _OVER_NETWORK.search(f"{device}/") is not None


def _number(device: Path) -> int:
    major, _, minor = (device / "dev").read_text().strip().partition(":")
    return os.makedev(int(major), int(minor))


def _rests_on_shared_file(device: Path) -> bool:
    with contextlib.suppress(OSError):
        return is_shared_storage((device / "loop" / "backing_file").read_text().strip())
    return False
