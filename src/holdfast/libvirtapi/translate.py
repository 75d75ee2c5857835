"""The one place where libvirt's errors become Holdfast's. Outside libvirtapi nothing catches
``libvirt.libvirtError``.
"""

from __future__ import annotations

import functools
import gc
import re
import sys
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import libvirt
from holdfast.errors import HoldfastError
from holdfast.errors import libvirt as errors
from holdfast.errors.documents import UNKNOWN_DEVICE
from holdfast.errors.hosts import NO_MACHINE_TYPE

P = ParamSpec("P")
R = TypeVar("R")

_NOT_FOUND = {
    libvirt.VIR_ERR_NO_DOMAIN,
    libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT,
    libvirt.VIR_ERR_NO_NETWORK,
    libvirt.VIR_ERR_NO_STORAGE_POOL,
    libvirt.VIR_ERR_NO_STORAGE_VOL,
}
_AGENT_COMMAND_TIMEOUT: int = getattr(libvirt, "VIR_ERR_AGENT_COMMAND_TIMEOUT", libvirt.VIR_ERR_AGENT_UNRESPONSIVE)
"""libvirt 9.0 has no error of its own for it."""
_NO_ANSWER = {libvirt.VIR_ERR_AGENT_UNRESPONSIVE, libvirt.VIR_ERR_AGENT_UNSYNCED, _AGENT_COMMAND_TIMEOUT}
_DOCUMENT = re.compile(r"\s*(<[^\s>/]*).*", re.DOTALL)
_BROKEN = {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR}
_GONE = {libvirt.VIR_ERR_NO_CONNECT, libvirt.VIR_ERR_RPC, libvirt.VIR_ERR_INVALID_CONN}

_MACHINE = re.compile(r"the machine '([^']+)' is not supported|does not support machine type '([^']+)'")
"""How libvirt (9.0) says of domain capabilities, and of a document, that its QEMU has no such machine type."""

_DEVICE = re.compile(r"unknown device type '([^']+)'")
"""What libvirt says of an element to attach that is no device it knows."""


class _Kept(threading.local):
    """libvirt's last error in this thread before Python collected garbage, in the form of :attr:`libvirtError.err`."""

    error: tuple[object, ...] | None = None


_kept = _Kept()


def keep_errors() -> None:
    """Keep libvirt's errors from being lost, or printed on standard error.

    A handle that is collected as garbage between a failed call and its exception resets libvirt's last error
    (virDomainFree; python-libvirt 9.0), so that the exception would have neither a number nor a reason.
    """

    def keep(phase: str, _: object) -> None:
        if phase == "start":
            _kept.error = libvirt.virGetLastError() or _kept.error

    gc.callbacks.append(keep)
    libvirt.registerErrorHandler(lambda *_: None, None)


def with_kept_error(error: libvirt.libvirtError) -> libvirt.libvirtError:
    """``error``, with the number and reason that :func:`keep_errors` kept where it has lost its own."""
    if error.err is None:
        error.err = _kept.error
    return error


def code_of(error: libvirt.libvirtError) -> int:
    """libvirt's number of ``error``, 0 where it has none."""
    return with_kept_error(error).get_error_code() or 0


def translate(error: libvirt.libvirtError) -> HoldfastError:
    """Return the Holdfast error that says what ``error`` says, in one sentence and with the next step."""
    code = code_of(error)
    reason = sentence(error)
    if code in _NOT_FOUND:
        return errors.GONE(reason=reason)
    # "client socket is closed" is an internal error of the RPC layer (9.0).
    if code in _GONE or (code in _BROKEN and error.get_error_domain() == libvirt.VIR_FROM_RPC):
        return errors.CONNECTION_LOST(reason=reason)
    if code == libvirt.VIR_ERR_OPERATION_DENIED:
        return errors.DENIED(reason=reason.removeprefix("operation forbidden: "))
    if code == libvirt.VIR_ERR_AUTH_FAILED:
        return errors.NOT_LET_IN(reason=reason)
    if code in _NO_ANSWER:
        return errors.NO_ANSWER(reason=reason, number=code)
    return refusal(reason, code)


def refusal(reason: str, code: int) -> HoldfastError:
    """The Holdfast error of what libvirt refuses in such words, with such a code."""
    # QEMU ≥ 6.0 for a device, libvirt 9.0 for a vCPU; neither has an error class of its own.
    if "already in the process of unplug" in reason or "unplug request timed out" in reason:
        return errors.DETACH_PENDING(reason=reason, number=code)
    if "to open tray of" in reason:  # libvirt 9.0 waits five seconds for the guest
        return errors.TRAY_LOCKED(reason=reason, number=code)
    if machine := _MACHINE.search(reason):
        return NO_MACHINE_TYPE(machine=machine[1] or machine[2], possible="those in the host's capabilities")
    if element := _DEVICE.search(reason):
        return UNKNOWN_DEVICE(element=element[1])
    return errors.REFUSED(reason=reason, number=code)


def sentence(error: libvirt.libvirtError) -> str:
    """What libvirt says, in one line: schema errors come with several (libvirt 9.0)."""
    text = with_kept_error(error).get_error_message() or str(error)
    return "; ".join(line.strip() for line in text.splitlines() if line.strip()).rstrip(".")


def translated(call: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that calls libvirt: its errors come out translated, its name goes to the log."""

    @functools.wraps(call)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        _log(call.__qualname__, args[1:])
        _kept.error = None
        try:
            return call(*args, **kwargs)
        except libvirt.libvirtError as error:
            raise translate(error) from error
        except UnicodeEncodeError as error:  # bytes of a command line or of a file's name
            raise errors.NOT_UTF8(text=error.object[error.start : error.end]) from error

    return wrapper


def _log(name: str, arguments: tuple[object, ...]) -> None:
    """Log a call; of a document only the name of its first element, since it may hold passwords."""
    logging = sys.modules.get("logging")
    if logging is None:  # nobody listens; importing it takes longer than libvirt needs to list domains
        return
    logger = logging.getLogger("holdfast.libvirt")
    if not logger.isEnabledFor(logging.DEBUG):
        return
    logger.debug("%s %s", name, ", ".join(_DOCUMENT.sub(r"\1 …", str(each)) for each in arguments))
