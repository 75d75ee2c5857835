"""A setting that was set is on disk: libvirt has some in its memory first, and keeps them there when it cannot write.

So a repetition that succeeds has written them, and what libvirt cannot write is told as such.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

import holdfast
from holdfast import operations
from holdfast.domainxml.document import canonical, parse
from holdfast.errors import Failed, LibvirtRefused, PartlyDone, settings
from holdfast.libvirtapi import domain as libvirtapi_domain
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import DiskSettings, DomainSettings, InterfaceSettings, Topology
from holdfast_lab.daemon import private_host
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, disk_xml, domain_xml
from tests.libvirt.settings.changed import MAC, MIB, document
from tests.libvirt.unwritable import WAYS, unwritable
from tests.raising import raising

GRAPHICS = "<graphics type='vnc' autoport='yes'/>"

CALLS: dict[str, tuple[Callable[[Domain, Path], object], bool]] = {
    "attach": (lambda domain, folder: domain.attach(disk_xml(folder, "two", "vdb"), CONFIG), False),
    "detach": (lambda domain, folder: domain.detach(disk_xml(folder, "one", "vda"), CONFIG), False),
    "update": (lambda domain, folder: domain.update(disk_xml(folder, "two", "vda"), CONFIG), False),
    "set_vcpus": (lambda domain, _: domain.set_vcpus(1, CONFIG), True),
    "set_max_vcpus": (lambda domain, _: domain.set_max_vcpus(8), True),
    "set_memory": (lambda domain, _: domain.set_memory(100 * 1024, CONFIG), True),
    "set_max_memory": (lambda domain, _: domain.set_max_memory(512 * 1024), True),
    "set_title": (lambda domain, _: domain.set_title("other", CONFIG), True),
    "set_description": (lambda domain, _: domain.set_description("other", CONFIG), True),
    "set_metadata": (lambda domain, _: domain.set_metadata("<x/>", "x", "urn:x", CONFIG), True),
    "set_scheduler": (lambda domain, _: domain.set_scheduler({"cpu_shares": 512}, CONFIG), False),
    "set_io_limits": (lambda domain, _: domain.set_io_limits("vda", {"total_bytes_sec": MIB}, CONFIG), True),
    "rename": (lambda domain, _: domain.rename("b"), False),
    "undefine": (lambda domain, _: domain.undefine(), False),
}
"""Every call that changes config, and whether libvirt (9.0) may keep in memory what it could not write."""

DOMAIN: dict[str, Any] = {
    "vcpus": 1,
    "max_vcpus": 8,
    "cpu_topology": Topology(cores=4),
    "memory": 100 * MIB,
    "max_memory": 512 * MIB,
    "title": "other",
    "description": "of two\nlines",
    "autostart": True,
    "boot": (MAC,),
    "cpu_shares": 512,
    "cpu_period": 2000,
    "cpu_quota": 2000,
    "graphics_password": "password",
}
DISK: dict[str, Any] = {
    "cache": "none",
    "discard": "unmap",
    **{field.name: 1000 for field in fields(DiskSettings) if field.name.endswith("_sec")},
}


def set_domain(name: str, connection: Connection) -> object:
    return operations.set_domain(connection, "a", DomainSettings(**{name: DOMAIN[name]}))


def set_disk(name: str, connection: Connection) -> object:
    return operations.set_disk(connection, "a", "vda", DiskSettings(**{name: DISK[name]}))


def set_link(connection: Connection) -> object:
    return operations.set_interface(connection, "a", MAC, InterfaceSettings(link="down"))


SETTINGS: dict[str, Callable[[Connection], object]] = {
    **{f"domain {field.name}": partial(set_domain, field.name) for field in fields(DomainSettings)},
    **{f"disk {field.name}": partial(set_disk, field.name) for field in fields(DiskSettings)},
    "interface link": set_link,
}
"""Every setting there is; the network and the bridge of an interface are set as its link is."""


@pytest.fixture
def folder(uri: str) -> Path:
    """Where the embedded libvirt keeps its config documents."""
    return Path(parse_qs(urlsplit(uri).query)["root"][0], "etc/qemu")


@pytest.fixture
def domain(connection: Connection, tmp_path: Path) -> Domain:
    """A domain that is shut off, with a disk, an interface and graphics."""
    return connection.define(document(extra=GRAPHICS + disk_xml(tmp_path, "one", "vda")))


def is_on_disk(folder: Path, domain: Domain) -> bool:
    """Whether libvirt's files say all that libvirt says."""
    linked = (folder / "autostart" / f"{domain.name}.xml").is_symlink()
    written = canonical(parse((folder / f"{domain.name}.xml").read_text()))
    return written == canonical(parse(domain.xml(CONFIG, secure=True))) and linked == domain.autostart()


