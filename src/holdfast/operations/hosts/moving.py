"""What a move to another host is given, and what it returns: of a guest that runs, and of a domain that is shut off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from holdfast.domainxml.host.outlook import Outlook
from holdfast.operations.results import Result


@dataclass(frozen=True, kw_only=True)
class MoveOptions:
    """How a domain is moved.

    ``copy_storage``   copy the images that the destination does not share
    ``overwrite``      let a guest that runs write over what is at the places of its copies, if it is exactly as large
    ``tls``            encrypt what goes from QEMU to QEMU
    ``bandwidth``      at most so many MiB a second; None: as fast as it can
    ``timeout``        seconds after which a guest that still writes faster than can be copied stays; None: never
    ``auto_converge``  slow the guest down until it can be moved
    ``post_copy``      once all was copied once, let the guest run there, and fetch the rest
    ``fresh``          the kinds of state ("nvram", "tpm") that may be made anew there, where they are lost
    """

    copy_storage: bool = False
    overwrite: bool = False
    tls: bool = False
    bandwidth: int | None = None
    timeout: float | None = None
    auto_converge: bool = False
    post_copy: bool = False
    fresh: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MoveStatus:
    """How far the move of a guest that runs is.

    ``remaining``, ``total``  bytes of memory and of images
    ``rate``                  bytes a second; None where it is not known
    ``downtime``              milliseconds that the guest would stand still now, as QEMU expects; None where unknown
    """

    remaining: int
    total: int
    rate: int | None = None
    downtime: int | None = None


MoveProgress = Callable[[MoveStatus], object]
"""Called now and then while a guest moves."""


@dataclass(frozen=True, kw_only=True)
class Migrated(Result):
    """A domain that was moved to another host; its guest sees nothing of it.

    ``source``, ``destination``  the URIs of the two hosts
    ``live``      True where its guest ran on, False for a domain that was shut off
    ``taken``     what of its documents is the destination's now, in sentences
    ``copied``    the images that were copied, by target
    ``outlooks``  what its next start there will change, and what cannot be known of it
    ``downtime``  milliseconds that the guest stood still; None where it did not run, or nobody knows
    """

    source: str
    destination: str
    live: bool
    taken: tuple[str, ...] = ()
    copied: tuple[str, ...] = ()
    outlooks: tuple[Outlook, ...] = ()
    downtime: int | None = None
