"""CPU limits of a running domain, in the host's control groups: a libvirt that may use them, in a group of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

GROUPS = Path("/sys/fs/cgroup/cpu")

INSIDE = """
from pathlib import Path
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.libvirtapi.connection import open_connection
from holdfast.operations import DomainSettings
from holdfast_lab import embedded
from tests.libvirt.domains import CONFIG, LIVE, domain_xml

embedded.QEMU_CONF = embedded.QEMU_CONF.replace("cgroup_controllers = [ ]", 'cgroup_controllers = [ "cpu" ]')
with embedded.embedded_root() as root, open_connection(embedded.embedded_uri(root)) as connection:
    domain = connection.define(domain_xml())
    domain.start(paused=True)
    try:
        group = next(Path("/sys/fs/cgroup/cpu").rglob("*.libvirt-qemu"))
        for settings in (DomainSettings(cpu_shares=512, cpu_quota=50000), DomainSettings(cpu_quota=-1)):
            change = operations.set_domain(connection, "a", settings)
            assert all(setting.changed == (LIVE, CONFIG) for setting in change.settings), change
            said = {d: {e.tag: e.text for e in parse(domain.xml(d)).find("cputune")} for d in (LIVE, CONFIG)}
            assert said[LIVE] == said[CONFIG], said
            quota = (group / "vcpu0" / "cpu.cfs_quota_us").read_text().strip()
            print(said[LIVE]["shares"], (group / "cpu.shares").read_text().strip(), said[LIVE]["quota"], quota)
    finally:
        domain.destroy()
"""


@pytest.fixture
def group() -> Iterator[Path]:
    """A group of the host's CPU controller for one process, removed at the end with what libvirt made in it."""
    if not os.access(GROUPS / "cpu.shares", os.W_OK):
        pytest.skip(f"this machine has no control groups of version 1 in {GROUPS} that may be written")
    made = GROUPS / f"holdfast-test-{os.getpid()}"
    made.mkdir()
    yield made
    for folder in sorted((path for path in made.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()
    made.rmdir()


def test_shares_and_quota_hold_at_once_and_at_the_next_start(group: Path) -> None:
    script = f"""echo $$ >{group}/cgroup.procs
        exec unshare --mount --cgroup sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null
            umount {GROUPS} && mount -t cgroup -o cpu cgroup {GROUPS} && exec "$0" -c "$1"' "$0" "$1" """
    command = ["sh", "-c", script, sys.executable, INSIDE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["512 512 50000 50000", "512 512 -1 -1"]
