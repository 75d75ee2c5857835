"""``holdfast upgrade machine``: the version changes, and nothing else of the document."""

from __future__ import annotations

import json

import pytest

from holdfast import operations
from holdfast.cli import hints
from holdfast.domainxml.document import parse, same
from holdfast.errors import Condition, HoldfastError
from holdfast.errors.changes import EARLIER_MACHINE, OTHER_KIND_OF_MACHINE, WOULD_NOT_START
from holdfast.errors.domains import TRANSIENT
from holdfast.errors.hosts import NO_MACHINE_TYPE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, newest_machine, places, running
from tests.raising import raising

DEVICES = """<interface type='user'><model type='virtio'/></interface><sound model='ich9'/>
  <video><model type='vga'/></video><graphics type='vnc'/><watchdog model='i6300esb'/>
  <rng model='virtio'><backend model='builtin'/></rng><input type='tablet' bus='virtio'/>"""


def machine(domain: Domain, live: bool = False) -> str:
    found = parse(domain.xml(LIVE if live else CONFIG)).find("os/type")
    assert found is not None
    return found.get("machine", "")


@pytest.mark.parametrize(
    ("before", "after"),
    [("pc-q35-4.0", "pc-q35-7.2"), ("pc-q35-2.4", "pc-q35-2.10"), ("pc-i440fx-2.4", "pc-i440fx-7.2")],
)
def test_only_the_version_changes_and_the_domain_starts(connection: Connection, before: str, after: str) -> None:
    domain = connection.define(domain_xml(machine=before, extra=DEVICES))
    old, addresses = parse(domain.xml(CONFIG)), places(domain, CONFIG)
    done_ = operations.upgrade_machine(connection, "a", after)
    assert (done_.before, done_.after, done_.waits) == (before, after, ())
    assert [change.where for change in done_.changes] == ["os/type@machine"]
    assert places(domain, CONFIG) == addresses
    kind = old.find("os/type")
    assert kind is not None
    kind.set("machine", after)
    assert same(old, parse(domain.xml(CONFIG)))
    domain.start(paused=True)
    assert machine(domain, live=True) == after
    assert places(domain, LIVE) == addresses


def test_a_running_guest_has_the_old_version_until_its_next_cold_start(connection: Connection, uri: str) -> None:
    domain = running(connection, machine="pc-q35-6.0")
    text = done(uri, "upgrade", "machine", "a", "pc-q35-7.2")
    assert "waits for its next cold start" in text
    assert operations.upgrade_machine(connection, "a", "pc-q35-7.1", dry_run=True, lower=True).waits == (
        "os: type machine is pc-q35-7.1, was pc-q35-6.0",
    )
    assert "may name them anew" in text  # over 6.1
    assert (machine(domain, live=True), machine(domain)) == ("pc-q35-6.0", "pc-q35-7.2")
    assert "os: type machine is pc-q35-7.2, was pc-q35-6.0" in run(uri, "plan", "reboot", "a").stdout


def test_plan_and_dry_run_say_the_same_and_change_nothing(connection: Connection, uri: str) -> None:
    domain = connection.define(domain_xml(machine="pc-q35-4.0"))
    before = domain.xml(CONFIG)
    plan = run(uri, "plan", "machine", "a", "pc-q35-7.2")
    assert plan.exit_code == 3
    assert plan.stdout == done(uri, "upgrade", "machine", "a", "pc-q35-7.2", "--dry-run")
    assert "would change the machine type from pc-q35-4.0 to pc-q35-7.2" in plan.stdout
    assert domain.xml(CONFIG) == before
    found = json.loads(run(uri, "plan", "machine", "a", "pc-q35-7.2", "-o", "json").stdout)
    assert (found["before"], found["after"], found["dry_run"]) == ("pc-q35-4.0", "pc-q35-7.2", True)
    assert [change["where"] for change in found["changes"]] == ["os/type@machine"]
    assert {outlook["part"] for outlook in found["outlooks"]} == {"machine"}


