"""nova-compute, as the user nova, and root's commands wait for each other; its other threads go on meanwhile."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast.hostfiles import lock
from tests.nova.in_nova import in_nova

UUID = "6f0c1a52-2c3e-4b1f-9f0e-0d8f4a3b2c1d"
GROUP, NOVA = 54321, 12345

WAITING = """
import os
import sys
import threading
import time
from pathlib import Path
import nova.monkey_patch
nova.monkey_patch.patch("eventlet")
import holdfast_nova.keeper
from holdfast.errors import HoldfastError
from holdfast.hostfiles import lock
lock.SHARED = Path(sys.argv[1])
os.setgroups([int(sys.argv[2])])
os.setgid(int(sys.argv[3]))
os.setuid(int(sys.argv[3]))
ticked = threading.Event()
threading.Thread(target=ticked.set).start()
try:
    with lock.domain_lock(sys.argv[4], "i-1", timeout=1):
        print("taken")
except HoldfastError as error:
    print(error.code, error.fields["holder"], "while others went on" if ticked.is_set() else "while all stood still")
"""


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of locks, set up for all who are in GROUP; the user nova cannot enter pytest's own."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        folder = Path(name, "holdfast")
        folder.mkdir()
        os.chown(folder, 0, GROUP)
        folder.chmod(0o2770)
        monkeypatch.setattr(lock, "SHARED", folder)
        yield folder


@pytest.mark.parametrize("threading", ["", "yes"], ids=["eventlet", "threading"])
def test_nova_waits_for_a_command_of_roots_and_gives_up_and_its_other_threads_go_on(
    folder: Path, threading: str
) -> None:
    words = ("-c", WAITING, str(folder), str(GROUP), str(NOVA), UUID)
    with lock.domain_lock(UUID, "i-1"):
        held = in_nova(*words, OS_NOVA_DISABLE_EVENTLET_PATCHING=threading)
    assert held.stdout == f"locked process {os.getpid()} while others went on\n", held.stderr
    assert in_nova(*words, OS_NOVA_DISABLE_EVENTLET_PATCHING=threading).stdout == "taken\n"
