"""The power commands with a guest that answers: it stops, reboots by itself, and finds its hardware unchanged."""

from __future__ import annotations

from dataclasses import replace

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast_lab.guest import Guest
from holdfast_lab.inventory import Inventory
from holdfast_lab.patience import PATIENCE
from tests.guest.conftest import Boot, both_machines
from tests.libvirt.commands import done
from tests.libvirt.domains import without_wish


def hardware(guest: Guest) -> Inventory:
    """What the guest sees, without what is new at each boot."""
    return replace(guest.inventory(), boot_id="")


@both_machines
def test_shutdown_waits_for_the_guest_and_start_finds_the_same_hardware(
    boot: Boot, connection: Connection, uri: str, machine: str
) -> None:
    guest = boot(machine=machine)
    before, document = hardware(guest), without_wish(guest.domain)
    assert done(uri, "shutdown", "guest", "--timeout", str(PATIENCE)) == "guest: the guest has stopped\n"
    assert guest.domain.state() == "shut off"
    operations.start(connection, "guest")
    guest.wait_for_boot()
    assert hardware(guest) == before
    assert without_wish(guest.domain) == document


def test_soft_reboot_is_the_guests_own_and_reset_boots_anew(boot: Boot, connection: Connection) -> None:
    guest = boot()
    before, boots = hardware(guest), {guest.boot_id}
    for press in (operations.reboot, operations.reset):
        press(connection, "guest")
        boots.add(guest.wait_for_boot())
        assert hardware(guest) == before
    assert len(boots) == 3


def test_suspended_guest_goes_on_where_it_was(boot: Boot, connection: Connection) -> None:
    guest = boot()
    guest.run("echo here > /note")
    operations.suspend(connection, "guest")
    operations.resume(connection, "guest")
    assert guest.run("cat /note").strip() == "here"