def test_an_alias_means_the_version_that_it_stands_for(connection: Connection) -> None:
    domain = connection.define(domain_xml(machine="pc-q35-4.0"))
    newest = newest_machine(connection)
    assert operations.upgrade_machine(connection, "a", "q35").after == newest
    assert machine(domain) == newest


def test_the_same_version_is_no_change(connection: Connection, uri: str) -> None:
    newest = newest_machine(connection)
    connection.define(domain_xml(machine=newest))
    assert done(uri, "plan", "machine", "a", "q35") == f"a: the machine type is {newest} already\n"
    assert done(uri, "upgrade", "machine", "a", "q35") == f"a: the machine type is {newest} already\n"


@pytest.mark.parametrize(
    ("wanted", "condition", "hint"),
    [
        ("pc", OTHER_KIND_OF_MACHINE, "another version of pc-q35"),
        ("pc-i440fx-7.2", OTHER_KIND_OF_MACHINE, "another version of pc-q35"),
        ("microvm", OTHER_KIND_OF_MACHINE, "another version of pc-q35"),
        ("pc-q35-99.0", NO_MACHINE_TYPE, "possible: pc-q35-"),
        ("nosuch", NO_MACHINE_TYPE, " older"),
        ("pc-q35-2.4", EARLIER_MACHINE, "--lower"),
    ],
)
def test_another_machine_is_refused_with_what_is_possible(
    connection: Connection, wanted: str, condition: Condition[HoldfastError], hint: str
) -> None:
    domain = connection.define(domain_xml(machine="pc-q35-4.0"))
    before = domain.xml(CONFIG)
    with raising(condition, machine=wanted if wanted != "pc" else newest_machine(connection, "pc")) as caught:
        operations.upgrade_machine(connection, "a", wanted)
    assert hint in hints.hint(caught.value)
    assert domain.xml(CONFIG) == before


def test_lower_is_the_way_back(connection: Connection) -> None:
    domain = connection.define(domain_xml(machine="pc-q35-4.0", extra=DEVICES))
    before = domain.xml(CONFIG)
    operations.upgrade_machine(connection, "a", "pc-q35-7.2")
    assert domain.xml(CONFIG) != before
    operations.upgrade_machine(connection, "a", "pc-q35-4.0", lower=True)
    assert domain.xml(CONFIG) == before


def test_a_version_with_which_it_would_not_start_is_refused(connection: Connection) -> None:
    """pc-q35-2.4 has 255 vCPUs at most, later ones 288."""
    document = domain_xml(machine="pc-q35-7.2").replace("<os>", "<vcpu>260</vcpu><os>")
    iommu = "<iommu model='intel'><driver intremap='on' eim='on'/></iommu>"
    document = document.replace("<features>", "<features><ioapic driver='qemu'/>")
    domain = connection.define(document.replace("</devices>", f"{iommu}</devices>"))
    with raising(WOULD_NOT_START, what="pc-q35-2.4", reasons="pc-q35-2.4 cannot have 260 vCPUs: at most 255"):
        operations.upgrade_machine(connection, "a", "pc-q35-2.4", lower=True)
    assert machine(domain) == "pc-q35-7.2"


def test_a_managed_save_image_keeps_the_old_version_and_is_noted(connection: Connection) -> None:
    domain = running(connection, machine="pc-q35-6.2")
    domain._handle.managedSave(0)
    (note,) = operations.upgrade_machine(connection, "a", "pc-q35-7.2").notes
    assert "continues from the managed-save image" in note
    (waiting,) = operations.plan_reboot(connection, "a").changes
    assert str(waiting) == "os: type machine is pc-q35-7.2, was pc-q35-6.2"


def test_a_transient_domain_has_nothing_to_upgrade(connection: Connection, uri: str) -> None:
    running(connection).undefine()
    with raising(TRANSIENT):
        operations.upgrade_machine(connection, "a", "q35")
    assert run(uri, "upgrade", "machine", "a", "q35").exit_code == 3
