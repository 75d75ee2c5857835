"""What can be wrong with a domain as a whole, whatever is asked of it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, Refused

NO_DOMAIN = Condition("no-domain", NotFound, "there is no domain {name!r} at {uri}", "list all domains")
READ_ONLY = Condition(
    "read-only-connection",
    Failed,
    "the connection to {uri} is read-only, and this changes {name!r}",
    "open one that may write",
)
TRANSIENT = Condition(
    "transient",
    Refused,
    "the domain {name!r} is transient: it has no config document",
    "define it first, from its live document",
)
IN_RESCUE = Condition("in-rescue", Refused, "the domain {name!r} is in rescue", "leave the rescue, then repeat this")
UNFINISHED = Condition(
    "unfinished",
    Refused,
    "the creation of {name!r} began at {since} and is not finished",
    "if it was interrupted, delete the domain with its storage, then create it again",
)
ARRIVING = Condition(
    "arriving",
    Refused,
    "{name!r} is being moved here from {host} since {since}, and is not this host's yet",
    "repeat the move on {host}; where the domain is not there any more, take it as arrived",
)
NOT_RUNNING = Condition("not-running", Failed, "the domain {name!r} is not running", "start it")
RUNNING = Condition("running", Refused, "the domain {name!r} is running", "shut it down first")

LOCKED = Condition(
    "locked",
    Failed,
    "another Holdfast command is at work on the domain {name!r} ({holder}), and did not finish within {seconds:g} s",
    "wait for it, or ask what it is doing",
)
LOCK_FOLDER = Condition(
    "lock-folder",
    Failed,
    "{folder} is not a folder of this user alone, so locks there prove nothing",
    "remove it, and let nobody else write to the folders above it",
)
LOCK_FILE = Condition(
    "lock-file",
    Failed,
    "{path} is not a lock file of Holdfast: it is a link, not a file, or belongs to somebody else",
    "remove it",
)
CANNOT_LOCK = Condition(
    "cannot-lock",
    Failed,
    "cannot lock the domain {name!r}: {folder}: {reason}",
    "this user must be able to write there",
)
