"""libvirt's real QEMU driver inside this process (``qemu:///embed``): own state, no daemon, gone when we are.

It has domains and devices, but no storage pools, networks or secrets: those need :mod:`holdfast_lab.daemon`. One
process at a time per root; inside an enclosure only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from holdfast_lab.enclosure import lab_folder

QEMU_CONF = """\
user = "root"
group = "root"
swtpm_user = "root"
swtpm_group = "root"
security_driver = "none"
namespaces = [ ]
cgroup_controllers = [ ]
stdio_handler = "file"
"""
"""No confinement by the host: the enclosure has no cgroups of its own, and its guests are ours."""


@contextlib.contextmanager
def embedded_root() -> Iterator[Path]:
    """A folder for one embedded libvirt, removed at the end."""
    root = Path(tempfile.mkdtemp(prefix="hf-", dir=lab_folder()))
    try:
        (root / "etc").mkdir()
        (root / "etc" / "qemu.conf").write_text(QEMU_CONF + _display_ports())
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _display_ports() -> str:
    """A range of VNC and SPICE ports of this process's own: each libvirt believes that it alone gives them out."""
    world = Path("/proc/self/ns/pid").stat().st_ino  # processes of two enclosures can have the same number
    first = 5900 + (world + os.getpid()) % 500 * 100
    return f"remote_display_port_min = {first}\nremote_display_port_max = {first + 99}\n"


def embedded_uri(root: Path) -> str:
    """The URI to connect to for the libvirt in ``root``."""
    return f"qemu:///embed?root={root}"
