"""Sealing what others created: nothing the guest sees changes, and nothing is left to the next start."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.compare.change import visible
from holdfast.domainxml.compare.guest_view import compare
from holdfast.domainxml.document import parse
from holdfast.domainxml.make.open_parts import Remedy, open_parts
from holdfast.errors.changes import NO_ROOT_PORTS, TOO_MANY_ROOT_PORTS
from holdfast.errors.domains import TRANSIENT
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.seal import seal_domain
from tests.corpus.builder import make_images
from tests.libvirt.compare.test_guest_view import STARTED
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, has_open_firmware, newest_machine, running
from tests.raising import raising

HOST_MODEL = "<cpu mode='host-model'><topology sockets='1' cores='1' threads='1'/></cpu>"
RNG = "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"


def foreign(extra: str = "", ports: int = 8, name: str = "a") -> str:
    """A domain as another tool would make it: host-model, no aliases."""
    return domain_xml(name, ports=ports, extra=extra).replace("</features>", f"</features>{HOST_MODEL}")


def kinds(document: str) -> set[str]:
    return {part.kind for part in open_parts(parse(document))}


def test_running_domain_is_sealed_with_the_cpu_it_has(connection: Connection) -> None:
    domain = connection.define(foreign(RNG))
    domain.start(paused=True)
    live = domain.xml(LIVE)
    sealed = seal_domain(connection, "a")
    assert {part.kind for part in sealed.closed} == {"cpu", "alias"}
    assert (sealed.changes, sealed.waits, sealed.at_next_start) == ((), (), True)
    assert domain.xml(LIVE) == live
    assert parse(domain.xml(CONFIG)).find("cpu").get("mode") == "custom"  # type: ignore[union-attr]
    assert visible(compare(live, domain.xml(CONFIG))) == []
    domain.destroy()
    domain.start(paused=True)
    assert visible(compare(live, domain.xml(LIVE))) == []
    again = seal_domain(connection, "a")
    assert (again.closed, again.changes) == ((), ())


def test_shut_off_domain_is_sealed_with_what_its_next_start_would_give(connection: Connection) -> None:
    domain = connection.define(foreign())
    domain.start(paused=True)
    would_be = domain.xml(LIVE)
    domain.destroy()
    assert not seal_domain(connection, "a").at_next_start
    domain.start(paused=True)
    assert visible(compare(would_be, domain.xml(LIVE))) == []


def test_dry_run_changes_nothing(connection: Connection) -> None:
    domain = connection.define(foreign(RNG))
    before = domain.xml(CONFIG)
    assert {part.kind for part in seal_domain(connection, "a", dry_run=True).closed} == {"cpu", "alias"}
    assert domain.xml(CONFIG) == before


def test_serials_and_ports_are_listed_and_added_only_when_asked(connection: Connection, tmp_path: Path) -> None:
    domain = connection.define(foreign(disk_xml(tmp_path, "one", "vda"), ports=3))
    sealed = seal_domain(connection, "a")
    assert {part.kind for part in sealed.left} == {"serial", "ports"}
    assert "<serial>" not in domain.xml(CONFIG)
    before = domain.xml(CONFIG)
    would = seal_domain(connection, "a", add_serials=True, add_ports=6, dry_run=True)
    sealed = seal_domain(connection, "a", add_serials=True, add_ports=6)
    assert (would.dry_run, would.closed, would.left, would.changes) == (True, sealed.closed, (), sealed.changes)
    assert sealed.left == ()
    assert any("serial" in str(change) for change in sealed.changes)
    moved = [change for change in visible(compare(before, domain.xml(CONFIG))) if change.kind == "moved"]
    assert moved == []
    domain.start(paused=True)


def test_uefi_files_are_taken_from_live(connection: Connection) -> None:
    text = foreign().replace("<os>", "<os firmware='efi'>")
    domain = connection.define(text)
    domain.start(paused=True)
    live = parse(domain.xml(LIVE))
    assert seal_domain(connection, "a").changes == ()
    config = parse(domain.xml(CONFIG))
    assert not has_open_firmware(config)
    assert config.findtext("os/loader") == live.findtext("os/loader")
    assert config.findtext("os/nvram") == live.findtext("os/nvram")
    domain.destroy()
    domain.start(paused=True)
    assert visible(compare(domain.xml(LIVE), domain.xml(CONFIG))) == []


@pytest.mark.parametrize("ports", [-1, 100000])
def test_impossible_number_of_ports_is_refused(connection: Connection, ports: int) -> None:
    connection.define(foreign())
    with raising(TOO_MANY_ROOT_PORTS, ports=ports):
        seal_domain(connection, "a", add_ports=ports)


def test_ports_on_i440fx_are_refused(connection: Connection) -> None:
    connection.define(domain_xml(machine="pc"))
    with raising(NO_ROOT_PORTS, machine=newest_machine(connection, "pc")):
        seal_domain(connection, "a", add_ports=4)


def test_serials_that_a_running_guest_lacks_wait_for_its_next_start(connection: Connection, tmp_path: Path) -> None:
    domain = running(connection, extra=disk_xml(tmp_path, "one", "vda") + disk_xml(tmp_path, "two", "vdb"))
    sealed = seal_domain(connection, "a", add_serials=True)
    serials = [disk.findtext("serial") for disk in parse(domain.xml(CONFIG)).iterfind("devices/disk")]
    assert sealed.waits == tuple(map(str, sealed.changes))
    assert sealed.waits == tuple(
        f"disk {target}: serial is set to {serial} (was not given)"
        for target, serial in zip(("vda", "vdb"), serials, strict=True)
    )
    assert serials[0] != serials[1]


def test_transient_domain_has_nothing_to_seal(connection: Connection) -> None:
    running(connection).undefine()
    with raising(TRANSIENT):
        seal_domain(connection, "a")


def test_what_cannot_be_sealed_is_said(connection: Connection) -> None:
    connection.define(domain_xml().replace("</features>", "</features><cpu mode='maximum'/>"))
    left = seal_domain(connection, "a").left
    assert [part.remedy for part in left if part.kind == "cpu"] == ["none"]


WITHOUT_VERSION = ("machine-microvm", "machine-isapc")
"""Their machine types have none: they count as open, and nothing closes them."""


def test_every_domain_can_be_sealed(connection: Connection, tmp_path: Path) -> None:
    make_images(tmp_path)
    for sample in STARTED:
        domain = connection.define(sample.document(tmp_path))
        left = {part.kind for part in seal_domain(connection, sample.name).left if part.remedy is Remedy.SEAL}
        assert left == ({"machine"} if sample.name in WITHOUT_VERSION else set()), sample.name
        domain.undefine()
