"""Who runs this process, and which program it is: for records, to be shown and not to be trusted."""

from __future__ import annotations

import os
import pwd
import sys
from pathlib import Path


def process_owner() -> str:
    """The user that runs this process: "anna", "root (sudo: anna)"."""
    user = os.geteuid()
    try:
        name = pwd.getpwuid(user).pw_name
    except KeyError:
        name = str(user)
    behind = os.environ.get("SUDO_USER", "")
    return f"{name} (sudo: {behind})" if user == 0 and behind else name


def program_name() -> str:
    """The program that this process runs: "holdfast", "nova-compute"."""
    return Path(sys.argv[0]).name or "python3"
