"""Attach where every root port is taken: config gets another port, in the slot of one that is there, or nothing at all.

libvirt (9.0) marks the first of the ports in one slot (multifunction='on') as soon as there is a second.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.domainxml.address import PciAddress
from holdfast.errors import HoldfastError, devices
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.devices.attach import attach_device
from tests.libvirt.domains import CONFIG, LIVE, disk_xml, domain_xml, places, text_of
from tests.raising import raising


def full(connection: Connection) -> Domain:
    """A running domain with one root port, which has a slot to itself and a device behind it."""
    alone = "<address type='pci' bus='0x00' slot='0x01' function='0x0'/></controller>"
    xml = domain_xml(ports=1).replace("index='1' model='pcie-root-port'/>", f"index='1' model='pcie-root-port'>{alone}")
    domain = connection.define(xml)
    domain.start(paused=True)
    assert "multifunction" not in domain.xml(CONFIG)
    return domain


def test_a_port_that_libvirt_marks_as_the_first_of_several_comes_along(connection: Connection, tmp_path: Path) -> None:
    domain = full(connection)
    attached = attach_device(connection, "a", disk_xml(tmp_path, "one"), config_only=True)
    assert "multifunction" in domain.xml(CONFIG)
    assert attached.brought[-1] == "controller pci 1 pci 0000:00:01.0 as the first of several"
    assert {place for name, place in places(domain, CONFIG).items() if name.startswith("pci ")} >= {
        PciAddress(0, 0, 1, 0),
        PciAddress(0, 0, 1, 1),
    }


def test_what_somebody_else_changes_in_the_slot_of_a_new_port_is_said(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(connection)
    real = Domain.attach

    def crowded(self: Domain, device: str, definition: Definition) -> None:
        real(self, device, definition)
        changed = self.xml(CONFIG).replace(
            "model='pcie-root-port'>", "model='pcie-root-port'><target hotplug='off'/>", 1
        )
        connection.define(re.sub("<target chassis='1' port='0x8'/>", "", changed, count=1))

    monkeypatch.setattr(Domain, "attach", crowded)
    with raising(devices.CHANGED_ELSEWHERE, definition="config", changes="controller pci 1 pci 0000:00:01.0"):
        attach_device(connection, "a", disk_xml(tmp_path, "one"), config_only=True)


CHANNEL = "<channel type='null'><target type='virtio' name='org.example.0'/></channel>"
CONVENTIONAL = "<interface type='user'><model type='rtl8139'/></interface>"


@pytest.mark.parametrize("device", [CHANNEL, CONVENTIONAL, "<rng model='virtio'><backend model='random'/></rng>"])
def test_what_live_has_no_port_for_is_refused_without_a_mark_on_a_port(connection: Connection, device: str) -> None:
    domain = full(connection)
    before = domain.xml(CONFIG), domain.xml(LIVE)
    with pytest.raises(HoldfastError) as refused:
        attach_device(connection, "a", device)
    assert (text_of(domain, CONFIG), text_of(domain, LIVE)) == before
    assert refused.value.exit_code in (1, 3)
