"""Moving a guest that runs to another host: it keeps its hardware, and what the other host lacks is said before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import libvirt
from holdfast import operations
from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse, serialize
from holdfast.domainxml.elements.firmware import nvram_of
from holdfast.errors.hosts import (
    ALREADY_THERE,
    CANNOT_BE_THERE,
    NAME_THERE,
    NOT_SHARED,
    SAME_HOST,
    UUID_THERE,
)
from holdfast.history.entry import EntryKind
from holdfast.libvirtapi.connection import Connection, open_connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DomainSettings, DomainSpec, HostMaps, MoveOptions
from holdfast.operations.host.provides import HostProvides
from holdfast.operations.hosts.unlike_there import smaller_mtus
from holdfast_lab.cable import Cable
from holdfast_lab.relay import remote_uri
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, image
from tests.libvirt.hosts.moving_guest import states
from tests.raising import raising


def test_a_guest_goes_on_with_its_hardware_and_what_waits_still_waits(
    here: Connection, there: Connection, guest: Domain
) -> None:
    interface = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>"
    guest.attach(interface, CONFIG)
    live, config = guest.xml(LIVE), guest.xml(CONFIG)
    moved = operations.migrate_domain(here, "a", there)
    assert moved.live and moved.taken == () and len(moved.waits) == 1 and moved.downtime is not None
    assert states(here, there) == [[], ["running"]]
    arrived = there.find_domain(guest.uuid)
    assert not visible(compare(live, arrived.xml(LIVE)))
    assert not visible(compare(config, arrived.xml(CONFIG)))
    with raising(ALREADY_THERE, name="a", state="running"):
        operations.migrate_domain(here, "a", there)


def test_a_dry_run_says_what_would_be_and_changes_nothing(here: Connection, there: Connection, guest: Domain) -> None:
    documents = guest.xml(LIVE), guest.xml(CONFIG)
    would = operations.migrate_domain(here, "a", there, dry_run=True)
    assert states(here, there) == [["running"], []]
    assert (guest.xml(LIVE), guest.xml(CONFIG)) == documents
    with open_connection(here.uri, readonly=True) as reader, open_connection(there.uri, readonly=True) as other:
        assert operations.migrate_domain(reader, "a", other, dry_run=True).dry_run
    moved = operations.migrate_domain(here, "a", there)
    assert replace(moved, dry_run=True, downtime=None) == would


def test_a_domain_that_is_there_already_by_name_or_uuid_is_left_alone(
    here: Connection, there: Connection, guest: Domain
) -> None:
    other = there.define(domain_xml())
    with raising(NAME_THERE, name="a", uuid=other.uuid):
        operations.migrate_domain(here, "a", there)
    other.undefine()
    there.define(domain_xml("stale").replace("<memory", f"<uuid>{guest.uuid}</uuid><memory"))
    with raising(UUID_THERE, name="a", there="stale", state="shut off"):
        operations.migrate_domain(here, "a", there)
    assert states(here, there) == [["running"], ["shut off"]]


def test_the_same_host_is_no_destination(here: Connection, guest: Domain) -> None:
    with raising(SAME_HOST, name="a"):
        operations.migrate_domain(here, "a", here)


@pytest.mark.parametrize(
    ("device", "lacks"),
    [
        ("<interface type='network'><source network='n'/></interface>", "the host has no network n"),
        (
            "<disk type='file' device='cdrom'><source file='{here}/cd.img'/><target dev='sda' bus='sata'/></disk>",
            "the host has no {here}/cd.img",
        ),
        (
            "<disk type='volume' device='cdrom'><source pool='p' volume='cd.img'/>"
            "<target dev='sda' bus='sata'/></disk>",
            "the host has no storage pool p",
        ),
    ],
)
def test_what_the_other_host_lacks_is_said_before_anything_happens(
    cable: Cable, here: Connection, there: Connection, tmp_path: Path, device: str, lacks: str
) -> None:
    pool = f"<pool type='dir'><name>p</name><target><path>{tmp_path}</path></target></pool>"
    image(tmp_path, "cd")
    made = [here._handle.storagePoolCreateXML(pool), here._handle.networkCreateXML("<network><name>n</name></network>")]
    try:
        here.define(domain_xml(extra=device.format(here=tmp_path)))
        operations.start(here, "a")
        if "file=" in device:
            (tmp_path / "cd.img").rename(tmp_path / "away")
            there._handle.storagePoolCreateXML(pool)
        with raising(CANNOT_BE_THERE) as refused:
            operations.migrate_domain(here, "a", there)
        assert lacks.format(here=tmp_path) in str(refused.value)
        assert states(here, there) == [["running"], []]
    finally:
        for each in (*made, *there._handle.listAllStoragePools()):
            each.destroy()


def test_images_that_only_this_host_has_are_copied_when_that_is_said(
    cable: Cable, here: Connection, there: Connection
) -> None:
    old, new = (host.images for host in cable.hosts)
    here.define(domain_xml(extra=disk_xml(old, "data", "vda")))
    (old / "data.img").write_bytes(b"data" * (1 << 18))
    operations.start(here, "a")
    maps = HostMaps(paths={str(old): str(new)})
    with raising(NOT_SHARED, name="a"):
        operations.migrate_domain(here, "a", there)
    image(new, "data").write_bytes(bytes(1 << 19))
    with raising(CANNOT_BE_THERE):
        operations.migrate_domain(here, "a", there, maps=maps, options=MoveOptions(copy_storage=True))
    assert states(here, there) == [["running"], []]
    image(new, "data").unlink()
    pool = f"<pool type='dir'><name>p</name><target><path>{new}</path></target></pool>"
    made = there._handle.storagePoolCreateXML(pool)
    moved = operations.migrate_domain(here, "a", there, maps=maps, options=MoveOptions(copy_storage=True))
    made.destroy()
    assert moved.copied == ("vda",)
    assert (new / "data.img").read_bytes() == b"data" * (1 << 18)


def test_an_image_that_is_there_is_written_over_only_when_that_is_said_and_it_is_as_large(
    cable: Cable, here: Connection, there: Connection
) -> None:
    old, new = (host.images for host in cable.hosts)
    here.define(domain_xml(extra=disk_xml(old, "data", "vda")))
    (old / "data.img").write_bytes(b"data" * (1 << 18))
    operations.start(here, "a")
    words = ["migrate", "a", there.uri, "--copy-storage", "--map-path", f"{old}={new}"]
    image(new, "data").write_bytes(b"else" * (1 << 18))
    refused = run(here.uri, *words)
    assert refused.exit_code == 3 and "would be written over" in refused.stderr
    image(new, "data").write_bytes(b"else" * (1 << 17))
    refused = run(here.uri, *words, "--overwrite")
    assert refused.exit_code == 3 and "there has 512 KiB, not 1 MiB" in refused.stderr
    assert states(here, there) == [["running"], []]
    assert (new / "data.img").read_bytes() == b"else" * (1 << 17)
    image(new, "data").write_bytes(b"else" * (1 << 18))
    done(here.uri, *words, "--overwrite")
    assert states(here, there) == [[], ["running"]]
    assert (new / "data.img").read_bytes() == b"data" * (1 << 18)
    (new / "data.img").unlink()


@pytest.fixture
def pools(cable: Cable, here: Connection, there: Connection) -> Iterator[list[Any]]:
    """The pool "old" of the first host, and "new" of the other, over the folders of their images; libvirt's handles."""
    made = [
        connection._handle.storagePoolCreateXML(
            f"<pool type='dir'><name>{name}</name><target><path>{host.images}</path></target></pool>"
        )
        for connection, host, name in zip((here, there), cable.hosts, ("old", "new"), strict=True)
    ]
    yield made
    for pool in made:
        with suppress(libvirt.libvirtError):  # it is gone
            pool.destroy()


