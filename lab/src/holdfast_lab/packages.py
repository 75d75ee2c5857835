"""The distribution's packages that the lab needs: the one list that scripts, the demo and the guest's build read.

``python3 packages.py demo|demo-virt|test|nova`` (this file alone, with any Python) prints the names that are missing,
one a line. Keys are commands, or paths that may hold ``*``. A name as ``new|old`` is a package that was split off: the
first of them that the distribution has.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

SYSTEM_PATH = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"
"""PATH with the administrator's folders, which a user's own often lacks."""

PROBE_GUEST = {
    "busybox": "busybox-static",
    "depmod": "kmod",
    "mkfs.fat": "dosfstools",
    "mcopy": "mtools",
    "syslinux": "syslinux",
    "objcopy": "binutils",
    "xz": "xz-utils",
    "zstd": "zstd",
    "/usr/lib/systemd/boot/efi/linuxx64.efi.stub": "systemd-boot-efi",
}
"""Command or file → package that provides it: what building the probe guest needs."""

LIBVIRT = {
    "libvirtd": "libvirt-daemon",
    "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver/libvirt_driver_qemu.so": "libvirt-daemon-driver-qemu",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "ip": "iproute2",
    "unshare": "util-linux",
}
"""Command or file → package: what a private libvirt with guests needs."""

AARCH64 = {
    "qemu-system-aarch64": "qemu-system-arm",
    "/usr/share/AAVMF/AAVMF_CODE*.fd": "qemu-efi-aarch64",
}
"""Command or file → package: what ARM guests need besides, which are emulated."""

PYTHON = {
    "/usr/bin/python3": "python3",
    "/usr/lib/python3*/ensurepip": "python3-venv",
    "/usr/lib/python3/dist-packages/libvirt.py": "python3-libvirt",
}
"""What the virtual environment is made from; the binding is the distribution's, which fits its libvirt."""

_DRIVERS = "/usr/lib/x86_64-linux-gnu/libvirt/connection-driver"
_DAEMON = {
    f"{_DRIVERS}/libvirt_driver_interface.so": "libvirt-daemon-driver-interface|libvirt-daemon",
    f"{_DRIVERS}/libvirt_driver_network.so": "libvirt-daemon-driver-network|libvirt-daemon",
    f"{_DRIVERS}/libvirt_driver_secret.so": "libvirt-daemon-driver-secret|libvirt-daemon",
    f"{_DRIVERS}/libvirt_driver_storage.so": "libvirt-daemon-driver-storage|libvirt-daemon",
    "dnsmasq": "dnsmasq-base",
    "iptables": "iptables",
}
_TESTS = {
    "/usr/share/OVMF/OVMF_CODE*.fd": "ovmf",
    **AARCH64,
    "xorriso": "xorriso",
    "swtpm": "swtpm",
    "swtpm_setup": "swtpm-tools",
    "virsh": "libvirt-clients",
    "virt-install": "virtinst",
    "pgrep": "procps",
    "git": "git",
    "age": "age",
    "gpg": "gpg",
    "gpg-agent": "gpg-agent",
    "ssh": "openssh-client",
    "sshd": "openssh-server",
    "tgtd": "tgt",
    "/usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so": "qemu-block-extra",
    "/usr/lib/x86_64-linux-gnu/qemu/ui-spice-core.so": "qemu-system-modules-spice|qemu-system-common",
}

if sys.version_info >= (3, 13):  # which has no module crypt; virt-firmware wants crypt_r, which pip builds
    _TESTS |= {"gcc": "gcc", "/usr/include/python3*/Python.h": "python3-dev", "/usr/include/crypt.h": "libcrypt-dev"}

DEMO = {**LIBVIRT, **PROBE_GUEST, **PYTHON}
"""All that ``holdfast demo`` and the guest tests need, besides Python packages."""

TEST = {**DEMO, **_DAEMON, **_TESTS}
"""All that the whole suite and the benchmarks need."""

NOVA = {
    **TEST,
    "/usr/lib/rabbitmq/bin/rabbitmq-server": "rabbitmq-server",
    "mariadbd": "mariadb-server-core",
    "my_print_defaults": "mariadb-client-core",
    "ceph": "ceph-common",
    "ceph-mon": "ceph-mon",
    "ceph-osd": "ceph-osd",
    "ceph-mgr": "ceph-mgr",
    "/usr/lib/python3/dist-packages/rados*.so": "python3-rados",
    "/usr/lib/python3/dist-packages/rbd*.so": "python3-rbd",
    "/usr/lib/x86_64-linux-gnu/qemu/block-rbd.so": "qemu-block-extra",
    "genisoimage": "genisoimage",
    "ovs-vswitchd": "openvswitch-switch",
}
"""All that the OpenStack of ``scripts/nova-lab`` needs."""

PURPOSES = {"demo": DEMO, "demo-virt": {**DEMO, **AARCH64}, "test": TEST, "nova": NOVA}


def kernel_parts(depends: str) -> list[str]:
    """The packages with parts of a kernel, from what ``apt-cache depends`` prints of its own package.

    Its modules on Ubuntu; from Debian 14 on the kernel itself as well, and the list of what is built into it.
    """
    return re.findall(r"Depends: (linux-(?:base|binary|modules)-\d\S+)", depends)


def missing(needed: dict[str, str] = DEMO) -> list[str]:
    """The packages of ``needed`` whose command or file is not here, sorted."""
    return sorted({package for thing, package in needed.items() if not _present(thing)})


def _present(thing: str) -> bool:
    if thing.startswith("/"):
        return any(Path("/").glob(thing[1:]))
    return shutil.which(thing, path=SYSTEM_PATH) is not None


if __name__ == "__main__":
    print("".join(f"{package}\n" for package in missing(PURPOSES[sys.argv[1]])), end="")
