"""nova-compute is killed at a call to libvirt that it makes in the middle of an operation, and is started again.

What was under way is done, undone or left to the operator, who resets the server's state and reboots it hard. Its
hardware is what it was in each case, but for what the operation itself was to give or to take.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from openstack.exceptions import HttpException

from nova_lab.lab import Lab
from nova_lab.scenario import RESIZED, LabStep, judge, look
from nova_lab.server import Server
from nova_lab.world import LabError


@dataclass(frozen=True)
class Operation:
    """An operation: the calls to libvirt that it makes, after each of which nova-compute is killed once.

    ``prepare`` leads to the state in which ``begin`` can be asked for; ``may_change`` are patterns as a step has them.
    """

    name: str
    calls: tuple[str, ...]
    begin: Callable[[Server], object]
    prepare: Callable[[Server], object] = lambda server: None
    may_change: tuple[str, ...] = ()
    cinder_knows: bool = False
    """Cinder has a part in it, and is not done with it: the server is not used for another operation."""


def _reboot(server: Server, how: str) -> None:
    server.cloud.compute.reboot_server(server.id, how)


def _extend(server: Server, label: str) -> None:
    volume = server.cloud.block_storage.get_volume(server.volumes[label])
    server.cloud.block_storage.extend_volume(volume.id, volume.size + 1)


def _attach(server: Server) -> None:
    server.cloud.compute.create_volume_attachment(server.id, volume_id=server.new_volume("volume 8"))


def _detach(server: Server) -> None:
    server.cloud.compute.delete_volume_attachment(server.volumes["volume 9"], server.id)


def _attach_interface(server: Server) -> None:
    """Nova's API waits for the compute service here, which does not answer any more."""
    with pytest.raises(HttpException):
        server.cloud.compute.create_server_interface(server.id, port_id=server.new_port("interface 8", "neta").id)


def _detach_interface(server: Server) -> None:
    server.cloud.compute.delete_server_interface(server.ports["interface 9"].id, server.id)


def _other_flavor(server: Server) -> str:
    return "small" if server.cloud.compute.get_server(server.id).flavor.name == "large" else "large"


def _resize(server: Server) -> None:
    server.cloud.compute.resize_server(server.id, server.flavor(_other_flavor(server)))


def _to_be_resized(server: Server) -> None:
    server.resize(_other_flavor(server))


def _rebuild(server: Server) -> None:
    server.cloud.compute.rebuild_server(server.id, image=server.cloud.image.find_image("probe-q35").id)


def _move(server: Server) -> None:
    before = server.cloud.block_storage.get_volume(server.volumes["volume 2"]).host
    host = "cloud@ceph#ceph" if "ceph2" in before else "cloud@ceph2#ceph2"
    server.cloud.block_storage.migrate_volume(server.volumes["volume 2"], host=host, force_host_copy=True)


def _volume(label: str) -> tuple[str, ...]:
    return (f"disk {label}", "* devices/disk*", "ACPI *")


def _interface(label: str) -> tuple[str, ...]:
    return (label, "* devices/interface*", "ACPI *")


OPERATIONS = (
    Operation("soft reboot", ("shutdown", "createWithFlags"), lambda server: _reboot(server, "SOFT")),
    Operation("hard reboot", ("destroy", "createWithFlags"), lambda server: _reboot(server, "HARD")),
    Operation("stop", ("shutdown",), lambda server: server.cloud.compute.stop_server(server.id)),
    Operation("start", ("createWithFlags",), lambda server: server.cloud.compute.start_server(server.id), Server.stop),
    Operation("pause", ("suspend",), lambda server: server.cloud.compute.pause_server(server.id)),
    Operation("unpause", ("resume",), lambda server: server.cloud.compute.unpause_server(server.id), Server.pause),
    Operation("suspend", ("managedSave",), lambda server: server.cloud.compute.suspend_server(server.id)),
    Operation(
        *("resume", ("createWithFlags",), lambda server: server.cloud.compute.resume_server(server.id)),
        prepare=Server.suspend,
    ),
    Operation(
        "rescue",
        ("shutdown", "destroy", "createXML", "resume"),
        lambda server: server.cloud.compute.rescue_server(server.id),
    ),
    Operation(
        *("unrescue", ("destroy", "createWithFlags"), lambda server: server.cloud.compute.unrescue_server(server.id)),
        prepare=Server.rescue,
    ),
    Operation("attach a volume", ("attachDeviceFlags",), _attach, may_change=_volume("volume 8"), cinder_knows=True),
    Operation(
        *("detach a volume", ("detachDeviceFlags",), _detach),
        prepare=lambda server: server.attach_volume("volume 9"),
        may_change=_volume("volume 9"),
        cinder_knows=True,
    ),
    Operation("attach an interface", ("attachDeviceFlags",), _attach_interface, may_change=_interface("interface 8")),
    Operation(
        *("detach an interface", ("detachDeviceFlags",), _detach_interface),
        prepare=lambda server: server.attach_interface("interface 9"),
        may_change=_interface("interface 9"),
    ),
    Operation("live snapshot", ("blockCopy",), lambda server: server.cloud.compute.create_server_image(server.id, "x")),
    Operation("move a volume", ("blockCopy",), _move, cinder_knows=True),
    Operation(
        *("extend a volume", ("blockResize",), lambda server: _extend(server, "volume 2")),
        may_change=("disk volume 2",),
        cinder_knows=True,
    ),
    Operation(
        "resize",
        ("shutdown", "destroy", "defineXML", "createWithFlags"),
        _resize,
        may_change=RESIZED,
        cinder_knows=True,
    ),
    Operation(
        *("revert a resize", ("destroy", "defineXML", "createWithFlags")),
        *(lambda server: server.cloud.compute.revert_server_resize(server.id), _to_be_resized),
        may_change=RESIZED,
        cinder_knows=True,
    ),
    Operation("rebuild", ("shutdown", "destroy", "createWithFlags"), _rebuild),
)


