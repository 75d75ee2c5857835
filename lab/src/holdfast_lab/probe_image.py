"""The probe guest's disk: the distribution's kernel, busybox and our init on one image that boots BIOS and UEFI.

The kernel package is downloaded and unpacked, never installed. The result is cached under ``~/.cache/holdfast`` and
used as long as our sources and the kernel package stay the same, or no newer kernel can be downloaded. What differs
for ARM is in :mod:`.probe_aarch64`; that image is used as long as our sources stay the same.
"""

from __future__ import annotations

import fcntl
import functools
import gzip
import hashlib
import os
import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from holdfast.errors import Failed
from holdfast_lab import errors, probe_aarch64, probe_agent
from holdfast_lab.packages import PROBE_GUEST, SYSTEM_PATH, kernel_parts, missing

KERNELS = ("linux-image-amd64", "linux-image-generic")
"""The packages that depend on the current kernel's real package: Debian's, Ubuntu's."""

MODULES = (
    *("virtio_pci", "virtio_blk", "virtio_net", "virtio_scsi", "virtio_balloon", "virtio_console", "virtio_rng"),
    *("ahci", "sd_mod", "sr_mod", "button", "evdev"),
)
"""Kernel modules without which the guest would not see its usual hardware."""

MORE_MODULES = (
    *("ata_piix", "nvme", "e1000e", "xhci_pci", "ehci_pci", "uhci_hcd", "usb_storage", "usbhid"),
    *("virtio_input", "virtio_mem", "efivarfs"),
)
"""Taken where the kernel package has them; Ubuntu keeps some in another package."""

COMMAND_LINE = "console=ttyS0 quiet rdinit=/init tsc=reliable no_timer_check"
"""The last two keep emulated guests from distrusting and recalibrating their clock."""

SYSLINUX = f"DEFAULT probe\nPROMPT 0\nNOESCAPE 1\nLABEL probe\nKERNEL vmlinuz\nAPPEND initrd=initrd.gz {COMMAND_LINE}\n"
FILE_SYSTEM = 48 << 20
"""Bytes of the file system at the beginning of the disk; behind it lies the guest agent."""

SIZE = 64 << 20
"""Bytes of the whole disk."""

STUB = Path("/usr/lib/systemd/boot/efi/linuxx64.efi.stub")


@dataclass(frozen=True)
class ProbeImage:
    """A built probe guest: ``disk`` (raw, boots by itself); ``kernel`` and ``initrd`` for a direct boot."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The raw disk image. Never start a guest on it: copy it, or lay an overlay over it."""
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        """The kernel (bzImage); boot it with COMMAND_LINE."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initramfs."""
        return self.folder / "initrd.gz"


def probe_image(arch: str = "x86_64") -> ProbeImage:
    """The probe guest's image for ``arch``, built when there is none that fits.

    Takes a few seconds then, and a download: 70 MB, or 35 MB for aarch64. Raises what is wrong with building it, when
    no older build is there: NO_KERNEL, BUILD_PACKAGES_MISSING, NO_BUILD_TOOL, BUILD_FAILED, NO_KERNEL_MODULES,
    NO_KERNEL_FILE, AGENT_TOO_LARGE, and what :func:`.probe_agent.agent_archive` and :func:`.probe_aarch64.download`
    raise.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "probe-guest.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if arch == "aarch64":
            folder = cache / f"probe-guest-aarch64-{_sources_hash()}"
            if not folder.exists():
                _build(_aarch64, folder)
            return ProbeImage(folder)
        prefix = f"probe-guest-{_sources_hash()}-"
        older = sorted(cache.glob(f"{prefix}*"), key=lambda folder: folder.stat().st_mtime)
        try:
            kernel, version = _kernel_package()
            folder = cache / (prefix + hashlib.sha256(f"{kernel}={version}".encode()).hexdigest()[:12])
            if not folder.exists():
                _build(functools.partial(_x86_64, kernel), folder)
        except Failed:
            if not older:
                raise
            folder = older[-1]
    return ProbeImage(folder)


def _sources_hash() -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    digest.update(Path(probe_agent.__file__).read_bytes() + Path(probe_aarch64.__file__).read_bytes())
    for file in sorted(files("holdfast_lab").joinpath("probe_guest").iterdir(), key=lambda file: file.name):
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]


def _kernel_package() -> tuple[str, str]:
    """Name and version of the package with the distribution's current kernel."""
    for name in KERNELS:
        depends = re.search(r"Depends: (linux-image-\d\S+)", _run("apt-cache", "depends", name, check=False))
        if depends:
            kernel = depends.group(1)
            version = re.search(r"^Version: (\S+)", _run("apt-cache", "show", "--no-all-versions", kernel), re.M)
            if version:
                return kernel, version.group(1)
    raise errors.NO_KERNEL()


