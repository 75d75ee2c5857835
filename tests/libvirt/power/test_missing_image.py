"""A domain of which an image is missing: every command that would start it refuses in the same words, and names all
that is known; the audit tells of it beforehand, in the same words, also while the guest runs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.errors import LibvirtRefused
from holdfast.hostfiles import host_devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.audit.report import FindingKind
from tests.libvirt.commands import run
from tests.libvirt.disks.foreign import qemu_img
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml, image
from tests.libvirt.images import qcow2, qcow2_disk
from tests.libvirt.power.test_repair_newest import kept_in_pool, outside_snapshot
from tests.libvirt.processes import crash

BASE, OVERLAY = "pool/one.qcow2", "mounted/over.qcow2"

MISSING = {
    OVERLAY: "there is no image {}/mounted/over.qcow2; the volume store/one.qcow2 recorded for it had the path "
    "{}/pool/one.qcow2, so it is not used; it rests on {}/pool/one.qcow2",
    BASE: "there is no image {}/pool/one.qcow2, on which {}/mounted/over.qcow2 rests",
}
"""What is missing → what is said of it."""


def in_rescue(domain: Domain, connection: Connection, folder: Path) -> None:
    operations.rescue(connection, "a", disk_xml(folder, "rescue", "vdr"), force=True)


def saved(domain: Domain, connection: Connection, folder: Path) -> None:
    operations.save_domain(connection, "a")


def with_snapshot(domain: Domain, connection: Connection, folder: Path) -> None:
    domain._handle.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")


def as_it_runs(domain: Domain, connection: Connection, folder: Path) -> None:
    """Nothing is done to it."""


def crashed(domain: Domain, connection: Connection, folder: Path) -> None:
    crash(domain)


def off(domain: Domain, connection: Connection, folder: Path) -> None:
    operations.destroy(connection, "a")


VERBS: dict[str, tuple[Callable[[Domain, Connection, Path], None], list[str], int]] = {
    "reboot": (as_it_runs, ["reboot", "--hard", "a"], 3),
    "start": (off, ["start", "a"], 3),
    "start, foreseen": (off, ["start", "a", "--dry-run"], 3),
    "restore": (saved, ["restore", "a"], 3),
    "start of saved memory": (saved, ["start", "a"], 3),
    "rescue": (as_it_runs, ["rescue", "a", "--force", "--format", "raw", "--image"], 3),
    "unrescue": (in_rescue, ["unrescue", "a"], 3),
    "revert": (with_snapshot, ["snapshot", "revert", "a", "one", "--accept"], 3),
    "clone": (off, ["clone", "a", "b", "--start"], 3),
    "repair": (crashed, ["repair", "a"], 1),
    "resume-host": (crashed, ["resume-host"], 5),
}
"""Every command that starts a domain which is there: the state for it, its words, its exit code."""


def audited(connection: Connection) -> list[str]:
    return [
        finding.sentence
        for report in operations.audit_host(connection).domains
        for finding in report.findings
        if finding.kind is FindingKind.WOULD_NOT_START
    ]


@pytest.mark.parametrize("missing", MISSING)
@pytest.mark.parametrize("verb", VERBS)
def test_every_start_without_an_image_is_refused_in_the_same_words(
    daemon: Connection, tmp_path: Path, verb: str, missing: str
) -> None:
    prepare, command, code = VERBS[verb]
    domain = kept_in_pool(daemon, tmp_path / "pool")
    (tmp_path / "mounted").mkdir()
    operations.start(daemon, "a", paused=True)
    outside_snapshot(domain, tmp_path / "mounted")
    operations.repair_domain(daemon, "a")  # records what its image rests on
    if verb == "rescue":
        command = [*command, str(image(tmp_path, "r"))]
    prepare(domain, daemon, tmp_path)
    (tmp_path / missing).rename(tmp_path / "away")
    before = domain.state(), domain.xml(CONFIG)
    words = MISSING[missing].format(tmp_path, tmp_path, tmp_path)
    assert [sentence.endswith(words) for sentence in audited(daemon)] == [True]
    result = run(daemon.uri, *command)
    assert words in result.stdout + result.stderr
    assert "'holdfast repair a'; '--source TARGET=PATH' says where the newest image" in result.stderr
    assert (result.exit_code, domain.state(), domain.xml(CONFIG)) == (code, *before)


def test_an_audit_finds_it_in_a_domain_of_which_nothing_is_recorded(connection: Connection, tmp_path: Path) -> None:
    base = qcow2(tmp_path, "base", 1)
    overlay = tmp_path / "over.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(overlay))
    domain = connection.define(domain_xml(extra=qcow2_disk(overlay)))
    assert audited(connection) == []
    base.unlink()
    (found,) = audited(connection)
    assert found.endswith(f"there is no image {base}, on which {overlay} rests")
    with pytest.raises(LibvirtRefused, match="base"):
        domain.start(paused=True)


def test_what_a_raw_image_holds_names_no_file(connection: Connection, tmp_path: Path) -> None:
    """A guest can write what looks like a header onto its disk."""
    base, raw = qcow2(tmp_path, "base", 1), tmp_path / "raw.img"
    qemu_img("create", "-f", "qcow2", "-b", str(base), "-F", "qcow2", str(raw))
    base.unlink()
    disk = f"<disk type='file'><driver name='qemu' type='raw'/><source file='{raw}'/><target dev='vdb'/></disk>"
    domain = connection.define(domain_xml(extra=disk))
    assert audited(connection) == []
    domain.start(paused=True)


def test_a_hook_may_make_an_image_before_a_start(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirt runs /etc/libvirt/hooks/qemu before it looks for images: then it is libvirt that has to refuse."""
    monkeypatch.setattr(host_devices, "_HOOKS", tmp_path)
    connection.define(domain_xml(extra=disk_xml(tmp_path, "one", "vda")))
    (tmp_path / "one.img").unlink()
    (tmp_path / "qemu").touch()
    with pytest.raises(LibvirtRefused, match="Cannot access storage file"):
        operations.start(connection, "a")
    assert audited(connection)
