"""A server with UEFI firmware: what the guest wrote into its variables is there after whatever Nova does."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from nova_lab.lab import Lab
from nova_lab.scenario import RESIZED, Step, judge, look
from nova_lab.server import Server

IMAGE = "probe-uefi"
VARIABLE = "/sys/firmware/efi/efivars/Holdfast-3f2504e0-4f89-11d3-9a0c-0305e82c3301"


def stop_and_start(server: Server) -> None:
    """Off and on again."""
    server.stop()
    server.start()


def rescue_and_unrescue(server: Server) -> None:
    """A rescue, in which the variables are written to, and back."""
    server.rescue(IMAGE)
    assert variable(server) == "kept"
    set_variable(server, "rescue")
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


def variable(server: Server) -> str:
    """What the guest's firmware has in the variable of this test, without its attributes."""
    mounted = "mount -t efivarfs efivarfs /sys/firmware/efi/efivars 2>/dev/null"
    return server.guest.run(f"{mounted}; tail -c +5 {VARIABLE} 2>/dev/null; echo").strip()


def set_variable(server: Server, text: str) -> None:
    """Let the guest write the variable, in all that it needs to last."""
    variable(server)
    server.guest.run(f"chattr -i {VARIABLE} 2>/dev/null; printf '\\007\\000\\000\\000{text}' >{VARIABLE}")
    assert variable(server) == text


def test_uefi_variables_and_hardware_are_kept_by_holdfast(lab: Lab) -> None:
    if lab.driver != "holdfast":
        lab.use_driver("holdfast")
    server = Server(lab, "uefi")
    try:
        server.create(IMAGE, networks=("neta",), volumes=("volume 1",), flavor="large")
        server.booted()
        server.attach_volume("volume 2")
        server.detach_volume("volume 1")
        set_variable(server, "kept")
        server.hard_reboot()
        before = look(server)
        for take in ROUND:
            take(server)
            found = judge(Step("round", lambda _: None, RESIZED), before, look(server), server.labels)
            assert [*found["guest"], *found["documents"], *found["disagreement"]] == [], take
            assert variable(server) == "kept", take
    finally:
        server.remove()


def test_stock_driver_lets_a_rescue_write_them_and_a_rebuild_lose_them(lab: Lab) -> None:
    lab.use_driver("stock")
    server = Server(lab, "uefi")
    try:
        server.create(IMAGE, networks=("neta",), flavor="large")
        server.booted()
        set_variable(server, "kept")
        rescue_and_unrescue(server)
        assert variable(server) == "rescue"
        server.rebuild(IMAGE)
        assert variable(server) == ""
    finally:
        server.remove()
