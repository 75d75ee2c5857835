"""What can be wrong with the history of a host's domains, and with what is asked of it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, UsageError

NO_HISTORY_FOR = Condition(
    "no-history-for",
    NotFound,
    "no history is kept here of the domains of {uri}",
    "ask on the libvirt's own host",
)
HISTORY_NOT_SET_UP = Condition(
    "history-not-set-up",
    NotFound,
    "the history of this host is not set up: {folder} must be a folder of root's, mode 2770, with a group of yours",
    "have root make it: docs/history.md",
)
NO_HISTORY_YET = Condition(
    "no-history-yet", NotFound, "there is no history in {folder} yet", "it begins with the first change"
)
HISTORY_FOLDER = Condition(
    "history-folder",
    Failed,
    "{folder} is no folder of yours that nobody else may write to, so no history is kept in it",
    "remove it, or correct its owner and mode",
)
HISTORY_UNUSABLE = Condition("history-unusable", Failed, "the history in {folder} cannot be used: {reason}")
HISTORY_BUSY = Condition("history-busy", Failed, "somebody else has been writing the history in {folder} for too long")
RECORDED_READ_ONLY = Condition(
    "recorded-read-only",
    Failed,
    "the connection to {uri} is read-only: it does not tell where documents have secrets, so nothing is recorded",
    "open one that may write",
)
NO_ENTRIES = Condition("no-entries", NotFound, "the history in {folder} has no entry of a domain {name!r}")
SEVERAL_HAD_NAME = Condition(
    "several-had-name",
    NotFound,
    "there is no domain {name!r}, and several had that name: {uuids}",
    "name one by its UUID",
)
NO_SUCH_ENTRY = Condition("no-such-entry", NotFound, "the history of {name!r} has no entry {revision}")
SEVERAL_ENTRIES = Condition(
    "several-entries", UsageError, "several entries of the history of {name!r} begin with {revision}", "give more of it"
)
PAST_DOCUMENT = Condition(
    "past-document",
    UsageError,
    "{name!r} is an entry of the history, which has config documents alone, without their secrets",
)
BEFORE_HISTORY = Condition(
    "before-history", NotFound, "the history of {name!r} begins at {first}, and has no entry of {revision}"
)
NOT_A_TIME = Condition(
    "not-a-time",
    UsageError,
    "{text!r} is no time",
    "write 2 days ago (minutes, hours, days, weeks), 2026-11-30 or 2026-11-30 14:05",
)
SETTINGS_OF_OTHERS = Condition(
    "history-settings-of-others",
    Failed,
    "{file} is no file that its owner alone can write to, or not root's, so nothing is taken from it",
    "correct its owner and mode",
)
SETTINGS_UNREADABLE = Condition(
    "history-settings-unreadable", Failed, "{file}, the settings of the history, cannot be read: {reason}"
)
SETTING = Condition("history-setting", Failed, "{key!r} in {file} cannot be what it is: {reason}", "correct the file")
