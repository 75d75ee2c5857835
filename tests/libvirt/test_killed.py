"""A command that is killed at any of its steps leaves nothing that libvirt alone does not tell, or nothing at all.

The command is a process of its own that ends by SIGKILL (:mod:`tests.libvirt.killed`); each step is tried.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import holdfast
import libvirt
from holdfast import operations
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.elements.disk import source_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.metadata import facts
from holdfast.errors import NotFound
from holdfast.errors.changes import IMAGE_LEFT
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.audit.report import FindingKind
from holdfast.operations.disks.keep_record import left_in_making, record_disk
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.documents import read
from holdfast.operations.session import looking
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml, places
from tests.libvirt.killed import run_killed
from tests.raising import raising

MIB = 1024 * 1024
KILLED = -9


@pytest.fixture
def host(daemon_uri: str) -> Iterator[Connection]:
    """The private libvirtd without domains."""
    with holdfast.connect(daemon_uri) as connection:
        yield connection
        for domain in connection.domains():
            if domain.is_active():
                domain.destroy()
            domain.undefine()


@pytest.fixture
def folder(daemon_uri: str, tmp_path: Path) -> Iterator[Path]:
    """The folder of the active pool "default"."""
    raw = libvirt.open(daemon_uri)
    path = tmp_path / "pool"
    path.mkdir()
    pool = raw.storagePoolCreateXML(f"<pool type='dir'><name>default</name><target><path>{path}</path></target></pool>")
    yield path
    pool.destroy()
    raw.close()


def unfinished(host: Connection) -> list[str]:
    """What the audit says of it."""
    findings = [finding for report in operations.audit_host(host).domains for finding in report.findings]
    assert not [finding for finding in findings if finding.kind is FindingKind.RECORD]
    return [finding.sentence for finding in findings if finding.kind is FindingKind.UNFINISHED]


def known(documents: list[Element]) -> set[str]:
    """The images that documents or their records name."""
    disks = {source_of(disk) or "" for document in documents for disk in document.iterfind("devices/disk")}
    return disks | {record.place for document in documents for record in left_in_making(document)}


def files(folder: Path) -> set[str]:
    return set(map(str, folder.iterdir()))


def test_create_killed_at_any_step_leaves_nothing_unknown(host: Connection, daemon_uri: str, folder: Path) -> None:
    base, user_data = folder.parent / "base.img", folder.parent / "user-data"
    base.write_bytes(b"\1" * MIB)
    user_data.write_text("#cloud-config\n")
    copied = f"path={folder}/a.qcow2,copy-from={base},source-format=raw"
    command = ["create", "a", "--memory", "64MiB", "--disk", copied, "--disk", "size=1MiB"]
    command += ["--cloud-init", str(user_data)]
    unfinished_ones = 0
    for step in itertools.count(1):
        code = run_killed(step, daemon_uri, *command)
        assert code in (KILLED, 0)
        try:
            domain = host.find_domain("a")
        except NotFound:
            assert not files(folder)
            continue
        documents = list(read(domain).present.values())
        assert files(folder) <= known(documents)
        if said := unfinished(host):
            unfinished_ones += 1
            assert tuple(said) == operations.show_domain(host, "a").unfinished
            assert documents[0].find("devices/disk") is None, "nobody who starts it meets half an image"
            for operation in ("start", "create"):
                result = run(daemon_uri, operation, "a", *(["--memory", "64MiB"] if operation == "create" else []))
                assert result.exit_code == 3 and "delete --storage a" in result.stderr
            if files(folder):
                assert "delete --storage a" in run(daemon_uri, "delete", "a").stderr
        else:
            assert len(files(folder)) == 3 and operations.start(host, "a", paused=True)
        done(daemon_uri, "delete", "--storage", "--force", "a")
        assert not files(folder) and base.exists()
        if code == 0:
            break
    assert unfinished_ones >= 13, "what is made, each before, after and while qemu-img runs"


def test_image_that_its_pool_does_not_list_is_found_too(host: Connection, daemon_uri: str, folder: Path) -> None:
    """As after a crash of the daemon itself."""
    place = folder / "a-vda.qcow2"
    place.touch()
    record = DiskRecord("vda", "ua-x", "volume", volume="default/a-vda.qcow2", place=str(place), format="qcow2")
    host.define(domain_xml())
    record_disk(looking(host, "a"), record, [CONFIG])
    assert run(daemon_uri, "delete", "a").exit_code == 3
    done(daemon_uri, "delete", "a", "--storage")
    assert not files(folder)


def attached(domain: Domain) -> list[bool]:
    """Whether live and config have vda."""
    return [any(target == "vda" for target in places(domain, which)) for which in read(domain).present]


def test_attach_killed_at_any_step_is_finished_by_repeating_it(host: Connection, daemon_uri: str, folder: Path) -> None:
    spec = DiskSpec(path=f"{folder}/a.qcow2", size=MIB, role="swap")
    repeated = 0
    for step in itertools.count(1):
        domain = host.define(domain_xml())
        domain.start(paused=True)
        operations.adopt_domain(host, "a")
        code = run_killed(step, daemon_uri, "disk", "attach", "a", f"path={spec.path},size=1MiB,role=swap")
        assert code in (KILLED, 0)
        documents = list(read(domain).present.values())
        assert files(folder) <= known(documents)
        if not all(attached(domain)):
            recorded = [each for document in documents for each in facts(document, DiskRecord)]
            assert bool(unfinished(host)) == any(each.in_making for each in recorded)
        if unfinished(host) or not all(attached(domain)):
            operations.attach_disk(host, "a", spec)
            repeated += 1
        assert places(domain, CONFIG) == places(domain, next(iter(read(domain).present)))
        assert attached(domain) == [True, True] and len(files(folder)) == 1
        listed = [disk.record for disk in operations.list_devices(host, "a", "disk")]
        assert [(record.role, record.in_making) for record in listed if record] == [("swap", False)]
        assert not unfinished(host)
        done(daemon_uri, "delete", "--storage", "--force", "a")
        assert not files(folder)
        if code == 0:
            break
    assert repeated >= 9


def test_attach_killed_at_any_step_is_taken_back_by_detach(host: Connection, daemon_uri: str, folder: Path) -> None:
    """Of a domain that is shut off and was never adopted, in a pool; nothing of it stays, not even our element."""
    taken_back = 0
    for step in itertools.count(1):
        domain = host.define(domain_xml())
        code = run_killed(step, daemon_uri, "disk", "attach", "a", "size=1MiB")
        assert code in (KILLED, 0)
        document = parse(domain.xml(CONFIG))
        assert files(folder) <= known([document])
        if left_in_making(document):
            taken_back += 1
            with raising(IMAGE_LEFT, target="vda"):
                operations.release_domain(host, "a")
            was_made = bool(files(folder))
            assert ("removed" in done(daemon_uri, "disk", "detach", "a", "vda")) is was_made
            assert not files(folder) and "holdfast" not in domain.xml(CONFIG)
        elif attached(domain) == [True]:
            operations.detach_device(host, "a", "vda")
            assert len(files(folder)) == 1 and "holdfast" not in domain.xml(CONFIG), "the image of a disk stays"
            host._handle.storagePoolLookupByName("default").storageVolLookupByName("a-vda.qcow2").delete()
        else:
            assert not files(folder)
        if code == 0:
            break
        domain.undefine()
    assert taken_back >= 4
