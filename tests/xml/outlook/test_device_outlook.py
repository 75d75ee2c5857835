"""Devices, and what a change of a document would bring."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.xml.outlook.told import BIOS, Q35, QEMU, UNKNOWN, Libvirt, domain, found, host

from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.hostfiles import host_devices
from holdfast.operations.host import outlook

IGB = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='igb'/></interface>"
NO_IGB = "interface 52:54:00:00:00:01: the host has no interface model igb"


@pytest.fixture
def qemu(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Which QEMUs were asked for their devices; each has one."""
    asked: list[str] = []

    def qemu_models(emulator: str) -> frozenset[str]:
        asked.append(emulator)
        return frozenset({"e1000"})

    monkeypatch.setattr(outlook, "qemu_models", qemu_models)
    yield asked


def test_qemu_itself_is_asked_for_devices_where_it_is_the_hosts_own(qemu: list[str]) -> None:
    local = Libvirt(is_local=True)
    assert [*host(local).hardware(domain(devices=IGB), UNKNOWN)] == [
        BIOS,
        Outlook(Effect.BLOCKS, "device", NO_IGB, who="interface 52:54:00:00:00:01"),
    ]
    assert qemu == [QEMU]
    assert found(local, domain(devices=IGB.replace("igb", "e1000"))) == []
    assert qemu.pop() == QEMU
    qemu.clear()
    assert found(local, domain()) == found(Libvirt(), domain(devices=IGB)) == []
    own = Libvirt(is_local=True, told=Q35.replace(QEMU, "/own/qemu"))
    assert found(own, domain(devices=f"<emulator>/own/qemu</emulator>{IGB}")) == []
    assert qemu == []


def test_qemu_is_asked_once(qemu: list[str]) -> None:
    asked = host(Libvirt(is_local=True))
    for _ in range(2):
        [*asked.hardware(domain(devices=IGB), UNKNOWN)]
    assert qemu == [QEMU]


def test_what_newly_stops_a_start_is_told_of_the_document_after() -> None:
    before, after = domain(), domain(machine="pc-q35-9.0")
    (sentence,) = host().newly_blocks(before, after)
    assert sentence.startswith("the host has no machine type pc-q35-9.0")
    assert host().newly_blocks(after, before) == host().newly_blocks(after, after) == []
    kernel = domain(os="<kernel>/nowhere/kernel</kernel>")
    lack = ["the kernel: the host has no file /nowhere/kernel"]
    assert host(Libvirt(is_local=True)).newly_blocks(before, kernel) == lack


def test_devices_that_are_newly_lacked_are_told_and_nothing_is_asked_where_they_demand_nothing_new(
    qemu: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_devices, "_HOOKS", tmp_path)
    local = Libvirt(is_local=True)
    folder = "<filesystem><source dir='/nowhere'/><target dir='x'/></filesystem>"
    (lack,) = host(local).new_devices_block(domain(), domain(devices=folder))
    assert lack.endswith("the host has no file /nowhere")
    ide = "<disk><target dev='hda' bus='ide'/></disk>"
    no_ide = "disk hda: the host has no disk bus ide"
    assert host(local).new_devices_block(domain(), domain(devices=folder + ide + IGB)) == sorted([lack, no_ide, NO_IGB])
    assert host(local).new_devices_block(domain(devices=ide), domain(devices=ide + IGB)) == [NO_IGB]
    assert host(local).new_devices_block(domain(devices=ide), domain()) == []
    silent = Libvirt()
    assert host(silent).new_devices_block(domain(devices=ide), domain(devices=ide, machine="pc-q35-6.0")) == []
    assert silent.asked == []
    assert host(silent).new_devices_block(domain(machine="pc-q35-6.0"), domain(devices=ide)) == [no_ide]
    assert silent.asked == [("", "x86_64", "pc-q35-6.0", "qemu", False)]
    assert host(Libvirt(told=None)).new_devices_block(domain(), domain(devices=ide)) == []
