"""Exporting a domain and importing it: one archive, and the hardware that it had."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, value_at
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.domainxml.fact import DiskRecord
from holdfast.domainxml.host.reaches import reaches
from holdfast.domainxml.metadata import facts
from holdfast.errors.creation import DOMAIN_EXISTS
from holdfast.errors.disks import IMAGE_MISSING, NO_DISK
from holdfast.errors.documents import NOT_WELL_FORMED, NOT_XML
from holdfast.errors.domains import RUNNING
from holdfast.errors.files import CANNOT_CREATE, DAMAGED_ARCHIVE, EXISTS, NO_FOLDER, NOT_AN_ARCHIVE
from holdfast.errors.hosts import MAC_IN_USE, NOT_AN_EXPORT, REACHES_HOST, STATE_NOT_IN_ARCHIVE, STATE_UNSEEN
from holdfast.hostfiles.state_copies.own_files import put_back
from holdfast.hostfiles.state_file import UNKNOWN
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.operations.domain.spec import DomainSpec
from holdfast.operations.own_state import state_of
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, domain_xml, image
from tests.raising import raising

MIB = 1 << 20


@pytest.fixture
def web(connection: Connection, tmp_path: Path) -> Domain:
    """A domain as people have them: two disks, a CD, an interface, UEFI and a TPM, with something written in each."""
    for name in ("web.qcow2", "data.raw"):
        form = name.rpartition(".")[2]
        subprocess.run(["qemu-img", "create", "-q", "-f", form, str(tmp_path / name), "8M"], check=True)
    with (tmp_path / "data.raw").open("r+b") as data:
        data.seek(5 * MIB)
        data.write(b"data" * 1024)
    disks = (
        DiskSpec(path=str(tmp_path / "web.qcow2"), format="qcow2"),
        DiskSpec(path=str(tmp_path / "data.raw"), format="raw", delete_with_domain=True),
    )
    spec = DomainSpec(
        memory=64 * MIB,
        disks=disks,
        cdroms=(str(image(tmp_path, "cd")),),
        interfaces=(InterfaceSpec(kind="user"),),
        graphics="none",
        firmware="uefi",
        tpm=True,
    )
    operations.create_domain(connection, "web", spec)
    domain = connection.find_domain("web")
    for file in state_of(connection, parse(domain.xml(CONFIG))):
        path = Path(file.path) / "tpm2-00.permall" if file.kind == "tpm" else Path(file.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"what the guest wrote: {file.kind}".encode().ljust(4 * MIB - 0x7C000))  # an OVMF of 4 MB's
    return domain


def contents(connection: Connection, domain: Domain) -> dict[str, str]:
    """Path → checksum of every file that the domain has."""
    document = parse(domain.xml(CONFIG))
    roots = [file.path for file in state_of(connection, document)]
    roots += [source.get("file", "") for source in document.iterfind("devices/disk/source")]
    files = [path for root in roots for path in (Path(root).rglob("*") if Path(root).is_dir() else [Path(root)])]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()}


def maps_to(folder: Path) -> operations.HostMaps:
    """All that is in this folder stays where it is."""
    return operations.HostMaps(paths={str(folder): str(folder)})


def vanish(connection: Connection, domain: Domain) -> None:
    """As on a host that never had it: libvirt does not know it, and its files are gone, but the CD."""
    for path in contents(connection, domain):
        if not path.endswith("cd.img"):
            Path(path).unlink()
    domain.undefine()


def test_an_imported_domain_is_the_exported_one(connection: Connection, uri: str, web: Domain, tmp_path: Path) -> None:
    document, files, archive = web.xml(CONFIG, secure=True), contents(connection, web), tmp_path / "web.tar"
    done(uri, "export", "web", str(archive), "--all-disks")
    assert web.xml(CONFIG, secure=True) == document
    vanish(connection, web)
    would = done(uri, "import", str(archive), "--map-path", f"{tmp_path}={tmp_path}", "--dry-run")
    assert would.startswith(f"web: would be imported, UUID {parse(document).findtext('uuid')}\n")
    assert not connection.domains()
    done(uri, "import", str(archive), "--map-path", f"{tmp_path}={tmp_path}")
    after = connection.find_domain("web")
    assert not visible(compare(document, after.xml(CONFIG, secure=True)))
    assert contents(connection, after) == files
    assert facts(parse(after.xml(CONFIG)), DiskRecord) == facts(parse(document), DiskRecord)


def test_other_tools_read_the_archive_and_its_holes_take_no_room(uri: str, web: Domain, tmp_path: Path) -> None:
    archive, folder = tmp_path / "web.tar", tmp_path / "out"
    done(uri, "export", "web", str(archive), "--all-disks")
    assert archive.stat().st_mode & 0o777 == 0o600
    assert archive.stat().st_blocks * 512 < 8 * MIB  # that alone is the size of each of the disks
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=folder, check=True)
    assert (folder / "disks/vdb.raw").read_bytes() == (tmp_path / "data.raw").read_bytes()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert [(part["member"], part["size"]) for part in manifest["parts"]] == [
        ("domain.xml", 0),
        ("nvram", 0),
        ("tpm", 0),
        ("disks/vda.qcow2", 8 * MIB),
        ("disks/vdb.raw", 8 * MIB),
    ]


def test_an_overlay_is_exported_with_what_it_rests_on(connection: Connection, uri: str, tmp_path: Path) -> None:
    base = tmp_path / "base.raw"
    base.write_bytes(os.urandom(MIB))
    over = DiskSpec(path=str(tmp_path / "over.qcow2"), overlay_of=str(base), source_format="raw")
    operations.create_domain(connection, "web", DomainSpec(memory=64 * MIB, disks=(over,), graphics="none"))
    done(uri, "export", "web", str(tmp_path / "web.tar"), "--disk", "vda")
    connection.find_domain("web").undefine()
    (tmp_path / "over.qcow2").unlink()
    bytes = base.read_bytes()
    base.unlink()
    done(uri, "import", str(tmp_path / "web.tar"))
    raw = tmp_path / "raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", str(tmp_path / "over.qcow2"), str(raw)], check=True)
    assert raw.read_bytes() == bytes


def test_a_running_domain_is_not_exported(connection: Connection, tmp_path: Path) -> None:
    operations.create_domain(connection, "web", DomainSpec(memory=64 * MIB, graphics="none"), start=True)
    with raising(RUNNING, name="web"):
        operations.export_domain(connection, "web", str(tmp_path / "web.tar"))
    assert not (tmp_path / "web.tar").exists()


def test_what_cannot_be_exported_is_refused_and_nothing_is_made(
    connection: Connection, web: Domain, tmp_path: Path
) -> None:
    archive = str(tmp_path / "web.tar")
    with raising(NO_DISK, target="vdz"):
        operations.export_domain(connection, "web", archive, disks=["vdz"])
    with raising(NO_FOLDER):
        operations.export_domain(connection, "web", str(tmp_path / "none/web.tar"))
    (tmp_path / "web.qcow2").rename(tmp_path / "away")
    with raising(IMAGE_MISSING):
        operations.export_domain(connection, "web", archive, all_disks=True)
    (tmp_path / "away").rename(tmp_path / "web.qcow2")
    assert not Path(archive).exists()
    Path(archive).write_text("somebody's")
    with raising(EXISTS):
        operations.export_domain(connection, "web", archive)
    assert Path(archive).read_text() == "somebody's"


@pytest.fixture
def archive(uri: str, web: Domain, tmp_path: Path) -> Path:
    """The archive of a domain with all that it has."""
    done(uri, "export", "web", str(tmp_path / "web.tar"), "--all-disks")
    return tmp_path / "web.tar"


def test_an_import_leaves_what_is_here_already(connection: Connection, web: Domain, archive: Path) -> None:
    with raising(DOMAIN_EXISTS, name="web"):
        operations.import_domain(connection, str(archive), accept_host=True)
    web.undefine()
    with raising(EXISTS):
        operations.import_domain(connection, str(archive), accept_host=True)
    assert not connection.domains()


def test_an_address_that_another_domain_has_is_refused(connection: Connection, web: Domain, archive: Path) -> None:
    mac = value_at(parse(web.xml(CONFIG)), "devices/interface/mac@address")
    vanish(connection, web)
    other = DomainSpec(memory=64 * MIB, graphics="none", interfaces=(InterfaceSpec(kind="user", mac=mac),))
    operations.create_domain(connection, "other", other)
    with raising(MAC_IN_USE, user="other", mac=mac):
        operations.import_domain(connection, str(archive), accept_host=True)


def test_what_a_guest_could_reach_of_this_host_is_taken_only_when_that_is_said(
    connection: Connection, web: Domain, archive: Path, tmp_path: Path
) -> None:
    vanish(connection, web)
    with raising(REACHES_HOST, name="web", reaches=f"disk sda {tmp_path}/cd.img"):
        operations.import_domain(connection, str(archive))
    assert not connection.domains()
    taken = operations.import_domain(connection, str(archive), accept_host=True, dry_run=True)
    assert f"of this host, as the document says: disk sda {tmp_path}/cd.img" in taken.notes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<mac ", "<script path='/bin/evil'/><mac "),
        ("</os>", "</os><sysinfo type='fwcfg'><entry name='opt/a' file='/etc/shadow'/></sysinfo>"),
        ("</domain>", "<seclabel type='none'/></domain>"),
        ("</devices>", "<serial type='file'><source path='/etc/cron.d/a'/></serial></devices>"),
        ("</devices>", "<filesystem><driver type='virtiofs'/><binary path='/bin/evil'/></filesystem></devices>"),
        ("</devices>", "<hostdev mode='subsystem' type='pci'><source/></hostdev></devices>"),
        ("<os>", "<os><nvram>/root/.ssh/authorized_keys</nvram>"),
        ("<mac ", "<script path='reboot'/><mac "),
        ("type='user'>", "type='client'><source address='127.0.0.1' port='5432'/>"),
        (
            "</devices>",
            "<serial type='tcp'><source mode='connect' host='127.0.0.1' service='5432'/></serial></devices>",
        ),
        ("</devices>", "<rng model='virtio'><backend model='egd' type='udp'/></rng></devices>"),
        ("</devices>", "<shmem name='of-another'/></devices>"),
        ("</devices>", "<audio id='1' type='alsa'/></devices>"),
        ("</devices>", "<smartcard mode='host'/></devices>"),
        ("</devices>", "<tpm><backend type='passthrough'/></tpm></devices>"),
        ("</devices>", "<input type='passthrough' bus='virtio'/></devices>"),
    ],
)
def test_every_way_to_the_host_is_named(old: str, new: str) -> None:
    devices = "<interface type='user'><mac address='x'/></interface>"
    document = f"<domain><name>a</name><os></os><devices>{devices}</devices></domain>"
    assert not list(reaches(parse(document)))
    assert list(reaches(parse(document.replace(old, new))))


def test_a_path_that_leads_out_of_a_mapped_folder_is_not_taken_for_one_in_it() -> None:
    maps = operations.HostMaps(paths={"/old": "/srv"})
    assert maps.lead_to("/srv/a/..b") and maps.lead_to("/srv")
    assert not any(maps.lead_to(path) for path in ("/srv/../etc/shadow", "/srv/..", "/srv/a/../../etc", "/srv2/a"))


def test_state_that_is_here_already_is_not_taken_for_its_own(
    connection: Connection, web: Domain, archive: Path, tmp_path: Path
) -> None:
    nvram = Path(nvram_of(parse(web.xml(CONFIG))) or "")
    (tmp_path / "web.xml").write_text(web.xml(CONFIG, secure=True))
    vanish(connection, web)
    nvram.write_bytes(b"somebody's")
    for path in (archive, tmp_path / "web.xml"):
        with raising(EXISTS, path=nvram):
            operations.import_domain(
                connection, str(path), accept_host=path == archive, fresh=["nvram"], maps=maps_to(tmp_path)
            )
    assert nvram.read_bytes() == b"somebody's"


def test_a_damaged_archive_leaves_nothing(connection: Connection, web: Domain, archive: Path, tmp_path: Path) -> None:
    document, whole = web.xml(CONFIG), archive.read_bytes()
    vanish(connection, web)
    left = sorted(tmp_path.rglob("*"))
    with tarfile.open(archive) as tar:
        places = {info.name: info.offset_data for info in tar if info.size}
    for name, place in places.items():
        broken = bytearray(whole)
        broken[place + 3] ^= 1
        archive.write_bytes(broken)
        with raising(DAMAGED_ARCHIVE, NOT_AN_EXPORT):
            operations.import_domain(connection, str(archive), accept_host=True)
        assert not connection.domains(), name
        assert sorted(tmp_path.rglob("*")) == left, name
    for size in range(0, len(whole), len(whole) // 40):
        archive.write_bytes(whole[:size])
        with raising(DAMAGED_ARCHIVE, NOT_AN_ARCHIVE, NOT_XML, NOT_WELL_FORMED):
            operations.import_domain(connection, str(archive), accept_host=True)
    archive.write_bytes(whole)
    operations.import_domain(connection, str(archive), accept_host=True)
    assert not visible(compare(document, connection.find_domain("web").xml(CONFIG)))


def test_state_that_is_not_in_the_archive_begins_anew_only_when_that_is_said(
    connection: Connection, web: Domain, tmp_path: Path
) -> None:
    nvram = Path(nvram_of(parse(web.xml(CONFIG))) or "")
    nvram.unlink()
    operations.export_domain(connection, "web", str(tmp_path / "web.tar"), all_disks=True)
    vanish(connection, web)
    with raising(STATE_NOT_IN_ARCHIVE, kind="nvram"):
        operations.import_domain(connection, str(tmp_path / "web.tar"), accept_host=True)
    operations.import_domain(connection, str(tmp_path / "web.tar"), accept_host=True, fresh=["nvram"])
    assert not nvram.exists()


def test_maps_replace_what_is_named_of_the_old_host_and_nothing_that_the_guest_sees(
    connection: Connection, web: Domain, archive: Path, tmp_path: Path
) -> None:
    document = web.xml(CONFIG)
    vanish(connection, web)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    maps = operations.HostMaps(
        paths={str(tmp_path): str(elsewhere), str(tmp_path / "cd.img"): str(tmp_path / "cd.img")}
    )
    imported = operations.import_domain(connection, str(archive), maps=maps)
    assert imported.images == (f"{elsewhere}/web.qcow2", f"{elsewhere}/data.raw")
    after = connection.find_domain("web").xml(CONFIG)
    assert not visible(compare(document, after))
    assert f"{elsewhere}/web.qcow2" in after


def test_names_in_an_archive_lead_nowhere_else(connection: Connection, web: Domain, tmp_path: Path) -> None:
    state = [file.path for file in state_of(connection, parse(web.xml(CONFIG))) if file.kind == "tpm"]
    for name in ("../out", "/etc/out", "a/b", ".."):
        with raising(CANNOT_CREATE, path=state[0] + "-new"):
            put_back(state[0] + "-new", {f"folder/{name}": b"x"})
    assert not list(Path(state[0]).parent.rglob("out"))


BOMB = """<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">
<!ENTITY d "&c;&c;&c;&c;&c;&c;&c;"><!ENTITY e SYSTEM "file:///etc/passwd">]>
<domain><name>&d;&e;</name></domain>"""


HARMFUL: list[tuple[str, str | None, str]] = [
    ("domain.xml", None, BOMB),
    ("domain.xml", None, "\udc80"),
    ("domain.xml", None, "<domain><name>../x</name><uuid>../../x</uuid><memory>1</memory></domain>"),
    ("domain.xml", "<disk type='file' device='disk'>", "<disk type='network' device='disk'>"),
    ("manifest.json", None, "[" * 100_000),
    ("manifest.json", None, "[]"),
    ("manifest.json", None, '{"format": "holdfast-export", "version": 1, "parts": 5}'),
    ("manifest.json", '"kind": "disk"', '"kind": "passwd"'),
    ("manifest.json", '"kind": "disk"', '"kind": ["disk"]'),
    ("manifest.json", '"size": 8388608', '"size": -8388608'),
    ("manifest.json", '"size": 8388608', '"size": 1e400'),
    ("manifest.json", '"target": "vda"', '"target": "vdb"'),
    ("manifest.json", '"member": "disks/vda.qcow2"', '"member": "../../etc/passwd"'),
    ("manifest.json", '"member": "disks/vda.qcow2"', '"member": "\\ud800"'),
    ("manifest.json", '"format": "qcow2"', '"format": "raw"'),
]
"""Member → what of it → by what it is replaced."""


def test_an_archive_made_to_do_harm_is_refused_and_leaves_nothing(
    connection: Connection, uri: str, web: Domain, archive: Path, tmp_path: Path
) -> None:
    vanish(connection, web)
    folder = tmp_path / "made"
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    names.remove("SHA256SUMS")
    for member, old, new in HARMFUL:
        text = (folder / member).read_text()
        assert old is None or old in text
        changed = new if old is None else text.replace(old, new)
        (folder / member).write_bytes(changed.encode(errors="surrogateescape"))
        sums = subprocess.run(["sha256sum", *names], cwd=folder, check=True, capture_output=True)
        (folder / "SHA256SUMS").write_bytes(sums.stdout)
        subprocess.run(["tar", "-cf", str(archive), "-C", str(folder), *names, "SHA256SUMS"], check=True)
        (folder / member).write_text(text)
        left = sorted(tmp_path.rglob("*"))
        result = run(uri, "import", str(archive), "--accept-host")
        assert result.exit_code in (1, 2, 3), (new[:80], result.output)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        assert [line.partition(" ")[0] for line in result.stderr.splitlines()].count("error:") == 1, result.stderr
        assert not connection.domains(), new[:80]
        assert sorted(tmp_path.rglob("*")) == left, new[:80]


def test_what_to_do_about_an_import_is_said_in_its_own_options(uri: str, web: Domain, archive: Path) -> None:
    web.undefine()
    there = run(uri, "import", str(archive), "--accept-host")
    assert "hint: '--folder FOLDER' puts the images of the archive elsewhere" in there.stderr
    written = archive.with_name("written.xml")
    written.write_text(domain_xml("b"))
    assert "'holdfast create --from-xml'" in run(uri, "import", str(written)).stderr


def test_a_part_that_cannot_be_seen_is_not_said_to_be_in_the_archive(
    connection: Connection, web: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("holdfast.operations.hosts.export.look", lambda *_: UNKNOWN)
    with raising(STATE_UNSEEN, name="web"):
        operations.export_domain(connection, "web", str(tmp_path / "web.tar"))
    assert not (tmp_path / "web.tar").exists()
