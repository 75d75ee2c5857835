"""The lab's newer host: it runs another release's libvirt and QEMU, and is gone when its owner is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.other_debian import is_unpacked
from holdfast_lab.patience import wait_until

OWNER = """
import signal, sys
from pathlib import Path
from holdfast_lab.daemon import private_host
with private_host(system=Path(sys.argv[1])) as host:
    print(host.process.pid, host.folder, flush=True)
    signal.pause()
"""


def newest_machine(connection: Connection) -> str:
    """What q35 stands for there."""
    capabilities = parse(connection.domain_capabilities(arch="x86_64", machine="q35", virttype="qemu"))
    return capabilities.findtext("machine") or ""


def test_each_host_has_a_qemu_of_its_own(older: Connection, newer: Connection) -> None:
    assert newest_machine(newer) == "pc-q35-10.0"
    assert newest_machine(older) != newest_machine(newer)


def test_killed_owner_leaves_nothing(system: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER, system], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        pid, folder = owner.stdout.readline().split()
        owner.kill()
    wait_until(lambda: not Path("/proc", pid).exists(), "the host outlives its owner")
    assert not Path(folder).exists()
    assert not list((system / "run").iterdir()) and not list((system / "tmp").iterdir())
    assert is_unpacked(system)


def test_a_folder_that_lost_something_is_not_used(tmp_path: Path) -> None:
    assert not is_unpacked(tmp_path)
    (tmp_path / "unpacked-files").write_text("3 a file\n")
    assert not is_unpacked(tmp_path)
    (tmp_path / "a file").write_text("abc")
    assert is_unpacked(tmp_path)
    (tmp_path / "a file").write_text("ab")
    assert not is_unpacked(tmp_path)
