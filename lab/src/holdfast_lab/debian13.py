"""Debian 13's libvirt 11.3 and QEMU 10.0, unpacked beside an older Debian: the next host, or this one upgraded.

apt downloads the packages from the machine's own mirror, with lists and a cache of its own: nothing is installed, and
the machine's apt state is not touched. They are unpacked under ``~/.cache/holdfast`` once, and used as long as every
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
from pathlib import Path

from holdfast_lab import errors

PACKAGES = (
    *("libvirt-daemon", "libvirt-daemon-driver-qemu", "qemu-system-x86", "qemu-system-modules-spice", "qemu-utils"),
    *("ovmf", "swtpm", "swtpm-tools"),
)
"""What is needed of Debian 13, besides all that these depend on."""

RELEASE = "trixie"
_MERGED = ("bin", "lib", "lib64", "sbin")
_UNUSED = ("share/doc", "share/info", "share/locale", "share/man", "lib/*/libLLVM*", "lib/*/libgallium*")
"""Below /usr; the last two, 170 MB, are only for OpenGL output."""

_MANIFEST = "unpacked-files"
_ACCOUNTS = {
    "passwd": ("root:x:0:0:root:/root:/bin/sh", "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin"),
    "group": ("root:x:0:", "libvirt-qemu:x:64055:", "kvm:x:64056:"),
}
"""Those that the packages' scripts would make; libvirt looks them up even when told to use root."""


def why_not() -> str | None:
    """Why this machine cannot run a newer host beside itself, in a sentence; None where it can."""
    system = platform.freedesktop_os_release()
    if system.get("ID") != "debian":
        return f"{system.get('PRETTY_NAME')} has no Debian 13 among its package sources"
    if int(system.get("VERSION_ID", "99")) >= 13:
        return f"{system['PRETTY_NAME']} has libvirt 11.3 or later itself: Debian 13 is nothing newer here"
    return None


def debian13() -> Path:
    """The folder with Debian 13's files, downloaded (80 MB) and unpacked when it is not there or not whole.

    Raises NO_DEBIAN13 when :func:`why_not` says so, NO_MIRROR, PACKAGES_NOT_DOWNLOADED and DAMAGED_PACKAGE.
    """
    if reason := why_not():
        raise errors.NO_DEBIAN13(reason=reason)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast"
    cache.mkdir(parents=True, exist_ok=True)
    recipe = repr((RELEASE, PACKAGES, _UNUSED, _ACCOUNTS))
    folder = cache / f"debian-13-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    with (cache / "debian-13.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_unpacked(folder):
            for stale in (folder, *cache.glob(".unpacking-*")):
                shutil.rmtree(stale, ignore_errors=True)
            with tempfile.TemporaryDirectory(dir=cache, prefix=".unpacking-") as scratch:
                _unpack(_download(Path(scratch)), Path(scratch, "system"))
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


def _download(scratch: Path) -> Path:
    """Download the packages with all they depend on; return the folder of the archives."""
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    listed = _run("apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    mirrors = sorted(
        {uri for name, _, uri in (line.partition(" ") for line in listed.splitlines()) if name == codename}
    )
    if not mirrors:
        raise errors.NO_MIRROR(codename=codename)
    keys = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
    signed = f"[signed-by={keys}] " if keys.exists() else ""
    (scratch / "sources.list").write_text("".join(f"deb {signed}{uri} {RELEASE} main\n" for uri in mirrors))
    (scratch / "status").touch()  # as if nothing were installed
    settings = {
        "Dir::Etc::sourcelist": f"{scratch}/sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State": scratch,
        "Dir::State::status": f"{scratch}/status",
        "Dir::Cache": scratch,
        "Acquire::Languages": "none",
        "Acquire::Retries": 3,
        "APT::Sandbox::User": "root",
    }
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    _run("apt-get", *options, "--error-on=any", "update")
    _run("apt-get", *options, "--yes", "--download-only", "--no-install-recommends", "install", *PACKAGES)
    return scratch / "archives"


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
    for link, target in (("var/run", "/run"), ("var/lock", "/run/lock")):
        (system / link).rmdir()
        (system / link).symlink_to(target)
    for name, lines in _ACCOUNTS.items():
        (system / "etc" / name).write_text("\n".join((*lines, "")))
    files = [path for path in system.rglob("*") if path.is_file() and not path.is_symlink()]
    sizes = [f"{path.stat().st_size} {path.relative_to(system)}\n" for path in files]
    (system / _MANIFEST).write_text("".join(sizes))


def _run(*command: str | Path) -> str:
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if result.returncode:
        said = re.findall(r"^[EW]: .*", result.stderr, re.M) or result.stderr.strip().splitlines()
        raise errors.PACKAGES_NOT_DOWNLOADED(reason=" ".join(said[:2]) or command[0])
    return result.stdout