@pytest.fixture(scope="module")
def shared(lab: Lab) -> Iterator[list[Server]]:
    """The server of these tests, in a list that is empty before the first and after a failure.

    Its hardware is such that a fresh document would move it. nova-compute is one that can be told to die.
    """
    if lab.driver != "holdfast":
        lab.use_driver("holdfast")
    lab.kill_compute()
    lab.restart_compute(mortal=True)
    servers: list[Server] = []
    yield servers
    for server in servers:
        server.remove()
    lab.kill_compute()
    lab.restart_compute()


@pytest.fixture
def server(lab: Lab, shared: list[Server]) -> Iterator[Server]:
    """The shared server, running; a test that ends well gives it back."""
    if not lab.status()[lab.node.name]["nova-compute"]:
        lab.restart_compute(mortal=True)
    server = shared.pop() if shared else make(lab)
    yield server
    if not shared:
        server.remove()


def make(lab: Lab) -> Server:
    """A running server whose hardware a fresh document would move."""
    server = Server(lab, "killed")
    server.create_and_rearrange()
    return server


@pytest.mark.parametrize(
    ("operation", "call"),
    [pytest.param(each, call, id=f"{each.name}, {call}") for each in OPERATIONS for call in each.calls],
)
def test_hardware_is_kept_when_nova_compute_is_killed_in(
    lab: Lab, shared: list[Server], server: Server, operation: Operation, call: str
) -> None:
    before = look(server)
    operation.prepare(server)
    with lab.dies_after(call):
        operation.begin(server)
    lab.restart_compute(mortal=True)
    settle(server)
    found = judge(LabStep(operation.name, lambda _: None, operation.may_change), before, look(server), server.labels)
    assert [*found["guest"], *found["documents"], *found["disagreement"]] == []
    if not operation.cinder_knows:
        shared.append(server)


@pytest.mark.parametrize("call", ["defineXML", "createWithFlags"])
def test_server_whose_creation_was_cut_off_can_be_deleted_and_leaves_nothing(
    lab: Lab, shared: list[Server], call: str
) -> None:
    server = Server(lab, "cut-off")
    try:
        with lab.dies_after(call):
            server.create(networks=("neta", "netb"), volumes=("volume 1",), wait=False)
        lab.restart_compute(mortal=True)
        with pytest.raises(LabError, match="is ERROR"):
            server.wait("ACTIVE")
        server.delete()
        assert server.left_behind() == []
    finally:
        server.remove()


@pytest.mark.parametrize("call", ["destroy", "undefineFlags"])
def test_deletion_that_was_cut_off_is_finished_and_leaves_nothing(lab: Lab, shared: list[Server], call: str) -> None:
    server = Server(lab, "cut-off")
    try:
        server.create(networks=("neta", "netb"), volumes=("volume 1",))
        with lab.dies_after(call):
            server.cloud.compute.delete_server(server.id)
        lab.restart_compute(mortal=True)
        server.delete()
        assert server.left_behind() == []
    finally:
        server.remove()


def settle(server: Server) -> None:
    """As an operator: wait for what Nova does by itself, then reset the state of what is stuck and reboot it."""
    deadline = time.monotonic() + 8
    while (found := server.cloud.compute.get_server(server.id)).task_state and time.monotonic() < deadline:
        time.sleep(0.5)
    print(f"after the restart: {found.status}, {found.task_state}, power {found.power_state}")
    if found.task_state or found.status not in ("ACTIVE", "SHUTOFF"):
        server.cloud.compute.reset_server_state(server.id, "active")
    server.hard_reboot()
