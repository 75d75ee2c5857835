"""Runs nova-compute, which is killed right after a call to libvirt that somebody has named in a file.

``python mortal_compute.py FILE ARGUMENTS``: FILE names a method of libvirt's domain or connection; the next call of it
is the last thing this process does, whether it fails or not. Everything else is nova-compute as it is installed.
"""

from __future__ import annotations

import functools
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar

import libvirt

CALLS = {
    libvirt.virDomain: (
        *("create", "createWithFlags", "destroy", "shutdown", "suspend", "resume", "managedSave", "undefineFlags"),
        *("attachDeviceFlags", "detachDeviceFlags", "blockCopy", "blockResize", "setMetadata"),
    ),
    libvirt.virConnect: ("defineXML", "defineXMLFlags", "createXML"),
}
"""Class → the methods of it that change something and may be named."""


P = ParamSpec("P")
T = TypeVar("T")


def _mortal(method: Callable[P, T], order: Path) -> Callable[P, T]:
    @functools.wraps(method)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return method(*arguments, **named)
        finally:
            if order.exists() and order.read_text().strip() == method.__name__:
                order.unlink()
                os.kill(os.getpid(), signal.SIGKILL)

    return call


if __name__ == "__main__":
    order = Path(sys.argv.pop(1))
    for owner, names in CALLS.items():
        for name in names:
            setattr(owner, name, _mortal(getattr(owner, name), order))
    from nova.cmd.compute import main

    main()
