"""``holdfast audit``: every kind of finding has a domain that shows it and one that does not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from holdfast import operations
from holdfast.domainxml.fact import Releasing
from holdfast.errors import NoConnection
from holdfast.hostfiles import lock
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.operations.connect import connect
from holdfast.operations.facts import record_fact
from holdfast.operations.session import looking
from tests.libvirt.commands import run
from tests.libvirt.domains import CONFIG, LIVE, deprecated_machine, disk_xml, domain_xml, image

RNG = "<rng model='virtio'><backend model='builtin'/><alias name='ua-rng'/></rng>"
SEALED = "<serial>S{0}</serial><alias name='ua-{0}'/>"
MANY = 30
"""So many that one host is done long before the other."""

NOWHERE = "qemu+unix:///system?socket=/nonexistent/libvirt-sock"


def sealed(name: str = "a", machine: str = "pc-q35-7.2", ports: int = 8, extra: str = "") -> str:
    """A domain in which there is nothing to find."""
    named = "<memballoon model='virtio'><alias name='ua-balloon'/></memballoon>"
    document = domain_xml(name, machine, 0, extra).replace("<memballoon model='virtio'/>", named)
    root = "<controller type='pci' index='0' model='pcie-root'/>"
    some = "".join(f"<controller type='pci' index='{n}' model='pcie-root-port'/>" for n in range(1, ports + 1))
    return document.replace("<devices>", f"<devices>{root}{some}" if "q35" in machine else "<devices>")


def own_disk(folder: Path, name: str, target: str, extra: str = "") -> str:
    return disk_xml(folder, name, target, extra + SEALED.format(target))


def found(connection: Connection, name: str = "a") -> list[Finding]:
    reports = operations.audit_host(connection).domains
    return [finding for report in reports if report.name == name for finding in report.findings]


def kinds(connection: Connection, name: str = "a") -> set[FindingKind]:
    return {finding.kind for finding in found(connection, name)}


def test_nothing_is_found_in_a_sealed_domain(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(sealed(extra=own_disk(tmp_path, "a", "vda")))
    assert found(connection) == []
    domain.start(paused=True)
    assert found(connection) == []
    report = operations.audit_host(connection)
    assert (report.domain_count, report.notes, report.unread, report.error) == (1, (), (), None)
    assert [machine.name for machine in report.machines] == ["pc-q35-7.2"]


def test_users_who_do_not_wait_for_each_other_are_said_once_a_host(
    daemon: Connection, remote_uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        daemon.define(sealed(name))
    folder = tmp_path / "holdfast"
    monkeypatch.setattr(lock, "SHARED", folder)
    (note,) = operations.audit_host(daemon).notes
    assert "commands of different users on one domain do not wait for each other" in note
    with connect(remote_uri) as elsewhere:
        assert [note for note in operations.audit_host(elsewhere).notes if "wait" in note] == []
    folder.mkdir()
    folder.chmod(0o2770)
    assert operations.audit_host(daemon).notes == ()


def test_live_and_config_that_differ(connection: Connection) -> None:
    domain = connection.define(sealed())
    domain.start(paused=True)
    domain.attach(RNG, CONFIG)
    (finding,) = found(connection)
    assert (finding.kind, finding.sentence) == (
        FindingKind.DRIFT,
        "at the next start rng ua-rng is added at pci 0000:02:00.0",
    )


def test_a_device_that_is_not_released_is_no_drift(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(sealed())
    domain.start(paused=True)
    domain.attach(own_disk(tmp_path, "data", "vdb"), LIVE)
    assert kinds(connection) == {FindingKind.DRIFT}
    record_fact(looking(connection, domain.uuid), Releasing("disk", "vdb", "ua-vdb"))
    (finding,) = found(connection)
    assert finding == Finding(FindingKind.RELEASING, "disk vdb is detached, and the guest has not released it")


def test_parts_left_open_are_one_finding_for_each_kind_of_part(connection: Connection, tmp_path: Path) -> None:
    document = sealed(extra=disk_xml(tmp_path, "x", "vda") + disk_xml(tmp_path, "y", "vdb"))
    connection.define(document.replace("<devices>", "<cpu mode='host-model'/><devices>", 1))
    sentences = [finding.sentence for finding in found(connection)]
    assert {finding.kind for finding in found(connection)} == {FindingKind.UNSEALED}
    assert sorted(sentence.partition(":")[0] for sentence in sentences) == ["alias", "cpu", "serial"]
    assert any(sentence.endswith("(and 1 more of this kind)") for sentence in sentences)


def test_a_machine_type_that_expires(connection: Connection) -> None:
    old = sealed("old", deprecated_machine(connection))
    new = sealed("new", "pc-i440fx-7.2")
    for document in (old, new):
        connection.define(document)
    assert FindingKind.EXPIRING_MACHINE in kinds(connection, "old")
    assert FindingKind.EXPIRING_MACHINE not in kinds(connection, "new")


def test_no_free_slot_is_told_once(connection: Connection) -> None:
    connection.define(sealed("full", ports=1))
    connection.define(sealed("one-left", ports=2))
    assert kinds(connection, "full") == {FindingKind.NO_SLOT}
    assert kinds(connection, "one-left") == {FindingKind.UNSEALED}


def test_a_transient_domain(connection: Connection) -> None:
    connection.define(sealed()).start(paused=True)
    assert found(connection) == []
    connection.find_domain("a").undefine()
    assert kinds(connection) == {FindingKind.TRANSIENT}


def test_a_snapshot_with_other_hardware(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(path), "1M"], check=True)
    disk = (
        own_disk(tmp_path, "unused", "vda").replace("raw", "qcow2").replace(str(image(tmp_path, "unused")), str(path))
    )
    domain = connection.define(sealed(extra=disk))
    domain._handle.snapshotCreateXML("<domainsnapshot><name>before</name></domainsnapshot>")
    assert found(connection) == []
    domain.attach(RNG, CONFIG)
    (finding,) = found(connection)
    assert finding.kind is FindingKind.SNAPSHOT
    assert "snapshot before" in finding.sentence and "rng ua-rng is removed" in finding.sentence


def test_an_image_of_two_domains(connection: Connection, tmp_path: Path) -> None:
    shared = own_disk(tmp_path, "common", "vdb")
    marked = shared.replace("</disk>", "<shareable/></disk>").replace("common", "cluster")
    image(tmp_path, "cluster")
    for name in ("a", "b"):
        connection.define(sealed(name, extra=shared + marked.replace("vdb", "vdc")))
    connection.define(sealed("c", extra=own_disk(tmp_path, "own", "vdb")))
    (finding,) = found(connection)
    assert finding.kind is FindingKind.SHARED_IMAGE
    assert finding.sentence == f"disk vdb writes {tmp_path}/common.img, which is also an image of b"
    assert kinds(connection, "b") == {FindingKind.SHARED_IMAGE}
    assert kinds(connection, "c") == set()


def test_a_raw_image_that_begins_like_another_format(connection: Connection, tmp_path: Path) -> None:
    connection.define(sealed(extra=own_disk(tmp_path, "evil", "vda")))
    assert found(connection) == []
    with (tmp_path / "evil.img").open("r+b") as file:
        file.write(b"QFI\xfb\0\0\0\3")
    assert kinds(connection) == {FindingKind.DISGUISED_IMAGE}
    (tmp_path / "evil.img").unlink()
    assert kinds(connection) == {FindingKind.WOULD_NOT_START}
    assert "could not be read" in operations.audit_host(connection).notes[0]


def change_the_capabilities(
    connection: Connection, monkeypatch: pytest.MonkeyPatch, call: str, old: str, new: str
) -> None:
    """As a later libvirt would say it; this QEMU calls no CPU model deprecated, and still has all machine types."""
    text = getattr(connection, call)()
    assert old in text
    monkeypatch.setattr(connection, call, lambda *_: text.replace(old, new))


def test_a_cpu_model_that_expires(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = "<cpu mode='custom' match='exact' check='none'><model fallback='forbid'>qemu64</model></cpu><devices>"
    connection.define(sealed().replace("<devices>", cpu, 1))
    connection.define(sealed("other").replace("<devices>", cpu.replace("qemu64", "kvm64"), 1))
    assert found(connection) == []
    for line in connection.domain_capabilities().splitlines():
        if ">qemu64<" in line:
            new = line.replace("<model ", "<model deprecated='yes' ")
            change_the_capabilities(connection, monkeypatch, "domain_capabilities", line, new)
    assert kinds(connection) == {FindingKind.EXPIRING_CPU}
    assert kinds(connection, "other") == set()


def test_a_machine_type_that_the_host_has_no_more(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.define(sealed())
    change_the_capabilities(connection, monkeypatch, "capabilities", ">pc-q35-7.2<", ">pc-q35-9.9<")
    (finding,) = found(connection)
    assert finding.kind is FindingKind.WOULD_NOT_START
    assert finding.sentence.startswith("the host has no machine type pc-q35-7.2; the newest of its family is")


def test_what_a_newer_libvirt_brings(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.define(sealed())
    xml = Domain.xml

    def newer(self: Domain, *args: object) -> str:
        text: str = xml(self, *args)  # type: ignore[arg-type]
        return text.replace("<memballoon ", "<memballoon shiny='on' ")

    monkeypatch.setattr(Domain, "xml", newer)
    (finding,) = found(connection)
    assert finding.kind is FindingKind.UNKNOWN
    assert "devices/memballoon@shiny" in finding.sentence


def test_domains_that_differ_in_names_only_keep_their_own(connection: Connection, tmp_path: Path) -> None:
    for name in ("a", "b & co"):
        disk = disk_xml(tmp_path, "x", "vda").replace("x.img", f"{name}.img".replace("&", "&amp;"))
        net = "<interface type='user'><mac address='52:54:00:00:00:0{}'/><model type='virtio'/></interface>"
        other = net.format(len(name) % 9)
        connection.define(sealed(name.replace("&", "&amp;"), extra=disk + other))
        (tmp_path / f"{name}.img").write_bytes(b"QFI\xfb\0\0\0\3")
    for name, mac in (("a", "00:01"), ("b & co", "00:06")):
        sentences = " ".join(finding.sentence for finding in found(connection, name))
        assert f"{tmp_path}/{name}.img looks like a qcow2 image" in sentences
        assert mac in sentences or "interface" not in sentences


@pytest.fixture
def two_hosts(connection: Connection, uri: str, daemon_uri: str) -> Callable[..., Result]:
    connection.define(sealed("here"))
    with connect(daemon_uri) as other:
        for domain in other.domains():
            domain.undefine()
        other.define(sealed("there", ports=1))
        for number in range(MANY):
            other.define(sealed(f"there-{number}"))
    return lambda *args: run(uri, "audit", uri, daemon_uri, NOWHERE, *args)


def test_hosts_side_by_side_and_one_not_reached(two_hosts: Callable[..., Result], uri: str, daemon_uri: str) -> None:
    result = two_hosts("-o", "json")
    assert result.exit_code == 3
    audit = json.loads(result.stdout)
    assert (audit["format"], audit["version"]) == ("holdfast.audit", 1)
    assert audit["summary"] == {
        "hosts": 3,
        "unreachable": 1,
        "domains": 2 + MANY,
        "unread": 0,
        "needing_attention": 1,
        "domains_by_kind": {"no-slot": 1},
    }
    first, second, third = audit["hosts"]
    assert [first["uri"], second["uri"], third["uri"]] == [uri, daemon_uri, NOWHERE]
    assert set(first) == {"uri", "error", "unread", "notes", "orphans", "domain_count", "machines", "domains"}
    assert first["domains"] == []
    q35 = {"arch": "x86_64", "name": "pc-q35-7.2", "status": "offered", "released": "2022-12", "dropped": "13.2"}
    assert first["machines"] == [{**q35, "domains": 1}]
    (domain,) = second["domains"]
    assert set(domain) == {"name", "uuid", "running", "instance", "machine", "findings"}
    assert domain["findings"][0]["kind"] == "no-slot"
    assert third["error"]["code"] == "cannot-connect"


def test_exit_codes(two_hosts: Callable[..., Result], connection: Connection, uri: str) -> None:
    assert two_hosts().exit_code == 3
    assert two_hosts("--fail-on", "drift", "--fail-on", "no-slot").exit_code == 3
    partly = two_hosts("--fail-on", "drift")
    assert partly.exit_code == 5
    assert run(uri, "audit", NOWHERE).exit_code == NoConnection.exit_code
    assert run(uri, "audit", "--fail-on", "nonsense").exit_code == 2
    assert run(uri, "audit").exit_code == 0
    assert run(uri, "audit").stdout.splitlines()[-1] == "0 of 1 domain needs attention"


def test_the_table_is_readable_at_a_hundred_columns(two_hosts: Callable[..., Result]) -> None:
    lines = two_hosts().stdout.splitlines()
    assert "  there  shut off  pc-q35-7.2" in lines
    assert any(line.startswith("    no-slot          its one hot-plug place is taken") for line in lines)
    assert all(len(line) <= 100 for line in lines if "socket=" not in line)


def test_a_domain_that_cannot_be_read_is_told_and_the_rest_is_done(
    connection: Connection, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        connection.define(sealed(name))
    xml = Domain.xml
    monkeypatch.setattr(Domain, "xml", lambda self, *args: "<domain><" if self.name == "a" else xml(self, *args))
    result = run(uri, "audit")
    assert result.exit_code == 5
    assert "the domain a could not be looked at" in result.stdout
    assert f"{uri}  2 domains, 1 could not be looked at, 0 need attention" in result.stdout
    assert "0 of 2 domains need attention; 1 could not be looked at" in result.stdout


HOSTILE = "&lt;img src=x onerror=alert(1)&gt; &quot;' &amp; b"


def test_the_page_escapes_what_anybody_may_write(connection: Connection, uri: str, tmp_path: Path) -> None:
    document = sealed("x", ports=1, extra=disk_xml(tmp_path, "x", "vda"))
    connection.define(document.replace("<name>x<", f"<name>{HOSTILE}<").replace("x.img", "&lt;b&gt;.img", 1))
    file = tmp_path / "page.html"
    assert run(uri, "audit", "--html", str(file)).exit_code == 3
    page = file.read_text()
    assert "&lt;img src=x onerror=alert(1)&gt; &quot;&#x27; &amp; b" in page
    assert "<img" not in page
    assert "<b>.img" not in page
    assert "://" not in page.replace(uri, "")


def test_the_page_shows_every_domain_and_draws_equal_topologies_once(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        connection.define(sealed(name, extra=own_disk(tmp_path, name, "vda")))
    connection.define(sealed("c", ports=6))
    file = tmp_path / "page.html"
    assert run(uri, "audit", "--html", str(file)).exit_code == 0
    page = file.read_text()
    assert page.count('data-topology="1"') == 2
    assert page.count('data-topology="2"') == 1
    assert page.count('class="topology"') == 2
    assert "Nothing needs attention" in page


def test_a_page_that_cannot_be_written_is_said_before_the_work(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    connection.define(sealed())
    result = run(uri, "audit", "--html", str(tmp_path / "no" / "page.html"))
    assert result.exit_code == 1
    assert result.stderr.startswith("error: cannot write ")
    old = tmp_path / "page.html"
    old.write_text("old")
    assert run(uri, "audit", NOWHERE, "--html", str(old)).exit_code == 6
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
