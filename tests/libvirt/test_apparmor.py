"""What QEMU has open of a domain is what libvirt's AppArmor helper allows for its document: on systems with AppArmor.

No kernel here enforces a profile. ``virt-aa-helper --dryrun`` prints the rules that libvirt would load for a document,
and they are held against the files that the running QEMU has open, whatever verb gave them to it.
"""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DiskSpec, DomainSpec, Place
from tests.libvirt.domains import LIVE
from tests.libvirt.dry_runs.stories import MIB, STORIES, medium, off
from tests.libvirt.images import qcow2
from tests.libvirt.processes import pid_of

HELPER = Path("/usr/lib/libvirt/virt-aa-helper")
RULE = re.compile(r'^ *"(?P<path>[^"]+)" (?P<rights>[a-z]+),$', re.MULTILINE)
ACCESS = 3
"""What of a file's flags says whether it is open to be read (0), written (1), or both."""

GIVES_FILES = (
    "attach_device",
    "attach_disk",
    "clone_domain started",
    "create_domain started",
    "create_domain_from_document",
    "create_snapshot external",
    "insert_medium",
    "move_disk off",
    "move_disk runs",
    "rescue",
    "rescue running",
    "revert_to_snapshot off now running",
    "swap_disk",
)


def told(story: str) -> Callable[[Connection, Path], None]:
    prepare, act = STORIES[story]

    def tell(connection: Connection, folder: Path) -> None:
        prepare(connection, folder)
        act(connection, folder)(dry_run=False)

    return tell


def with_firmware(connection: Connection, folder: Path) -> None:
    """With an overlay, a seed of cloud-init, and an NVRAM of its own."""
    (folder / "user-data").write_text("#cloud-config\n")
    disk = DiskSpec(path=str(folder / "new.qcow2"), overlay_of=str(qcow2(folder, "base")), source_format="qcow2")
    spec = DomainSpec(memory=64 * MIB, vcpus=1, disks=(disk,), graphics="none", firmware="uefi")
    operations.create_domain(connection, "a", spec)


def rescued_with_firmware(connection: Connection, folder: Path) -> None:
    with_firmware(connection, folder)
    operations.rescue(connection, "a", medium(folder))


def cloned_with_firmware(connection: Connection, folder: Path) -> None:
    with_firmware(connection, folder)
    operations.clone_domain(connection, "a", "b")


def snapshot_of_moved(connection: Connection, folder: Path) -> None:
    off(connection, folder)
    operations.start(connection, "a", paused=True)
    operations.move_disk(connection, "a", "vda", Place(path=str(folder / "moved.qcow2")))
    operations.create_snapshot(connection, "a", "s", external=True, memory=False)


DEEDS = {name: told(name) for name in GIVES_FILES}
DEEDS |= {
    each.__name__: each for each in (with_firmware, rescued_with_firmware, cloned_with_firmware, snapshot_of_moved)
}


def allowed(domain: Domain) -> Iterator[tuple[re.Pattern[str], str]]:
    """What the profile of the domain's live document allows: which paths, and what may be done with them."""
    command = [str(HELPER), "--dryrun", "--replace", "--uuid", f"libvirt-{domain.uuid}"]
    done = subprocess.run(command, input=domain.xml(LIVE), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for rule in RULE.finditer(done.stderr + done.stdout):
        words = re.escape(rule["path"]).replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        yield re.compile(words), rule["rights"]


def files_of(domain: Domain, libvirts: str) -> Iterator[tuple[str, str]]:
    """The files that its QEMU has open, and for what ("r", "w", "rw"); without those that libvirt gave it of its own.

    The NVRAM of a rescue is removed once QEMU has it.
    """
    process = Path("/proc", str(pid_of(domain)))
    for each in (process / "fd").iterdir():
        path = str(each.readlink()).removesuffix(" (deleted)")
        own = path.startswith(("/usr/", "/dev/", "/proc/", f"{libvirts}/log/", f"{libvirts}/run/"))
        if own or not path.startswith("/") or not stat.S_ISREG(each.stat().st_mode):
            continue
        flags = re.search(r"^flags:\s*(\d+)$", (process / "fdinfo" / each.name).read_text(), re.MULTILINE)
        assert flags is not None
        yield path, ("r", "w", "rw")[int(flags[1], 8) & ACCESS]


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
def test_apparmor_allows_all_files_that_a_verb_gives_to_qemu(
    deed: Callable[[Connection, Path], None], connection: Connection, tmp_path: Path
) -> None:
    deed(connection, tmp_path)
    seen = set()
    for domain in connection.domains():
        if not domain.is_active():
            domain.start(paused=True)
        rules = list(allowed(domain))
        for path, access in files_of(domain, connection.uri.partition("root=")[2]):
            seen.add(path)
            ways = [rights for rule, rights in rules if rule.fullmatch(path)]
            assert any(set(access) <= set(rights) for rights in ways), (path, access, ways)
    assert seen, "QEMU has nothing open"


def test_file_that_the_document_does_not_name_is_not_allowed(connection: Connection, tmp_path: Path) -> None:
    off(connection, tmp_path)
    operations.start(connection, "a", paused=True)
    rules = list(allowed(connection.find_domain("a")))
    assert not [rule for rule, _ in rules if rule.fullmatch(str(tmp_path / "other.img"))]