def test_a_volume_is_copied_into_the_pool_of_the_other_host(
    cable: Cable, here: Connection, there: Connection, pools: list[Any]
) -> None:
    old, new = (host.images for host in cable.hosts)
    image(old, "data").write_bytes(b"data" * (1 << 18))
    pools[0].refresh()
    volume = "<source pool='old' volume='data.img'/><target dev='vda' bus='virtio'/>"
    guest = here.define(domain_xml(extra=f"<disk type='volume'><driver name='qemu' type='raw'/>{volume}</disk>"))
    operations.start(here, "a")
    config, words = guest.xml(CONFIG), ["migrate", "a", there.uri, "--copy-storage", "--map-pool", "old=new"]
    assert "no active storage pool nowhere to make data.img in" in run(here.uri, *words[:-1], "old=nowhere").stderr
    image(new, "data").write_bytes(bytes(1 << 18))
    assert "the host has new/data.img already, which would be written over" in run(here.uri, *words).stderr
    assert "there has 256 KiB, not 1 MiB" in run(here.uri, *words, "--overwrite").stderr
    assert states(here, there) == [["running"], []]
    (new / "data.img").unlink()
    assert "copied: vda" in done(here.uri, *words, "--dry-run")
    done(here.uri, *words)
    assert (new / "data.img").read_bytes() == b"data" * (1 << 18)
    assert there.find_domain("a").xml(CONFIG) == config.replace("'old'", "'new'")
    (new / "data.img").unlink()


