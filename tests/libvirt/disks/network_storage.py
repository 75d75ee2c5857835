"""Servers of images for tests: NBD by qemu-nbd, iSCSI by tgt, all in user space and gone with the test."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from holdfast_lab.patience import wait_until

IQN = "iqn.2024-01.org.example:disks"


@contextlib.contextmanager
def nbd_server(image: Path, export: str = "one") -> Iterator[str]:
    """Serve the raw ``image`` on a unix socket beside it; gives the URL."""
    path = image.with_suffix(".sock")
    command = ["qemu-nbd", "--persistent", "--shared=0", "-f", "raw", "-k", str(path), "-x", export, str(image)]
    with _process(command):
        wait_until(path.exists, "qemu-nbd does not listen")
        yield f"nbd+unix:///{export}?socket={path}"


@contextlib.contextmanager
def iscsi_target(image: Path) -> Iterator[str]:
    """Serve the raw ``image`` as LUN 1 of a target on a port of the loopback; gives the URL."""
    port = _free_port()
    control = {**os.environ, "TGT_IPC_SOCKET": str(image.with_suffix(".tgt"))}

    def admin(*words: str) -> bool:
        run = subprocess.run(["tgtadm", "--lld", "iscsi", *words], env=control, capture_output=True)
        return run.returncode == 0

    with _process(["tgtd", "-f", "--iscsi", f"portal=127.0.0.1:{port}"], control):
        wait_until(lambda: admin("--op", "show", "--mode", "target"), "tgtd does not answer")
        assert admin("--op", "new", "--mode", "target", "--tid", "1", "-T", IQN)
        assert admin("--op", "new", "--mode", "logicalunit", "--tid", "1", "--lun", "1", "-b", str(image))
        assert admin("--op", "bind", "--mode", "target", "--tid", "1", "-I", "ALL")
        yield f"iscsi://127.0.0.1:{port}/{IQN}/1"


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str] | None = None) -> Iterator[None]:
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield
        finally:
            server.kill()  # tgtd ignores SIGTERM while it has a target (1.0.85)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
