"""What goes along with a domain in an archive, beside its document and images: its history, its name, its UUID."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.errors.creation import DOMAIN_EXISTS
from holdfast.errors.hosts import NO_HWUUID, REACHES_HOST
from holdfast.libvirtapi.connection import Connection
from holdfast.operations import DomainSettings
from holdfast.operations.disks.spec import DiskSpec
from holdfast.operations.domain.spec import DomainSpec
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG
from tests.raising import raising

MIB = 1 << 20


@pytest.fixture
def history(connection: Connection) -> Iterator[Path]:
    """The folder of this libvirt's history, which is empty, and gone afterwards."""
    assert connection.history_folder is not None
    folder = Path(connection.history_folder)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def archive(connection: Connection, history: Path, uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of a domain of another host, which was changed since it was created."""
    with monkeypatch.context() as there:
        there.setattr("holdfast.operations.history_place.host_name", lambda: "elsewhere")
        operations.create_domain(connection, "web", DomainSpec(memory=64 * MIB, graphics="none"))
        operations.set_domain(connection, "web", DomainSettings(title="the old one"))
        done(uri, "export", "web", str(tmp_path / "web.tar"))
    connection.find_domain("web").undefine()
    shutil.rmtree(history)
    history.mkdir()
    return tmp_path / "web.tar"


def titles(connection: Connection, name: str) -> list[str]:
    """What the entries of a domain say that was done, the last one first."""
    return [entry.command for entry in operations.log_domain(connection, name)]


def test_the_history_goes_along_and_the_import_is_an_entry_of_it(
    connection: Connection, uri: str, archive: Path
) -> None:
    done(uri, "import", str(archive))
    commands = titles(connection, "web")
    assert len(commands) == 3
    assert f"import {archive}" in commands[0]
    operations.rollback_domain(connection, "web", operations.log_domain(connection, "web")[-1].id)


def test_git_reads_the_history_in_an_archive(archive: Path, tmp_path: Path) -> None:
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path, "history.bundle"], check=True)
    git = ["git", f"--git-dir={tmp_path}/other.git"]
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "other.git"], check=True)
    subprocess.run([*git, "fetch", "-q", tmp_path / "history.bundle", "refs/domains/*:refs/domains/*"], check=True)
    subprocess.run([*git, "fsck", "--strict"], check=True, capture_output=True)
    said = subprocess.run([*git, "log", "--format=%s", "--all"], check=True, capture_output=True, text=True).stdout
    assert len(said.splitlines()) == 2


def test_a_domain_is_imported_under_another_name(connection: Connection, uri: str, archive: Path) -> None:
    document = operations.create_domain(connection, "web", DomainSpec(memory=64 * MIB, graphics="none"))
    with raising(DOMAIN_EXISTS, name="web"):
        operations.import_domain(connection, str(archive))
    done(uri, "import", str(archive), "--name", "web2")
    there = connection.find_domain("web2")
    assert there.uuid != document.uuid
    assert len(titles(connection, "web2")) == 3


def test_another_uuid_is_refused_where_the_guest_would_see_it(connection: Connection, archive: Path) -> None:
    if connection.libvirt_version() >= (11, 7, 0):
        pytest.skip("this libvirt has <hwuuid>")
    with raising(NO_HWUUID):
        operations.import_domain(connection, str(archive), new_uuid=True)
    assert not connection.domains()


def test_a_new_name_takes_the_nvram_along(connection: Connection, uri: str, tmp_path: Path) -> None:
    operations.create_domain(connection, "web", DomainSpec(memory=64 * MIB, graphics="none", firmware="uefi"))
    web = connection.find_domain("web")
    document = web.xml(CONFIG, secure=True)
    made = Path(nvram_of(parse(document)) or "")
    named = made.with_name("web_VARS.fd")
    web.undefine()
    connection.define(document.replace(str(made), str(named)))  # as libvirt names it
    named.parent.mkdir(parents=True, exist_ok=True)
    wrote = b"what the guest wrote".ljust(4 * MIB - 0x7C000)
    named.write_bytes(wrote)
    done(uri, "export", "web", str(tmp_path / "web.tar"))
    connection.find_domain("web").undefine()
    done(uri, "import", str(tmp_path / "web.tar"), "--name", "new")
    there = nvram_of(parse(connection.find_domain("new").xml(CONFIG)))
    assert there == str(named.with_name("new_VARS.fd"))
    assert Path(there).read_bytes() == wrote


@pytest.fixture
def pool(daemon: Connection, tmp_path: Path) -> Path:
    """The folder of the pool "store"."""
    folder = tmp_path / "store"
    folder.mkdir()
    _make_pool(daemon, "store", folder)
    return folder


def _make_pool(daemon: Connection, name: str, folder: Path) -> None:
    document = f"<pool type='dir'><name>{name}</name><target><path>{folder}</path></target></pool>"
    daemon._handle.storagePoolCreateXML(document)


def test_images_that_only_a_pool_may_open_are_read_and_made_through_it(
    daemon: Connection, daemon_uri: str, pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks = (
        DiskSpec(pool="store", volume="a.qcow2", size=4 * MIB, format="qcow2"),
        DiskSpec(pool="store", volume="b.raw", size=4 * MIB, format="raw"),
    )
    operations.create_domain(daemon, "web", DomainSpec(memory=64 * MIB, graphics="none", disks=disks))
    web = daemon.find_domain("web")
    document = web.xml(CONFIG, secure=True).replace("<disk type='file'", "<disk type='volume'", 1)
    daemon.define(document.replace(f"file='{pool}/a.qcow2'", "pool='store' volume='a.qcow2'"))
    with (pool / "b.raw").open("r+b") as image:
        image.seek(2 * MIB)
        image.write(b"data" * 100)
    before = {path.name: path.read_bytes() for path in pool.iterdir()}
    document = web.xml(CONFIG, secure=True)
    with monkeypatch.context() as denied:
        denied.setattr("holdfast.operations.hosts.exported_image.may_open", lambda _path: False)
        operations.export_domain(daemon, "web", str(tmp_path / "web.tar"), all_disks=True)
    assert (tmp_path / "web.tar").stat().st_size < 2 * MIB  # its holes take no room
    web.undefine()
    new = tmp_path / "new"
    new.mkdir()
    _make_pool(daemon, "new", new)
    maps = operations.HostMaps(pools={"store": "new"}, paths={str(pool): str(new)})
    with monkeypatch.context() as denied:
        denied.setattr("holdfast.operations.hosts.archived_disks.may_create_in", lambda _folder: False)
        imported = operations.import_domain(daemon, str(tmp_path / "web.tar"), maps=maps)
    assert imported.images == ("new/a.qcow2", "new/b.raw")
    assert {path.name: path.read_bytes() for path in new.iterdir()} == before
    after = daemon.find_domain("web").xml(CONFIG, secure=True)
    assert not visible(compare(document, after))
    assert f"file='{new}/b.raw'" in after and "pool='new' volume='a.qcow2'" in after


def test_a_volume_of_this_host_is_taken_only_when_that_is_said(daemon: Connection, pool: Path, tmp_path: Path) -> None:
    disk = DiskSpec(pool="store", volume="a.raw", size=MIB, format="raw")
    operations.create_domain(daemon, "web", DomainSpec(memory=64 * MIB, graphics="none", disks=(disk,)))
    web = daemon.find_domain("web")
    document = web.xml(CONFIG, secure=True).replace("<disk type='file'", "<disk type='volume'")
    (tmp_path / "web.xml").write_text(document.replace(f"file='{pool}/a.raw'", "pool='old' volume='a.raw'"))
    web.undefine()
    with raising(REACHES_HOST, reaches="disk vda old/a.raw"):
        operations.import_domain(daemon, str(tmp_path / "web.xml"))
    operations.import_domain(daemon, str(tmp_path / "web.xml"), maps=operations.HostMaps(pools={"old": "store"}))


NOVA = """
<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
  <nova:package version="34.0.0"/><nova:name>db</nova:name><nova:creationTime>2026-11-30 10:00:00</nova:creationTime>
  <nova:flavor name="m1.tiny"><nova:memory>64</nova:memory><nova:disk>1</nova:disk></nova:flavor>
  <nova:owner><nova:user uuid="a">admin</nova:user><nova:project uuid="b">p</nova:project></nova:owner>
</nova:instance></metadata>
<sysinfo type='smbios'><system><entry name='manufacturer'>OpenStack Foundation</entry>
  <entry name='product'>OpenStack Nova</entry><entry name='version'>34.0.0</entry>
  <entry name='serial'>{uuid}</entry><entry name='uuid'>{uuid}</entry><entry name='family'>Virtual Machine</entry>
</system></sysinfo>
"""


def test_a_document_of_a_nova_host_is_imported(connection: Connection, uri: str, tmp_path: Path) -> None:
    """As nova-compute 34 writes it, once libvirt has settled it."""
    image, uuid = tmp_path / "disk", "0c8b6ff1-6d6c-4e63-9d3e-1f8d2b9f6f01"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "8M"], check=True)
    made = connection.define(f"""<domain type='qemu'><name>instance-00000001</name><uuid>{uuid}</uuid>
      <memory>65536</memory><vcpu>1</vcpu><os><type machine='q35'>hvm</type><smbios mode='sysinfo'/></os>
      {NOVA.format(uuid=uuid)}<features><acpi/></features><clock offset='utc'><timer name='hpet' present='no'/></clock>
      <cpu mode='custom' match='exact'><model>qemu64</model></cpu>
      <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>
        <source file='/var/lib/nova/instances/{uuid}/disk'/><target dev='vda' bus='virtio'/></disk>
        <interface type='ethernet'><mac address='fa:16:3e:01:02:03'/><model type='virtio'/>
          <mtu size='1450'/><target dev='tap01020304-05'/></interface>
        <serial type='pty'><log file='/var/lib/nova/instances/{uuid}/console.log' append='off'/></serial>
        <input type='tablet' bus='usb'/><rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
        <memballoon model='virtio'><stats period='10'/></memballoon></devices></domain>""")
    document = made.xml(CONFIG, secure=True)
    made.undefine()
    (tmp_path / "nova.xml").write_text(document)
    with raising(REACHES_HOST):
        operations.import_domain(connection, str(tmp_path / "nova.xml"))
    maps = ["--map-path", f"/var/lib/nova/instances/{uuid}={tmp_path}", "--name", "db"]
    told = json.loads(done(uri, "import", str(tmp_path / "nova.xml"), *maps, "-o", "json"))
    assert told["uuid"] == uuid
    after = connection.find_domain("db").xml(CONFIG, secure=True)
    assert not visible(compare(document, after))
    assert "<nova:flavor" in after and f"file='{image}'" in after
