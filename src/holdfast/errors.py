"""Every exception Holdfast raises: one sentence, a hint with the next step, and the exit code of the command.

Exit codes are a promise to scripts: 0 done, 1 failed with nothing changed, 2 usage, 3 difference found or refused,
4 not found, 5 partly done, 6 no connection. This module must not import anything of Holdfast.
"""

from __future__ import annotations


class HoldfastError(Exception):
    """Base of all errors. ``message`` is one sentence, ``hint`` the next step for the user or None."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Failed(HoldfastError):
    """The request could not be carried out; nothing was changed (exit 1)."""


class UsageError(HoldfastError):
    """The request itself makes no sense, whatever the state of the host (exit 2)."""

    exit_code = 2


class InvalidDocument(UsageError):
    """Text that is no well-formed domain or device document; ``line`` is 1-based, None where it is not known."""

    def __init__(self, message: str, hint: str | None = None, line: int | None = None) -> None:
        super().__init__(message, hint)
        self.line = line


class Refused(HoldfastError):
    """Possible, but it would change or endanger something nobody asked to change; nothing was changed (exit 3)."""

    exit_code = 3


class NoFreePlace(Refused):
    """No hot-plug place is free in both documents for a device that is to be attached while the guest runs."""


class OtherMachine(Refused):
    """Another kind of machine than the domain is: no address of its devices means anything there."""


class NotFound(HoldfastError):
    """The domain, device, volume or file that was named does not exist (exit 4)."""

    exit_code = 4


class PartlyDone(HoldfastError):
    """Something stands and something is missing: the message says what stands, the hint how to finish (exit 5)."""

    exit_code = 5


class NoConnection(HoldfastError):
    """libvirt cannot be reached at this URI, or went away (exit 6)."""

    exit_code = 6


class LibvirtRefused(Failed):
    """libvirt or QEMU refused a call; ``code`` is libvirt's VIR_ERR_* number, for callers that tell cases apart."""

    def __init__(self, message: str, hint: str | None = None, code: int = 0) -> None:
        super().__init__(message, hint)
        self.code = code


class NoAnswer(LibvirtRefused):
    """The guest's agent is not there, or did not answer in time."""


class DetachPending(LibvirtRefused):
    """The guest was asked to release this device or vCPU and has not answered: the request still stands."""


class TrayLocked(LibvirtRefused):
    """The guest keeps the tray of this drive shut; it was asked to open it."""
