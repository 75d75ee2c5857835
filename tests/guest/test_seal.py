"""A domain that others left at host-model, sealed while it runs: the guest itself says that its CPU is the same."""

from __future__ import annotations

import re
from dataclasses import replace

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from tests.guest.conftest import Boot
from tests.libvirt.domains import CONFIG


def test_cpu_sealed_from_live_is_the_one_the_guest_had(boot: Boot, connection: Connection) -> None:
    guest = boot()
    domain = guest.domain
    domain.destroy()
    left_open = re.sub(r"<cpu .*</cpu>", "<cpu mode='host-model'/>", domain.xml(CONFIG), flags=re.DOTALL)
    connection.define(left_open)
    operations.start(connection, domain.name)
    guest.wait_for_boot()
    before = replace(guest.inventory(), boot_id="")

    sealed = operations.seal_domain(connection, domain.name)
    assert [part.kind for part in sealed.closed] == ["cpu"]
    assert "host-model" not in domain.xml(CONFIG)
    assert operations.reboot(connection, domain.name, hard=True).sees == ()
    guest.wait_for_boot()
    assert replace(guest.inventory(), boot_id="") == before
