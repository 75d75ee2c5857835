"""Who runs this process, on which machine, and which program it is: for records, to be shown and not to be trusted."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path


def process_owner() -> str:
    """The user that runs this process: "anna", "root (sudo: anna)"."""
    name, behind = user_name(), os.environ.get("SUDO_USER", "")
    return f"{name} (sudo: {behind})" if os.geteuid() == 0 and behind else name


def user_name() -> str:
    """The user that this process runs as: "root"."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def program_name() -> str:
    """The program that this process runs: "holdfast", "nova-compute"."""
    return Path(sys.argv[0]).name or "python3"


def host_name() -> str:
    """The name of this machine: "hv1"."""
    return os.uname().nodename
