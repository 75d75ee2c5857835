"""Whether an image is fit to be given to a guest, function by function; no guest is started."""

from __future__ import annotations

import os
from collections.abc import Iterator
from errno import EACCES
from pathlib import Path

import pytest

import holdfast
from holdfast.domainxml.document import Element, parse
from holdfast.errors import images
from holdfast.errors.files import EXISTS, NO_PERMISSION
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disk_source import check_source, is_missing, local_path, refuse_existing_image, refuse_in_use
from tests.libvirt.disks.foreign import qemu_img
from tests.libvirt.domains import disk_xml, domain_xml
from tests.libvirt.images import qcow2, qcow2_disk
from tests.raising import raising

SHARED = "<shareable/>"


def disk(path: Path | str, format: str = "raw", extra: str = "", policy: str = "") -> Element:
    """A disk on a file; nothing is made."""
    startup = f" startupPolicy='{policy}'" if policy else ""
    return parse(
        f"<disk type='file'><driver name='qemu' type='{format}'/><source file='{path}'{startup}/>"
        f"<target dev='vda'/>{extra}</disk>"
    )


def on_network(format: str) -> Element:
    return parse(
        f"<disk type='network'><driver type='{format}'/><source protocol='nbd' name='export'>"
        "<host name='localhost'/></source><target dev='vda'/></disk>"
    )


def overlay(folder: Path) -> Path:
    """An overlay on base.qcow2, which its header names."""
    qemu_img("create", "-q", "-f", "qcow2", "-b", str(qcow2(folder, "base")), "-F", "qcow2", f"{folder}/top")
    return folder / "top"


@pytest.fixture
def elsewhere(daemon: Connection, remote_uri: str) -> Iterator[Connection]:
    """A libvirt whose URI names another host."""
    with holdfast.connect(remote_uri) as connection:
        yield connection


def test_missing_image_is_taken_only_with_a_policy_that_allows_it(connection: Connection, tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere"
    for policy in ("", "optional"):
        with raising(images.NO_IMAGE, path=nowhere):
            check_source(connection, None, disk(nowhere, policy=policy))
    with raising(images.NO_IMAGE, path=nowhere):
        check_source(connection, None, disk(nowhere, policy="mandatory"), may_lack=("optional",))
    check_source(connection, None, disk(nowhere, policy="optional"), may_lack=("optional",))
    with raising(images.NOT_RAW, images.ANOTHER_FORMAT):
        there = disk(qcow2(tmp_path, "there"), policy="optional")
        check_source(connection, None, there, may_lack=("optional",))


def test_what_is_no_disk_is_not_looked_at(connection: Connection, tmp_path: Path) -> None:
    fs = parse(f"<filesystem type='file'><source file='{tmp_path}/nowhere'/><target dir='x'/></filesystem>")
    check_source(connection, None, fs)
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "one", "vda")))
    fs = parse(f"<filesystem type='file'><source file='{tmp_path}/one.img'/><target dir='x'/></filesystem>")
    refuse_in_use(connection, None, fs)


def test_header_names_only_what_the_disk_or_the_caller_says(connection: Connection, tmp_path: Path) -> None:
    top, base = overlay(tmp_path), f"{tmp_path}/base.qcow2"
    stated = f"<backingStore type='file'><format type='qcow2'/><source file='{base}'/></backingStore>"
    for known in ((), ("/another",)):
        with raising(images.NAMES_ANOTHER_FILE, path=top, other=base):
            check_source(connection, None, disk(top, "qcow2"), known=known)
    with raising(images.NAMES_ANOTHER_FILE):
        check_source(connection, None, disk(top, "qcow2", stated.replace("base", "x")), known=(base,))
    check_source(connection, None, disk(top, "qcow2", stated))
    check_source(connection, None, disk(top, "qcow2"), known=(base,))
    check_source(connection, None, disk(top, "qcow2"), known=None)
    check_source(connection, None, disk(top, "qcow2"), trust_format=True)


def test_stated_name_of_a_file_below_may_be_a_link_to_it(connection: Connection, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "base.qcow2")
    stated = f"<backingStore type='file'><format type='qcow2'/><source file='{tmp_path}/link'/></backingStore>"
    check_source(connection, None, disk(overlay(tmp_path), "qcow2", stated))


def test_header_on_the_network_is_taken_where_it_can_name_nothing(connection: Connection, tmp_path: Path) -> None:
    with raising(images.UNCHECKED_HEADER, stated="qcow2", place="nbd://localhost:10809/export"):
        check_source(connection, None, on_network("qcow2"))
    check_source(connection, None, on_network("raw"))
    check_source(connection, None, on_network("qcow2"), trust_format=True)
    check_source(connection, None, on_network("qcow2"), known=None)
    check_source(connection, None, parse("<disk type='file' device='cdrom'><target dev='sda'/></disk>"))
    folder = f"<disk type='dir'><driver type='qcow2'/><source dir='{tmp_path}'/><target dev='vda'/></disk>"
    check_source(connection, None, parse(folder))


