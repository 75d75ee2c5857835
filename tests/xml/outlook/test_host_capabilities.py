"""What a host can give to domains of one kind, and by which versions; also where the connection may not ask."""

from __future__ import annotations

from typing import cast

import pytest
from tests.raising import raising
from tests.xml.outlook.told import Libvirt

from holdfast.domainxml.platform import Platform
from holdfast.domainxml.versions import NOT_KNOWN, Versions
from holdfast.errors import InvalidDocument
from holdfast.errors.hosts import HOST_CANNOT, NO_MACHINE_TYPE
from holdfast.errors.libvirt import REFUSED
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_capabilities, host_versions

Q35 = Platform("", "x86_64", "q35", "qemu")


def connection(libvirt: Libvirt) -> Connection:
    return cast(Connection, libvirt)


def test_what_libvirt_tells_of_a_platform_is_asked_for_as_it_is() -> None:
    libvirt = Libvirt()
    told = host_capabilities(connection(libvirt), Platform("/qemu", "x86_64", "q35", "qemu"))
    assert libvirt.asked == [("/qemu", "x86_64", "q35", "qemu", False)]
    assert (told.machine, told.is_complete) == ("pc-q35-7.2", True)


def test_a_readonly_connection_is_told_what_everybody_is() -> None:
    libvirt = Libvirt(readonly=True)
    told = host_capabilities(connection(libvirt), Q35)
    assert libvirt.asked == ["host"]
    assert (told.machine, told.is_complete) == ("pc-q35-7.2", False)
    with raising(NO_MACHINE_TYPE, machine="none"):
        host_capabilities(connection(libvirt), Q35._replace(machine="none"))
    with pytest.raises(InvalidDocument):
        host_capabilities(connection(Libvirt(readonly=True, host="<domainCapabilities/>")), Q35)


def test_what_libvirt_refuses_it_gives_a_reason_for() -> None:
    with raising(HOST_CANNOT, reason="not today") as refused:
        host_capabilities(connection(Libvirt(told=None)), Q35)
    assert refused.value.__cause__ is not None


def test_versions_are_those_of_qemu_and_libvirt_where_there_is_a_qemu(monkeypatch: pytest.MonkeyPatch) -> None:
    libvirt = connection(Libvirt(version=(9, 0, 0)))
    assert host_versions(libvirt) == Versions((7, 2, 0), (9, 0, 0))
    assert host_versions(connection(Libvirt(is_qemu=False))) == NOT_KNOWN

    def found_none() -> tuple[int, int, int]:
        raise REFUSED(reason="no QEMU")

    monkeypatch.setattr(libvirt, "hypervisor_version", found_none)
    assert host_versions(libvirt) == Versions(None, (9, 0, 0))
