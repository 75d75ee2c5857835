"""NVRAM that is lost: Nova starts no such server, and switches none off to start it again, until somebody says so.

Nova 34 and libvirt 9.0 by themselves start it with an empty one, without a word: the last test is the control.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

import pytest

from holdfast.domainxml.document import parse
from holdfast.libvirtapi.domain import Definition
from nova_lab.lab import Lab
from nova_lab.scenario import look, losses
from nova_lab.server import Server
from nova_lab.world import wait_for
from tests.lab.uefi import IMAGE, variables, write_variable


@pytest.fixture(scope="module")
def kept_server(lab: Lab) -> Iterator[Server]:
    """A server with UEFI that nova-compute has made and never looked at again."""
    if lab.driver != "holdfast":
        lab.use_driver("holdfast")
    server = Server(lab, "lost-state")
    try:
        server.create(IMAGE, networks=("neta",), volumes=("volume 1",), flavor="large")
        server.booted()
        yield server
    finally:
        server.remove()


@pytest.fixture
def server(kept_server: Server) -> Server:
    """The server, which runs."""
    compute = kept_server.cloud.compute
    if compute.get_server(kept_server.id).status == "ERROR":
        compute.reset_server_state(kept_server.id, "active")
    if not kept_server.lab.domain(kept_server.id).is_active():
        kept_server.hard_reboot()
    return kept_server


def nvram(server: Server) -> str:
    """The path of the server's NVRAM on its node."""
    return parse(server.lab.domain(server.id).xml(Definition.CONFIG)).findtext("os/nvram", "")


@contextlib.contextmanager
def lost_nvram(server: Server) -> Iterator[None]:
    """The NVRAM is away meanwhile; afterwards it is back, unless another one was made."""
    path, node = nvram(server), server.lab.node
    node.run("files", "mv", path, f"{path}.away")
    try:
        yield
    finally:
        node.run("files", "mv", "--no-clobber", f"{path}.away", path)
        node.run("files", "rm", "-f", f"{path}.away")


def is_there(server: Server) -> bool:
    """True where the node has an NVRAM at the server's path."""
    return nvram(server) in server.lab.node.run("files", "find", "/var/lib/libvirt/qemu/nvram").splitlines()


def events(server: Server) -> list[str]:
    """What Nova tells of each of the server's actions, the last one first."""
    compute = server.cloud.compute
    end_of_action(server)
    return [
        str(event["details"] or "")
        for action in compute.server_actions(server.id)
        for event in compute.get_server_action(action.request_id, server.id).events
    ]


def do_as_told(server: Server, sentence: str) -> None:
    """Run the command that a fault names, with the option for NVRAM, on the server's node."""
    found = re.search(r"'holdfast (adopt [^' ]+)' with (--fresh-nvram)", sentence)
    assert found is not None, sentence
    program = server.lab.venvs.compute / "bin" / "holdfast"
    server.lab.node.run("holdfast", program, *f"{found[1]} {found[2]}".split())


def new_log(lab: Lab) -> Callable[[], str]:
    """What is returned gives what nova-compute has said since."""
    before = lab.compute_log.stat().st_size

    def said() -> str:
        with lab.compute_log.open(errors="replace") as file:
            file.seek(before)
            return file.read()

    return said


def end_of_action(server: Server) -> None:
    """Wait until nothing is under way, whatever came of it."""
    wait_for(lambda: not server.cloud.compute.get_server(server.id).task_state, "the action does not end")


SWITCHED_OFF: dict[str, Callable[[Server], object]] = {
    "soft reboot": lambda server: server.cloud.compute.reboot_server(server.id, "SOFT"),
    "hard reboot": lambda server: server.cloud.compute.reboot_server(server.id, "HARD"),
    "rescue": lambda server: server.cloud.compute.rescue_server(server.id),
    "resize": lambda server: server.cloud.compute.resize_server(server.id, server.flavor("small")),
    "rebuild": lambda server: server.cloud.compute.rebuild_server(
        server.id, image=server.cloud.image.find_image(IMAGE, ignore_missing=False).id
    ),
}
"""For what Nova switches a server off to start it again."""


def run_id(server: Server) -> str:
    """libvirt's number of the run of the server's domain."""
    return server.lab.node.run("virsh", "virsh", "domid", server.id).strip()


def keep_variable(server: Server) -> None:
    """Let the guest have one variable of ours."""
    if not variables(server):
        write_variable(server, "Kept")


@pytest.mark.parametrize("begin", SWITCHED_OFF.values(), ids=SWITCHED_OFF)
def test_running_server_whose_nvram_is_lost_runs_on_and_the_log_says_why(
    lab: Lab, server: Server, begin: Callable[[Server], object]
) -> None:
    run, said = run_id(server), new_log(lab)
    with lost_nvram(server):
        begin(server)
        end_of_action(server)
        assert run_id(server) == run
        assert not is_there(server)
    assert f"has lost its NVRAM {nvram(server)}" in said()


def test_running_server_whose_nvram_is_lost_is_rebooted_once_that_is_accepted(lab: Lab, server: Server) -> None:
    keep_variable(server)
    before, said = look(server), new_log(lab)
    with lost_nvram(server):
        server.cloud.compute.reboot_server(server.id, "HARD")
        server.wait("ACTIVE")
        do_as_told(server, said())
        server.hard_reboot()
    assert variables(server) == []
    assert losses(server, before, look(server)) == []


def test_stopped_server_whose_nvram_is_lost_is_started_once_it_is_put_back(lab: Lab, server: Server) -> None:
    keep_variable(server)
    before = look(server)
    server.stop()
    with lost_nvram(server):
        document = lab.documents(server.id)[1]
        server.cloud.compute.start_server(server.id)
        server.wait("SHUTOFF")
        (fault, *_) = events(server)
        assert "has lost its nvram state" in fault
        assert nvram(server) not in fault  # where the host keeps it is for its log
        assert "--fresh-nvram" in events(server)[0]
        assert lab.documents(server.id)[1] == document
        assert not is_there(server)
    server.start()
    assert variables(server) == ["Kept"]
    assert losses(server, before, look(server)) == []


def test_rescued_server_whose_nvram_is_lost_stays_in_its_rescue(lab: Lab, server: Server) -> None:
    server.cloud.compute.rescue_server(server.id)
    server.wait("RESCUE")
    run = run_id(server)
    with lost_nvram(server):
        server.cloud.compute.unrescue_server(server.id)
        (fault, *_) = events(server)
        assert "has lost its nvram state" in fault
        assert nvram(server) not in fault  # where the host keeps it is for its log
        assert run_id(server) == run
    server.cloud.compute.reset_server_state(server.id, "active")
    server.cloud.compute.reboot_server(server.id, "HARD")
    server.wait("ACTIVE")


def test_control_libvirt_by_itself_starts_it_with_another_one(lab: Lab, server: Server) -> None:
    """Nova's own driver starts a domain by the same call, and asks nothing before.

    Nova stops what it has not started, so no command that starts the domain is a way out.
    """
    domain = lab.domain(server.id)
    server.stop()
    with lost_nvram(server):
        lab.node.run("virsh", "virsh", "start", server.id)
        assert is_there(server)
        wait_for(lambda: not domain.is_active(), "Nova lets it run")
        server.wait("SHUTOFF")
