"""A server with UEFI firmware: what the guest wrote into its variables is there after whatever Nova does.

There is no control beside it: libvirt 9.0 refuses the document that Nova 34 generates for UEFI ("loader attribute
'secure' cannot be specified when firmware autoselection is enabled"). Ours is sealed, and names the files.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nova_lab.lab import Lab
from nova_lab.scenario import RESIZED, LabStep, judge, look
from nova_lab.server import Server
from tests.lab.uefi import IMAGE, variables, write_variable


def stop_and_start(server: Server) -> None:
    """Off and on again."""
    server.stop()
    server.start()


def rescue_and_unrescue(server: Server) -> None:
    """A rescue, whose system writes a variable of its own, and back."""
    server.rescue(IMAGE)
    assert variables(server) == ["Kept"]
    write_variable(server, "Rescue")
    server.unrescue()


def resize_and_revert(server: Server) -> None:
    """There and back."""
    server.resize("small")
    server.revert_resize()


ROUND: tuple[Callable[[Server], None], ...] = (
    Server.hard_reboot,
    stop_and_start,
    rescue_and_unrescue,
    resize_and_revert,
    partial(Server.rebuild, image=IMAGE),
)


def test_uefi_variables_and_hardware_are_kept_by_holdfast(lab: Lab) -> None:
    if lab.driver != "holdfast":
        lab.use_driver("holdfast")
    server = Server(lab, "uefi")
    try:
        server.create(IMAGE, networks=("neta",), volumes=("volume 1",), flavor="large")
        server.booted()
        server.attach_volume("volume 2")
        server.detach_volume("volume 1")
        write_variable(server, "Kept")
        server.hard_reboot()
        before = look(server)
        for take in ROUND:
            take(server)
            found = judge(LabStep("round", lambda _: None, RESIZED), before, look(server), server.labels)
            assert [*found["guest"], *found["documents"], *found["disagreement"]] == [], take
            assert variables(server) == ["Kept"], take
    finally:
        server.remove()
