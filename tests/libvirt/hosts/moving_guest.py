"""A guest that writes to 16 MiB of its memory without end, in 512 bytes: what moves slowly is caught in the middle."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import libvirt
from holdfast import operations
from holdfast.errors import HoldfastError, NotFound
from holdfast.errors.hosts import MOVE_CUT_OFF
from holdfast.libvirtapi import migration
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Domain
from holdfast.operations import MoveOptions
from holdfast_lab.patience import wait_until
from tests.libvirt.domains import domain_xml

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


TRIES = 20
"""How often something is tried that has to happen while a guest moves."""


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
    """Half of the memory of ``guest``, which ran ``here``, is on each side afterwards, and it stands still.

    A post-copy can be over before it is broken off: then the guest goes back, and it is tried again.
    """
    for _ in range(TRIES):
        breaking = threading.Thread(target=_abort_once_it_runs_there, args=(guest, there))
        breaking.start()
        try:
            operations.migrate_domain(here, "a", there, options=MoveOptions(post_copy=True, bandwidth=4))
        except HoldfastError as error:
            assert (error.code, error.fields["here"]) == (MOVE_CUT_OFF.code, "paused")
            return
        finally:
            breaking.join()
        operations.migrate_domain(there, "a", here)
    raise TimeoutError("each post-copy was over before it could be broken off")


def goes_on(here: Connection, there: Connection) -> bool:
    """Go on with it; False where a QEMU has not seen yet that it broke off: then libvirt refuses."""
    try:
        return operations.migrate_domain(here, "a", there).live
    except HoldfastError as error:
        assert error.code == MOVE_CUT_OFF.code and "migration is still running" in str(error)
        return False


def _abort_once_it_runs_there(guest: Domain, there: Connection) -> None:
    """Before it runs there, libvirt would take all of it back."""
    wait_until(lambda: states(there) == [["running"]], "it never runs there")
    with suppress(libvirt.libvirtError):
        guest._handle.abortJobFlags(1)  # VIR_DOMAIN_ABORT_JOB_POSTCOPY