def test_it_is_known_which_calls_leave_in_memory_what_they_could_not_write(
    connection: Connection, folder: Path, tmp_path: Path, domain: Domain
) -> None:
    (known,) = (
        each for each in ast.parse(inspect.getsource(libvirtapi_domain)).body if getattr(each, "name", "") == "Domain"
    )
    assert isinstance(known, ast.ClassDef)
    decorated = [each for each in known.body if isinstance(each, ast.FunctionDef) and each.decorator_list]
    assert set(CALLS) == {each.name for each in decorated if ast.unparse(each.decorator_list[0]) == "changes_domain"}
    before = domain.xml(CONFIG)
    for name, (call, may_stay) in CALLS.items():
        with unwritable(folder, "read-only"):
            with pytest.raises(LibvirtRefused):
                call(domain, tmp_path)
            assert may_stay or domain.xml(CONFIG) == before, name
        if may_stay:
            connection.define(before)
        assert is_on_disk(folder, domain), name


@pytest.mark.parametrize("is_running", [False, True], ids=["off", "running"])
@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_that_is_repeated_with_success_is_on_disk(
    connection: Connection, folder: Path, domain: Domain, name: str, is_running: bool
) -> None:
    if is_running:
        if name.startswith("domain cpu_"):
            pytest.skip("QEMU has no cgroups here")
        domain.start(paused=True)
    before = domain.xml(CONFIG, secure=True), domain.autostart()
    with unwritable(folder, "read-only"), pytest.raises((Failed, PartlyDone)) as first:
        SETTINGS[name](connection)
    assert "somebody else" not in f"{first.value.message} {first.value.remedy}"
    if not isinstance(first.value, PartlyDone):
        assert (domain.xml(CONFIG, secure=True), domain.autostart()) == before, "exit 1 says that nothing was changed"
    SETTINGS[name](connection)
    assert is_on_disk(folder, domain)
    assert (domain.xml(CONFIG, secure=True), domain.autostart()) != before


@pytest.mark.parametrize("way", WAYS)
def test_what_others_have_left_in_memory_alone_is_written_by_who_asks_for_it(
    connection: Connection, uri: str, folder: Path, domain: Domain, way: str
) -> None:
    with unwritable(folder, way):
        with pytest.raises(LibvirtRefused):
            domain.set_memory(100 * 1024, CONFIG)
        result = run(uri, "set", "a", "--memory", "100MiB", "--description", "other")
        assert result.exit_code == 5
        assert "libvirt has set memory of 'a', but cannot write it to disk: " in result.stderr
    assert not is_on_disk(folder, domain)
    assert "memory is 100 MiB already" in done(uri, "set", "a", "--memory", "100MiB")
    assert is_on_disk(folder, domain)


def test_autostart_that_cannot_be_changed_blames_the_folder(
    connection: Connection, uri: str, folder: Path, domain: Domain
) -> None:
    done(uri, "set", "a", "--autostart")
    for locked in (folder, folder / "autostart"):
        with unwritable(locked, "read-only"):
            result = run(uri, "set", "a", "--no-autostart")
            assert result.exit_code == 1 and "the folder of these links can be written" in result.stderr
            result = run(uri, "set", "a", "--no-autostart", "--title", "other")
            assert result.exit_code == 5 and "somebody else" not in result.stderr
        assert domain.autostart()


def test_a_setting_outlives_the_daemon(tmp_path: Path) -> None:
    with private_host() as host:
        (first,) = Path(f"/proc/{host.process.pid}/task/{host.process.pid}/children").read_text().split()
        wish = DomainSettings(title="other", memory=32 * MIB)
        with holdfast.connect(host.uri) as daemon:
            daemon.define(domain_xml())
            for _ in "ab":
                locked = unwritable(Path("/etc/libvirt/qemu"), "read-only", "nsenter", "--mount", "--target", first)
                with locked, raising(settings.SET_IN_MEMORY):
                    operations.set_domain(daemon, "a", wish)
            operations.set_domain(daemon, "a", wish)
        host.restart()
        with holdfast.connect(host.uri) as daemon:
            assert "<title>other</title>" in daemon.find_domain("a").xml(CONFIG)
            assert operations.set_domain(daemon, "a", wish).settings[0].changed == ()
