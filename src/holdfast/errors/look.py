"""What can be wrong with looking at documents and their differences, at a console, at what a guest says of itself."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, InvalidDocument, NoAnswer, NoConnection, UsageError

INPUT_TWICE = Condition("input-twice", UsageError, "only one of the two can come from standard input")
NO_CONNECTION_GIVEN = Condition(
    "no-connection-given",
    UsageError,
    "{name!r} names a domain, which needs a connection",
    "a file's name has a '/' or ends in .xml",
)
INVALID_FILE = Condition("invalid-file", InvalidDocument, "{path}: {cause}")

NO_CONSOLE = Condition(
    "no-console",
    Failed,
    "cannot open the console of {name!r}: {cause}",
    "it needs a <console> or <serial> on a pty; one that is in use can be taken over by force",
)

LOST = Condition("host-lost", NoConnection, "the connection to {uri} was lost")
LOST_BETWEEN = Condition("host-lost-between", NoConnection, "the connection was lost after {count:domain}: {cause}")

NO_AGENT_CHANNEL = Condition(
    "no-agent-channel",
    Failed,
    "the domain {name!r} has no channel for a guest agent",
    "attach a virtio channel named {channel}, and run qemu-guest-agent inside",
)
NO_AGENT = Condition(
    "no-agent",
    NoAnswer,
    "no agent is running in the guest of {name!r}: its channel is not open",
    "install and start qemu-guest-agent there; where one is about to start, wait longer",
)
AGENT_SILENT = Condition(
    "agent-silent",
    NoAnswer,
    "the guest agent of {name!r} does not answer: {reason}",
    "is the guest very busy, or its agent stuck? restart qemu-guest-agent there",
)
NOT_ANSWERED = Condition("not-answered", Failed, "{command} was not answered: {reason}")
SENSELESS_ANSWER = Condition("senseless-answer", Failed, "the answer makes no sense")