def test_image_that_may_not_be_read_is_taken_where_its_header_can_name_nothing(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = qcow2(tmp_path, "image")

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(EACCES, os.strerror(EACCES))

    monkeypatch.setattr(os, "open", denied)
    check_source(connection, None, disk(image, "raw"))
    with raising(NO_PERMISSION):
        check_source(connection, None, disk(image, "qcow2"))
    check_source(connection, None, disk(image, "qcow2"), trust_format=True)


def test_image_that_only_its_pool_may_read_is_read_by_it(
    daemon: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = f"<pool type='dir'><name>store</name><target><path>{tmp_path}</path></target></pool>"
    top = overlay(tmp_path)
    daemon._handle.storagePoolDefineXML(pool).create()

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(EACCES, os.strerror(EACCES))

    monkeypatch.setattr(os, "open", denied)
    with raising(images.NAMES_ANOTHER_FILE, path=top, other=f"{tmp_path}/base.qcow2"):
        check_source(daemon, None, disk(top, "qcow2"))


def test_is_missing_tells_of_files_that_can_be_looked_for(
    connection: Connection, elsewhere: Connection, tmp_path: Path
) -> None:
    there, nowhere = disk(qcow2(tmp_path, "one")), disk(tmp_path / "nowhere")
    network = on_network("raw")
    assert [is_missing(connection, each) for each in (there, nowhere, network)] == [False, True, False]
    assert not is_missing(elsewhere, nowhere)


def test_local_path_is_that_of_the_file_or_volume_of_this_host(
    daemon: Connection, elsewhere: Connection, tmp_path: Path
) -> None:
    pool = f"<pool type='dir'><name>store</name><target><path>{tmp_path}</path></target></pool>"
    image = qcow2(tmp_path, "one")
    daemon._handle.storagePoolDefineXML(pool).create()
    of_pool, of_none, volume = (
        parse(f"<disk type='volume'><source pool='{name}' volume='{of}'/><target dev='vda'/></disk>")
        for name, of in (("store", "none"), ("none", image.name), ("store", image.name))
    )
    assert local_path(daemon, volume) == str(image)
    assert (local_path(daemon, of_pool), local_path(daemon, of_none)) == (None, None)
    assert local_path(daemon, parse("<disk type='volume'><target dev='vda'/></disk>")) is None
    assert local_path(daemon, disk(image)) == str(image)
    assert (local_path(elsewhere, volume), local_path(elsewhere, disk(image))) == (None, None)
    assert local_path(daemon, on_network("raw")) is None


def test_image_in_use_is_refused_unless_both_share_it(connection: Connection, tmp_path: Path) -> None:
    image, alone = f"{tmp_path}/one.img", connection.define(domain_xml("b", extra=disk_xml(tmp_path, "one", "vda")))
    with raising(images.IN_USE, path=image, user="b"):
        refuse_in_use(connection, None, disk(image))
    refuse_in_use(connection, None, disk(image, extra=SHARED))
    alone.undefine()
    connection.define(domain_xml("b", extra=disk_xml(tmp_path, "one", "vda", SHARED)))
    refuse_in_use(connection, None, disk(image))


def test_image_that_is_not_there_yet_is_in_use_too(connection: Connection, tmp_path: Path) -> None:
    connection.define(domain_xml("b", extra=qcow2_disk(tmp_path / "later")))
    with raising(images.IN_USE, user="b"):
        check_source(connection, None, disk(tmp_path / "later", policy="optional"), may_lack=("optional",))
    refuse_in_use(connection, None, disk(tmp_path / "other"))


def test_domain_has_its_own_image_by_one_name_only(connection: Connection, tmp_path: Path) -> None:
    image, link = qcow2(tmp_path, "image"), tmp_path / "link"
    link.hardlink_to(image)
    uuid = connection.define(domain_xml("b", extra=qcow2_disk(image))).uuid
    check_source(connection, uuid, disk(image, "qcow2"))
    with raising(images.IN_USE, path=link, user="b"):
        refuse_in_use(connection, uuid, disk(link))
    with raising(images.IN_USE, path=link, user="b"):
        refuse_in_use(connection, None, disk(link))


def test_names_of_another_host_are_compared_as_they_are(elsewhere: Connection, tmp_path: Path) -> None:
    image, link = qcow2(tmp_path, "image"), tmp_path / "link"
    link.hardlink_to(image)
    elsewhere.define(domain_xml("b", extra=qcow2_disk(image)))
    with raising(images.IN_USE, path=image, user="b"):
        refuse_in_use(elsewhere, None, disk(image))
    refuse_in_use(elsewhere, None, disk(link))


def test_no_image_is_made_where_there_is_one_and_its_user_is_named(connection: Connection, tmp_path: Path) -> None:
    image, other = qcow2(tmp_path, "image"), qcow2(tmp_path, "other")
    connection.define(domain_xml("b", extra=qcow2_disk(image)))
    with raising(images.IMAGE_OF_DOMAIN, path=image, user="b"):
        refuse_existing_image(connection, str(image))
    with raising(EXISTS):
        refuse_existing_image(connection, str(other))
    refuse_existing_image(connection, f"{tmp_path}/new")
