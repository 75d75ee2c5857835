"""An attach or a detach that broke off between two of its steps is named by the audit, and finished by repeating it."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast.domainxml.document import parse
from holdfast.domainxml.fact import Detaching
from holdfast.domainxml.metadata import facts
from holdfast.errors.devices import NO_DEVICE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations import (
    DiskSpec,
    InterfaceSpec,
    adopt_domain,
    attach_device,
    attach_disk,
    attach_interface,
    detach_device,
)
from holdfast.operations.audit.hosts import audit_host
from holdfast.operations.audit.report import FindingKind
from tests.libvirt.commands import done
from tests.libvirt.domains import CONFIG, LIVE, domain_xml, image, places, recorded, running, text_of
from tests.libvirt.moments import broken_off
from tests.raising import raising

DOG = "<watchdog model='i6300esb' action='reset'><alias name='ua-dog'/></watchdog>"
"""A device of the conventional bus, of which q35 has none: a bridge comes with it, and a port for that."""


def unfinished(connection: Connection) -> list[str]:
    """What the audit says is not finished."""
    findings = [each for report in audit_host(connection).domains for each in report.findings]
    return [each.sentence for each in findings if each.kind is FindingKind.UNFINISHED]


def macs(domain: Domain, definition: Definition) -> set[str]:
    return {name for name in places(domain, definition) if ":" in name}


def test_an_interface_without_a_name_is_the_same_one_when_its_attach_is_repeated(connection: Connection) -> None:
    domain = running(connection)
    with broken_off("attach", 2):
        attach_interface(connection, "a", InterfaceSpec(kind="user"))
    assert len(macs(domain, CONFIG)) == 1 and not macs(domain, LIVE)
    assert len(unfinished(connection)) == 1
    attach_interface(connection, "a", InterfaceSpec(kind="user"))
    assert macs(domain, CONFIG) == macs(domain, LIVE) and len(macs(domain, LIVE)) == 1
    assert not unfinished(connection)
    attach_interface(connection, "a", InterfaceSpec(kind="user"))
    assert len(macs(domain, LIVE)) == 2, "one that is asked for once more is another one"


def test_another_interface_is_another_one_while_an_attach_is_not_finished(connection: Connection) -> None:
    domain = running(connection)
    with broken_off("attach", 2):
        attach_interface(connection, "a", InterfaceSpec(kind="user"))
    attach_interface(connection, "a", InterfaceSpec(kind="user", model="e1000e"))
    assert (len(macs(domain, CONFIG)), len(macs(domain, LIVE))) == (2, 1)
    assert len(unfinished(connection)) == 1


def test_a_disk_that_was_attached_and_not_recorded_is_recorded_by_repeating(
    connection: Connection, tmp_path: Path
) -> None:
    domain, disk = running(connection), DiskSpec(path=str(image(tmp_path, "one")), format="raw")
    adopt_domain(connection, "a")
    with broken_off("set_metadata", 2):
        attach_disk(connection, "a", disk)
    assert len(unfinished(connection)) == 1 and not recorded(domain, CONFIG)
    repeated = attach_disk(connection, "a", disk)
    assert repeated.notes == ("an interrupted command had attached it already; this is now recorded",)
    assert recorded(domain, CONFIG) == recorded(domain, LIVE) == {"vda"}
    assert not unfinished(connection)


@pytest.mark.parametrize("step", [1, 2])
def test_a_device_that_brings_controllers_takes_them_along_whenever_its_attach_broke_off(
    connection: Connection, step: int
) -> None:
    domain = connection.define(domain_xml())
    before = text_of(domain, CONFIG)
    with broken_off("set_metadata" if step == 2 else "attach", step):
        attach_device(connection, "a", DOG)
    assert unfinished(connection) == ["the attach of watchdog ua-dog is under way, or was interrupted"]
    detach_device(connection, "a", "ua-dog")
    assert text_of(domain, CONFIG) == before


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_detach_that_broke_off_before_the_controllers_went_goes_on_when_repeated(
    connection: Connection, step: int
) -> None:
    domain = connection.define(domain_xml())
    before = text_of(domain, CONFIG)
    attach_device(connection, "a", DOG)
    with broken_off("detach", step):
        detach_device(connection, "a", "ua-dog")
    assert unfinished(connection) == ["the detach of watchdog ua-dog is under way, or was interrupted"]
    would = detach_device(connection, "a", "ua-dog", dry_run=True)
    assert detach_device(connection, "a", "ua-dog").went == would.went
    assert text_of(domain, CONFIG) == before
    assert facts(parse(domain.xml(CONFIG)), Detaching) == []
    with raising(NO_DEVICE, device="ua-dog"):
        detach_device(connection, "a", "ua-dog")


def test_what_is_recorded_of_a_disk_that_has_gone_goes_when_its_detach_is_repeated(
    connection: Connection, uri: str, tmp_path: Path
) -> None:
    domain = connection.define(domain_xml())
    attach_disk(connection, "a", DiskSpec(path=str(image(tmp_path, "one")), format="raw", role="swap"))
    with broken_off("set_metadata", 1):
        detach_device(connection, "a", "vda")
    assert recorded(domain, CONFIG) == {"vda"} and "vda" not in places(domain, CONFIG)
    assert "would forget what is recorded about vda; nothing was changed" in done(
        uri, "disk", "detach", "a", "vda", "--dry-run"
    )
    told = done(uri, "disk", "detach", "a", "vda")
    assert told == "vda is in neither document; its record is gone now, too\n"
    assert not recorded(domain, CONFIG)


def test_the_record_of_a_disk_that_is_not_released_goes_from_config_when_its_detach_is_repeated(
    connection: Connection, tmp_path: Path
) -> None:
    domain = running(connection)
    attach_disk(connection, "a", DiskSpec(path=str(image(tmp_path, "one")), format="raw", role="swap"))
    with broken_off("set_metadata", 1):
        detach_device(connection, "a", "vda", timeout=0)
    assert recorded(domain, CONFIG) == {"vda"} and "vda" not in places(domain, CONFIG)
    with pytest.raises(Exception, match="has not released"):
        detach_device(connection, "a", "vda", timeout=0)
    assert not recorded(domain, CONFIG)
