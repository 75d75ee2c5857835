"""Which devices a QEMU of this machine can be given: it says so itself."""

from __future__ import annotations

import re
import subprocess

_NAME = re.compile(r'(?:^name|, alias) "([^"]+)"', re.MULTILINE)
"""name "virtio-net-pci", bus PCI, alias "virtio-net": each can be asked for by either."""


def qemu_models(emulator: str) -> frozenset[str] | None:
    """The names and aliases of all devices of the QEMU at the path ``emulator``; None where it does not say.

    (``-device help``, which runs no guest.) Only a path that libvirt itself names may come here: it is executed.
    """
    command = [emulator, "-machine", "none", "-nodefaults", "-device", "help"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    except OSError:
        return None
    return frozenset(_NAME.findall(done.stdout)) or None