def test_uefi_variables_and_what_is_in_the_tpm_go_along(
    cable: Cable, here: Connection, there: Connection, tmp_path: Path
) -> None:
    spec = DomainSpec(memory=128 << 20, graphics="none", firmware="uefi", tpm=True)
    operations.create_domain(here, "a", spec, start=True)
    guest = here.find_domain("a")
    config = guest.xml(CONFIG)
    moved = operations.migrate_domain(here, "a", there)
    arrived = there.find_domain("a")
    assert not visible(compare(config, arrived.xml(CONFIG))), moved
    nvram = nvram_of(parse(config)) or ""
    lib = cable.hosts[1].folder / "lib"
    old, new = (host.folder / "lib" / Path(nvram).relative_to("/var/lib/libvirt") for host in cable.hosts)
    assert new.read_bytes() == old.read_bytes()
    assert list(lib.rglob("tpm2-00.permall"))
    arrived.destroy()
    operations.start(there, "a", paused=True)


def test_interfaces_are_on_the_networks_of_the_other_host_in_both_documents(
    here: Connection, there: Connection
) -> None:
    nets = [
        connection._handle.networkCreateXML(f"<network><name>{name}</name></network>")
        for connection, name in ((here, "lan"), (there, "office"))
    ]
    try:
        interface = "<interface type='network'><source network='lan'/><mac address='52:54:00:00:00:01'/></interface>"
        guest = here.define(domain_xml(extra=interface))
        operations.start(here, "a")
        with raising(CANNOT_BE_THERE):
            operations.migrate_domain(here, "a", there)
        config = guest.xml(CONFIG)
        moved = operations.migrate_domain(here, "a", there, maps=HostMaps(networks={"lan": "office"}))
        assert moved.taken == ("interface 52:54:00:00:00:01: source (network office, was network lan)",)
        after = there.find_domain("a")
        assert after.xml(CONFIG) == config.replace("'lan'", "'office'")
        assert "network='office'" in after.xml(LIVE)
    finally:
        for net in nets:
            net.destroy()


def test_its_history_and_its_autostart_go_along(here: Connection, there: Connection, guest: Domain) -> None:
    for connection in (here, there):
        assert connection.history_folder is not None
        Path(connection.history_folder).mkdir(parents=True)
    operations.set_domain(here, "a", DomainSettings(title="t", autostart=True))
    done(here.uri, "migrate", "a", there.uri)
    assert there.find_domain("a").autostart()
    here_told, there_told = (operations.log_domain(each, guest.uuid) for each in (here, there))
    assert [entry.kind for entry in here_told][:1] == [EntryKind.MOVED]
    assert "migrate a" in there_told[0].command
    assert {entry.id for entry in here_told[1:]} <= {entry.id for entry in there_told}


def test_bridges_of_a_remote_host_are_looked_for_and_what_fits_through_them(cable: Cable, tmp_path: Path) -> None:
    """libvirt in a namespace lists the machine's network devices, of which the loopback has the largest packets."""
    document = parse(domain_xml(extra="<interface type='bridge'><source bridge='lo'/></interface>"))
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    uris = [remote_uri(host.uri, tmp_path / name) for host, name in zip(cable.hosts, ("one", "other"), strict=True)]
    with open_connection(uris[0]) as one, open_connection(uris[1]) as other:
        here, there = HostProvides(one), HostProvides(other)
        assert here.mtu("lo") == there.mtu("lo") == 65536
        assert there.mtu("none") is None
        assert not list(smaller_mtus(document, document, here, there))
        (missing,) = there.missing(parse(serialize(document).replace("'lo'", "'br7'").replace('"lo"', '"br7"')))
        assert str(missing).endswith("the host has no bridge br7")
        there.mtu = lambda _: 1500  # type: ignore[method-assign,assignment]
        (small,) = smaller_mtus(document, document, here, there)
        assert small.stops and str(small).endswith("lo there has an MTU of 1500, not 65536")


def test_a_secret_of_another_value_and_a_port_that_is_taken_are_said_before_anything_happens(
    here: Connection, there: Connection
) -> None:
    uuid = "11111111-1111-1111-1111-111111111111"
    secret = f"<secret ephemeral='yes'><uuid>{uuid}</uuid><usage type='vtpm'><name>a</name></usage></secret>"
    secrets = [each._handle.secretDefineXML(secret) for each in (here, there)]
    for each, value in zip(secrets, (b"one", b"other"), strict=True):
        each.setValue(value)
    try:
        graphics = "<graphics type='vnc' port='5917' autoport='no'/>"
        tpm = (
            f"<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='{uuid}'/></backend></tpm>"
        )
        here.define(domain_xml(extra=graphics + tpm))
        operations.start(here, "a")
        there.define(domain_xml("other", extra=graphics)).start(paused=True)
        with raising(CANNOT_BE_THERE) as refused:
            operations.migrate_domain(here, "a", there)
        said = str(refused.value)
        assert f"the secret {uuid} there has another value" in said
        assert "'other' has the port 5917 there" in said
        there.find_domain("other").destroy()
        secrets[1].setValue(b"one")
        operations.migrate_domain(here, "a", there)
        assert states(here, there)[1].count("running") == 1
    finally:
        for each in secrets:
            each.undefine()
