"""What libvirt itself says is wrong; the reason is its own sentence."""

from __future__ import annotations

from holdfast.errors import (
    Condition,
    DetachPending,
    Failed,
    LibvirtRefused,
    NoAnswer,
    NoConnection,
    NotFound,
    TrayLocked,
    UsageError,
)

CANNOT_CONNECT = Condition(
    "cannot-connect",
    NoConnection,
    "cannot connect to {uri}: {reason}",
    "is libvirt running there, may this user manage it (group libvirt, or root), is the URI right?",
)
CONNECTION_LOST = Condition(
    "connection-lost", NoConnection, "{reason}", "is libvirt running there, and is the URI right?"
)
NOT_LET_IN = Condition("not-let-in", NoConnection, "{reason}", "may this user manage libvirt? (group libvirt, or root)")
DENIED = Condition("denied", Failed, "this connection may not do that: {reason}", "open one that may write")
GONE = Condition("gone", NotFound, "{reason}")
REFUSED = Condition("libvirt-refused", LibvirtRefused, "{reason}")
NO_ANSWER = Condition("no-answer", NoAnswer, "{reason}")
AGENT_SAYS_NO_TEXT = Condition("agent-says-no-text", LibvirtRefused, "the answer to {command} is not text")
DETACH_PENDING = Condition("detach-pending", DetachPending, "{reason}")
TRAY_LOCKED = Condition("tray-locked", TrayLocked, "{reason}")
NOT_UTF8 = Condition("not-utf8", UsageError, "{text!r} is not UTF-8 text, which is all that libvirt takes")
