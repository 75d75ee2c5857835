"""The libvirt and QEMU of a later Debian, unpacked beside this one: the next host, or this one upgraded.

Debian 13 has libvirt 11.3 and QEMU 10.0; what sid has changes from day to day (12.8 and 11.1 in November 2026).

The packages (:mod:`holdfast_lab.private_apt`) are unpacked under ``~/.cache/holdfast`` once, and used as long as every
file is there in its size. :func:`holdfast_lab.daemon.private_host` runs a libvirtd from there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from holdfast_lab import errors
from holdfast_lab.private_apt import PrivateApt

PACKAGES = (
    *("libvirt-daemon", "libvirt-daemon-driver-qemu", "qemu-system-x86", "qemu-system-modules-spice", "qemu-utils"),
    *("ovmf", "swtpm", "swtpm-tools"),
)
"""What is needed of it, besides all that these depend on."""

_NOT_NEEDED = ("libllvm", "libz3-", "mesa-libgallium")
"""How the names of packages begin that those depend on for OpenGL output alone: a third of the download."""

_MERGED = ("bin", "lib", "lib64", "sbin")
_FOLDERS = ("dev", "proc", "root", "run", "sys", "tmp")
_UNUSED = ("share/doc", "share/info", "share/locale", "share/man")
"""Below /usr."""

_MANIFEST = "unpacked-files"
_ACCOUNTS = {
    "passwd": ("root:x:0:0:root:/root:/bin/sh", "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin"),
    "group": ("root:x:0:", "libvirt-qemu:x:64055:", "kvm:x:64056:"),
}
"""Those that the packages' scripts would make; libvirt looks them up even when told to use root."""

_UNRELEASED = 99


@dataclass(frozen=True)
class DebianRelease:
    """A release of Debian: its name, that of its packages on a mirror, and its number."""

    name: str
    codename: str
    number: int


DEBIAN_13 = DebianRelease("Debian 13", "trixie", 13)
SID = DebianRelease("Debian sid", "sid", _UNRELEASED)


def why_not(release: DebianRelease) -> str | None:
    """Why this machine cannot run ``release`` as a newer host beside itself, in a sentence; None where it can."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        return f"{system.get('PRETTY_NAME')} has no {release.name} among its package sources"
    if int(system.get("VERSION_ID", _UNRELEASED)) >= release.number:
        return f"{release.name} is nothing newer than {system['PRETTY_NAME']}"
    return None


def unpacked(release: DebianRelease) -> Path:
    """The folder with the files of ``release``, downloaded (90 MB) and unpacked when it is not there or not whole.

    Raises NO_OTHER_DEBIAN when :func:`why_not` says so, NO_MIRROR, PACKAGES_NOT_DOWNLOADED and DAMAGED_PACKAGE.
    """
    if reason := why_not(release):
        raise errors.NO_OTHER_DEBIAN(reason=reason)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast"
    cache.mkdir(parents=True, exist_ok=True)
    recipe = repr((PACKAGES, _NOT_NEEDED, _FOLDERS, _UNUSED, _ACCOUNTS))
    folder = cache / f"debian-{release.codename}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with (cache / f"debian-{release.codename}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_unpacked(folder):
            prefix = f".unpacking-{release.codename}-"  # another release may be unpacked at this moment
            for stale in (folder, *cache.glob(f"{prefix}*")):
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=prefix) as scratch:
                _unpack(_download(release, Path(scratch)), Path(scratch, "system"))
                Path(scratch, "system").rename(folder)
    return folder


def is_unpacked(folder: Path) -> bool:
    """True when every file unpacked into ``folder`` is there with its recorded size; the list is written last."""
    try:
        lines = (folder / _MANIFEST).read_text().splitlines()
        return all(
            (folder / path).lstat().st_size == int(size) for size, path in (line.split(" ", 1) for line in lines)
        )
    except OSError:
        return False


def _download(release: DebianRelease, scratch: Path) -> Path:
    """Download the packages with what they depend on; return the folder of the archives."""
    apt = PrivateApt(scratch, release.codename)
    simulated = apt.run("apt-get", "--simulate", "--no-install-recommends", "install", *PACKAGES)
    names = re.findall(r"^Inst (\S+)", simulated, re.M)
    return apt.download(*(name for name in names if not name.startswith(_NOT_NEEDED)))


def _unpack(archives: Path, system: Path) -> None:
    """Unpack the archives into ``system``, with what their scripts would have made, and list its files."""
    for name in _MERGED:
        (system / "usr" / name).mkdir(parents=True)
        (system / name).symlink_to(f"usr/{name}")
    unused = [f"--exclude=./usr/{name}" for name in _UNUSED]
    tar = ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", *unused, "-C", str(system)]
    for archive in sorted(archives.glob("*.deb")):
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", archive], stdout=subprocess.PIPE) as package:
            unpacked = subprocess.run(tar, stdin=package.stdout).returncode
        if unpacked or package.returncode:
            raise errors.DAMAGED_PACKAGE(archive=archive.name)
    for name in _FOLDERS:
        (system / name).mkdir(exist_ok=True)
    for link, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
        shutil.rmtree(system / link, ignore_errors=True)
        (system / link).symlink_to(target)
    for name, lines in _ACCOUNTS.items():
        (system / "etc" / name).write_text("\n".join((*lines, "")))
    files = [path for path in system.rglob("*") if path.is_file() and not path.is_symlink()]
    sizes = [f"{path.stat().st_size} {path.relative_to(system)}\n" for path in files]
    (system / _MANIFEST).write_text("".join(sizes))
