"""What can be wrong with the history of a host's domains, and with what is asked of it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, PartlyDone, Refused, UsageError

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
NOT_AN_AGE = Condition(
    "not-an-age", UsageError, "{text!r} is no age", "write 90 days or 5 years (days, weeks, months, years)"
)
NOT_A_REVISION = Condition(
    "not-a-revision",
    UsageError,
    "{text!r} names no entry of a history",
    "an id as the log shows it, last-start, or a moment in braces does",
)
ROLLBACK_OF_RUNNING = Condition(
    "rollback-of-running",
    Refused,
    "the domain {name!r} is running, and earlier hardware comes back only while it is shut off",
    "shut it down, then repeat this",
)
ROLLBACK_UNFINISHED = Condition(
    "rollback-unfinished",
    Refused,
    "something that was begun with {name!r} is not finished: {what:;}",
    "finish it, or take it back, by the command that began it",
)
ROLLBACK_LEAVES_DISK = Condition(
    "rollback-leaves-disk",
    Refused,
    "{name!r} had no {target} at {revision}: with the hardware of then it would lose {image}",
    "detach the disk first, which leaves its image where it is",
)
ROLLBACK_LEAVES_SNAPSHOT = Condition(
    "rollback-leaves-snapshot",
    Refused,
    "the snapshot {snapshot!r} of {name!r} is of {target} on {image}, which {target} was not at {revision}",
    "delete the snapshot first",
)
ROLLBACK_FIRMWARE = Condition(
    "rollback-firmware",
    Refused,
    "{name!r} would start without its UEFI variables: {why}",
    "take back first what has changed its firmware since",
)
UNASKED_ROLLBACK = Condition(
    "unasked-rollback",
    Refused,
    "with its hardware of {revision} the guest of {name!r} would see: {changes:;}",
    "accept it",
)
SECRETS_NEEDED = Condition(
    "secrets-needed",
    Refused,
    "the history keeps no secrets, and {name!r} does not have today what was at {places: and}",
    "give each of them",
)
NO_SUCH_SECRET = Condition(
    "no-such-secret",
    UsageError,
    "at {revision} {name!r} had no secret at {place!r}",
    "it had some at {places: and}",
)
HAD_NO_SECRETS = Condition("had-no-secrets", UsageError, "at {revision} {name!r} had no secrets, so none can be given")
STILL_THERE = Condition(
    "still-there",
    Refused,
    "libvirt has the domain {name!r}, with the UUID {uuid}: it was not deleted",
    "roll it back to an earlier document; name a deleted domain that had the same name by its UUID",
)
MOVED_ON = Condition(
    "moved-on",
    Refused,
    "{name!r} was not deleted: since {time} it is at another host, where it went by: {command}",
    "move it back from there; or if that host has it no more, or is off and stays off, say so",
)
ELSEWHERE = Condition(
    "elsewhere",
    Refused,
    "{name!r} is not this host's: {told}",
    "move it back from there; or if that host is off and stays off, evacuate it",
)
NAME_TAKEN_SINCE = Condition(
    "name-taken-since",
    Refused,
    "another domain is called {name!r} by now, with the UUID {uuid}",
    "give that one another name first",
)
DELETED_UNFINISHED = Condition(
    "deleted-unfinished",
    Refused,
    "something that was begun with {name!r} was not finished when it was deleted: {what:;}",
    "look at its images, and create it from its last document",
)
FORGET_OF_KNOWN = Condition(
    "forget-of-known",
    Refused,
    "libvirt has the domain {name!r}, so its history stays",
    "name a deleted domain that had the same name by its UUID",
)
NO_REMOTE = Condition(
    "no-remote", NotFound, "no remote is set for this history, in {file}", 'name one, or set it: remote = "…"'
)
NOT_A_REMOTE = Condition(
    "not-a-remote",
    UsageError,
    "{remote!r} is no remote of a history",
    "write /PATH, ssh://HOST/PATH, USER@HOST:PATH or https://HOST/PATH",
)
HISTORY_REMOTE = Condition("history-remote", Failed, "the remote {remote} cannot be used: {reason}")
NOT_A_BUNDLE = Condition("not-a-bundle", Failed, "the history that came with it cannot be read: {reason}")
REMOTE_KEEPS_MOVING = Condition(
    "remote-keeps-moving",
    PartlyDone,
    "others push to {remote} all the time: nothing is lost, but not all was pushed",
    "repeat it later",
)
PUSH_NOT_NOTED = Condition(
    "push-not-noted", PartlyDone, "everything was pushed to {remote}, which cannot be noted in the history: {cause}"
)
CLAIM_LOST = Condition(
    "claim-lost",
    Refused,
    "by the remote {remote} {host} has the domain {uuid}",
    "see which host runs it",
)
CLAIM_UNKNOWN = Condition(
    "claim-unknown",
    PartlyDone,
    "the remote went away before it said whether {host} has the domains now: {cause}",
    "repeat it once {remote} can be reached: it goes on from what stands there",
)
