"""A compute node switches between the drivers with a restart of nova-compute, and back; no guest is restarted."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nova_lab.lab import Lab
from nova_lab.scenario import look, losses
from nova_lab.server import Server


@pytest.fixture
def server(lab: Lab) -> Iterator[Server]:
    """A name for a server that is gone after the test."""
    server = Server(lab, "switching")
    yield server
    server.remove()


def make(server: Server, image: str = "probe") -> None:
    """A running server whose hardware is not that of a fresh document."""
    server.create(image, networks=("neta",), volumes=("volume 1",))
    server.booted()
    server.attach_volume("volume 2")
    server.detach_volume("volume 1")
    server.attach_interface("interface 2", "netb")


def test_holdfast_adopts_running_and_stopped_servers_of_the_stock_driver_as_they_stand(
    lab: Lab, server: Server
) -> None:
    lab.use_driver("stock")
    make(server)
    stopped = Server(lab, "stopped")
    stopped.create(networks=("neta",))
    stopped.stop()
    before, off = look(server), look(stopped)
    try:
        lab.use_driver("holdfast")
        after = look(server)
        assert losses(server, before, after) == []
        assert before.inventory and after.inventory
        assert after.inventory.boot_id == before.inventory.boot_id
        assert losses(stopped, off, look(stopped)) == []
        assert not lab.domain(stopped.id).is_active()
        server.hard_reboot()
        assert losses(server, before, look(server)) == []
        stopped.start()
        assert losses(stopped, off, look(stopped)) == []
    finally:
        stopped.remove()


def test_stock_driver_unrescues_what_holdfast_has_rescued(lab: Lab, server: Server) -> None:
    lab.use_driver("holdfast")
    make(server)
    before = look(server)
    server.rescue()
    lab.use_driver("stock")
    assert lab.openstack.compute.get_server(server.id).status == "RESCUE"
    server.unrescue()
    assert losses(server, before, look(server)) == []
    server.hard_reboot()
    server.attach_volume("volume 3")
    lab.use_driver("holdfast")
    server.hard_reboot()


def test_holdfast_unrescues_what_the_stock_driver_has_rescued(lab: Lab, server: Server) -> None:
    lab.use_driver("stock")
    make(server)
    before = look(server)
    server.rescue()
    lab.use_driver("holdfast")
    server.unrescue()
    assert losses(server, before, look(server)) == []
