"""The declarations of all elements: which tag is declared in which file. A tag that is missing here is unknown.

What is unknown counts as seen by the guest (see :mod:`holdfast.domainxml.sides`).
"""

from __future__ import annotations

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.elements import (
    audio,
    character,
    clock,
    controller,
    cpu,
    crypto,
    disk,
    domain,
    emulator,
    features,
    filesystem,
    graphics,
    hostdev,
    hub,
    input,
    interface,
    iommu,
    lease,
    memballoon,
    memory_device,
    nvram_device,
    os,
    panic,
    pstore,
    rng,
    shmem,
    sound,
    sysinfo,
    tpm,
    video,
    vsock,
    watchdog,
)
from holdfast.domainxml.sides import Sides

DOMAIN = domain.SIDES
"""``<domain>`` itself, and all below it that has no declaration of its own."""

SECTIONS: dict[str, Sides] = {
    sides.tag: sides for sides in (os.SIDES, cpu.SIDES, features.SIDES, clock.SIDES, sysinfo.SIDES)
}
"""Tag → declaration of the children of ``<domain>`` that have one of their own."""

DEVICES: dict[str, Sides] = {
    sides.tag: sides
    for sides in (
        *(disk.SIDES, controller.SIDES, interface.SIDES, filesystem.SIDES, hostdev.SIDES, memory_device.SIDES),
        *(character.SERIAL, character.PARALLEL, character.CONSOLE, character.CHANNEL, character.SMARTCARD),
        *(character.REDIRDEV, character.REDIRFILTER, input.SIDES, hub.SIDES, tpm.SIDES, graphics.SIDES, video.SIDES),
        *(sound.SIDES, audio.SIDES, watchdog.SIDES, memballoon.SIDES, rng.SIDES, panic.SIDES, shmem.SIDES),
        *(iommu.SIDES, vsock.SIDES, crypto.SIDES, pstore.SIDES, nvram_device.SIDES, lease.SIDES, emulator.SIDES),
    )
}
"""Tag → declaration of the children of ``<devices>``."""


def is_hardware(device: Element) -> bool:
    """True for a device that the guest has: not for what only the host has, nor for a placeholder that says "none"."""
    sides = DEVICES.get(str(device.tag))
    # model='none' is no hardware: it only keeps libvirt from adding some.
    is_none = "none" in (device.get("model"), value_at(device, "model@type"))
    return not is_none and (sides is None or sides.is_seen(device))