def _build(make: Callable[[Path, Path], None], folder: Path) -> None:
    """Build into a temporary folder beside ``folder``, then rename it; what a killed build left is removed.

    ``make`` makes the image, with a folder to work in and one for the result.
    """
    absent = missing(PROBE_GUEST)
    if absent:
        raise errors.BUILD_PACKAGES_MISSING(packages=" ".join(absent))
    for stale in folder.parent.glob(".building-*"):
        shutil.rmtree(stale, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".building-") as scratch:
        work, result = Path(scratch), Path(scratch, "result")
        result.mkdir()
        make(work, result)
        result.rename(folder)


def _x86_64(kernel: str, work: Path, result: Path) -> None:
    system = _unpack(_download_kernel(kernel, work), work)
    busybox = shutil.which("busybox", path=SYSTEM_PATH) or ""
    root = _root(system, work / "root", Path(busybox), MODULES)
    for module in root.rglob("*.ko"):
        _run("strip", "-g", str(module))
    _write_boot_files(system, root, result)
    _disk(result, work)


def _aarch64(work: Path, result: Path) -> None:
    system = _unpack(probe_aarch64.download(work), work)
    (busybox,) = system.glob("**/bin/busybox")
    root = _root(system, work / "root", busybox, [name for name in MODULES if name not in probe_aarch64.NO_MODULES])
    _write_boot_files(system, root, result)
    probe_aarch64.write_disk(_run, system, result, SIZE)


def _write_boot_files(system: Path, root: Path, result: Path) -> None:
    """Write the kernel of ``system``, and ``root`` as its initramfs."""
    kernels = [*system.glob("boot/vmlinuz-*"), *system.glob("usr/lib/modules/*/vmlinuz")]
    if not kernels:
        raise errors.NO_KERNEL_FILE()
    shutil.copyfile(kernels[0], result / "vmlinuz")
    (result / "initrd.gz").write_bytes(gzip.compress(_archive(root), 6))


def _download_kernel(kernel: str, work: Path) -> Path:
    """Download the kernel package and those with its parts; return the folder."""
    packages = [kernel, *kernel_parts(_run("apt-cache", "depends", kernel))]
    _run("apt-get", "-o", "APT::Sandbox::User=root", "download", *packages, cwd=work)
    return work


def _unpack(archives: Path, work: Path) -> Path:
    """Unpack the packages in ``archives``; return the folder."""
    system = work / "system"
    for package in archives.glob("*.deb"):
        _run("dpkg-deb", "-x", str(package), str(system))
        package.unlink()
    # Where /lib is a link to /usr/lib, packages may bring either.
    if not (system / "lib" / "modules").is_dir():
        (system / "lib").symlink_to("usr/lib")
    return system


def _root(system: Path, root: Path, busybox: Path, modules: Iterable[str]) -> Path:
    """Make the guest's root folder: busybox, our scripts, and the modules with all they depend on."""
    (release,) = (path.name for path in (system / "lib" / "modules").iterdir())
    source, target = system / "lib" / "modules" / release, root / "lib" / "modules" / release
    _run("depmod", "-b", str(system), release)
    builtin = {_module_name(line) for line in (source / "modules.builtin").read_text().splitlines()}
    needs = dict(line.split(":") for line in (source / "modules.dep").read_text().splitlines())
    paths = {_module_name(path): path for path in needs}
    absent = [name for name in modules if name not in paths and name not in builtin]
    if absent:
        raise errors.NO_KERNEL_MODULES(modules=absent)
    loaded = [name for name in [*modules, *MORE_MODULES] if name in paths]
    for name in loaded:
        for path in [paths[name], *needs[paths[name]].split()]:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / path, target / path)
    for list_ in ("modules.order", "modules.builtin"):
        shutil.copyfile(source / list_, target / list_)
    _expand_modules(target)
    _run("depmod", "-b", str(root), release)

    (root / "bin").mkdir()
    (root / "etc").mkdir()
    (root / "etc" / "modules").write_text(" ".join(loaded) + "\n")
    shutil.copy(busybox, root / "bin" / "busybox")
    scripts = files("holdfast_lab").joinpath("probe_guest")
    for script in ("inventory", "agent"):
        (root / "bin" / script).write_bytes(scripts.joinpath(script).read_bytes())
    (root / "init").write_bytes(scripts.joinpath("init").read_bytes())
    (root / "init").chmod(0o755)
    return root


