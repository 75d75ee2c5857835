"""A guest that writes to 16 MiB of its memory without end, in 512 bytes: what moves slowly is caught in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import libvirt
from holdfast import operations
from holdfast.errors import NotFound
from holdfast.errors.hosts import MOVE_CUT_OFF
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import MoveOptions, MoveStatus
from holdfast_lab.patience import wait_until
from tests.libvirt.domains import domain_xml
from tests.raising import raising

_CODE = bytes.fromhex(
    "fa 0f0116307c 0f20c0 0c01 0f22c0 ea137c0800"  # cli; lgdt [7c30]; cr0 |= 1; jmp 8:7c13
    "66b81000 8ec0"  # mov ax, 10; mov es, ax
    "bf00001000 b900004000 43 89d8 f3ab ebef"  # edi = 1 MiB; ecx = 4 Mi; eax = ++ebx; rep stosd; jmp
)
COUNTER = 0x100000
"""Where it writes how often it has written everything, from 1 on since it has booted."""

_GDT = bytes.fromhex("1700387c00000000 0000000000000000 ffff0000009acf00 ffff00000092cf00")


def writing_guest(folder: Path, extra: str = "") -> str:
    """The document of the domain "a", whose read-only disk boots it."""
    image = folder / "writes.img"
    image.write_bytes((_CODE.ljust(0x30, b"\0") + _GDT).ljust(510, b"\0") + b"\x55\xaa" + bytes(1 << 20))
    disk = f"<disk type='file'><source file='{image}'/><target dev='vda' bus='virtio'/><readonly/></disk>"
    return domain_xml(extra=disk + extra)


def states(*connections: Connection) -> list[list[str]]:
    return [list(_states(connection)) for connection in connections]


def _states(connection: Connection) -> Iterator[str]:
    for domain in connection.domains():
        with suppress(NotFound):  # a copy whose source was given up goes at any moment
            yield domain.state()


def is_moving(domain: Domain) -> bool:
    job = migration.job_now(domain)
    return job is not None and job.remaining > 0


def break_off_post_copy(here: Connection, guest: Domain, there: Connection) -> None:
    """Half of the memory of ``guest``, which ran ``here``, is on each side afterwards, and it stands still."""

    def break_off(_: MoveStatus) -> None:
        if guest.state() == "paused":
            # Before it runs there, libvirt would take all of it back.
            wait_until(lambda: states(here, there) != [["paused"], ["paused"]], "it never runs there")
            with suppress(libvirt.libvirtError):
                guest._handle.abortJobFlags(1)  # VIR_DOMAIN_ABORT_JOB_POSTCOPY

    with raising(MOVE_CUT_OFF, name="a", here="paused"):
        operations.migrate_domain(
            here, "a", there, options=MoveOptions(post_copy=True, bandwidth=4), progress=break_off
        )
