"""A living guest that does not answer a detach: exit code 5, a state that is shown, and ways to finish."""

from __future__ import annotations

from pathlib import Path

import pytest

from holdfast import operations
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.disks.spec import DiskSpec
from holdfast_lab.guest import Guest
from tests.guest.conftest import Boot, both_machines
from tests.libvirt.commands import done, run
from tests.libvirt.domains import CONFIG, LIVE, image, places, recorded


@pytest.fixture
def deaf(connection: Connection, boot: Boot, images: Path, uri: str, machine: str) -> Guest:
    """A guest with a disk "one" (vdb) that it was asked to release, and did not."""
    guest = boot(machine=machine)
    disk = DiskSpec(path=str(image(images, "one")), format="raw", serial="one")
    assert operations.attach_disk(connection, "guest", disk).label == "vdb"
    guest.wait_until(lambda inventory: inventory.disk("one"))
    guest.ignore_hotplug()
    result = run(uri, "disk", "detach", "guest", "vdb", "--timeout", "1")
    assert result.exit_code == 5, result.output
    assert "vdb" in places(guest.domain, LIVE)
    assert "vdb" not in places(guest.domain, CONFIG)
    assert (recorded(guest.domain, LIVE), recorded(guest.domain, CONFIG)) == ({"vda", "vdb"}, {"vda"})
    assert guest.inventory().disk("one")
    assert "not released" in done(uri, "show", "guest")
    return guest


@both_machines
def test_repeated_detach_finishes_once_the_guest_answers(deaf: Guest, uri: str) -> None:
    assert run(uri, "disk", "detach", "guest", "vdb", "--timeout", "1").exit_code == 5
    deaf.ignore_hotplug(False)
    done(uri, "disk", "detach", "guest", "vdb")
    assert not deaf.inventory().disk("one")
    assert "vdb" not in places(deaf.domain, LIVE)
    assert recorded(deaf.domain, LIVE) == {"vda"}


@both_machines
@pytest.mark.parametrize("hard", [False, True])
def test_repeated_detach_finishes_after_the_guest_restarted(
    deaf: Guest, connection: Connection, uri: str, hard: bool
) -> None:
    operations.reboot(connection, "guest", hard=hard)
    deaf.wait_for_boot()
    assert not deaf.inventory().disk("one")
    done(uri, "disk", "detach", "guest", "vdb")
    assert "not released" not in done(uri, "show", "guest")
    assert run(uri, "disk", "detach", "guest", "vdb").exit_code == 4