def _module_name(path: str) -> str:
    return Path(path).name.split(".ko")[0].replace("-", "_")


def _expand_modules(folder: Path) -> None:
    """Unpack compressed modules (Ubuntu, Debian 13), which busybox could not load."""
    for module in [path for path in folder.rglob("*.ko*") if path.is_file()]:
        unpack = {".xz": "xz", ".zst": "zstd", ".gz": "gzip"}.get(module.suffix)
        if unpack:
            plain = module.with_suffix("")
            with plain.open("wb") as out:
                subprocess.run([unpack, "-dc", str(module)], stdout=out, check=True)
            module.unlink()


def _archive(root: Path) -> bytes:
    """The folder as a cpio archive in the kernel's "newc" form, all owned by root and without times."""
    parts = []
    entries = [*sorted(root.rglob("*")), None]
    for number, path in enumerate(entries, 1):
        name = str(path.relative_to(root)) if path else "TRAILER!!!"
        mode = path.lstat().st_mode if path else 0
        data = path.read_bytes() if path and stat.S_ISREG(mode) else b""
        fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        parts += [header, bytes(-len(header) % 4), data, bytes(-len(data) % 4)]
    return b"".join(parts)


def _disk(result: Path, work: Path) -> None:
    """Write ``disk.img``: a FAT file system without partitions, bootable by syslinux and as a unified kernel image.

    Behind it the guest agent, packed.
    """
    disk = str(result / "disk.img")
    agent = probe_agent.agent_archive(_run, work)
    if len(agent) > SIZE - FILE_SYSTEM:
        raise errors.AGENT_TOO_LARGE(size=len(agent))
    with (result / "disk.img").open("wb") as file:
        file.seek(FILE_SYSTEM)
        file.write(agent)
        file.truncate(SIZE)
    (work / "syslinux.cfg").write_text(SYSLINUX)
    _unified_kernel(result, work)
    _run("mkfs.fat", "-F", "16", "-n", "PROBE", disk, str(FILE_SYSTEM // 1024))
    _run("mmd", "-i", disk, "::EFI", "::EFI/BOOT")
    _run("mcopy", "-i", disk, str(work / "BOOTX64.EFI"), "::EFI/BOOT/BOOTX64.EFI")
    _run(
        "mcopy",
        "-i",
        disk,
        *(str(file) for file in (result / "vmlinuz", result / "initrd.gz", work / "syslinux.cfg")),
        "::",
    )
    _run("syslinux", "--install", disk)


def _unified_kernel(result: Path, work: Path) -> None:
    """Put kernel, initramfs and command line into systemd's UEFI stub, each behind the other in memory."""
    (work / "cmdline").write_text(COMMAND_LINE)
    sections = re.findall(r"^ +\d+ \S+ +([0-9a-f]{8}) +([0-9a-f]{8,16}) ", _run("objdump", "-h", str(STUB)), re.M)
    end = max(int(size, 16) + int(address, 16) for size, address in sections)
    command = ["objcopy"]
    for name, file in (("cmdline", work / "cmdline"), ("linux", result / "vmlinuz"), ("initrd", result / "initrd.gz")):
        start = -(-end // 0x10000) * 0x10000
        command += ["--add-section", f".{name}={file}", "--change-section-vma", f".{name}={start:#x}"]
        end = start + file.stat().st_size
    _run(*command, str(STUB), str(work / "BOOTX64.EFI"))


def _run(*command: str, cwd: Path | None = None, check: bool = True) -> str:
    """Run a tool, return its output. Raises NO_BUILD_TOOL, and BUILD_FAILED with the last that it said."""
    environment = {**os.environ, "PATH": SYSTEM_PATH, "LC_ALL": "C", "MTOOLS_SKIP_CHECK": "1"}
    try:
        done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise errors.NO_BUILD_TOOL(tool=command[0]) from error
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise errors.BUILD_FAILED(command=" ".join(command[:3]), reason=said[-1])
    return done.stdout
