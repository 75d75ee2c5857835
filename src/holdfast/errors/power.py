"""What can be wrong with starting, stopping, saving and rescuing a domain, and with repairing it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotRecorded, PartlyDone, Refused, UsageError

ALREADY_RUNNING = Condition("already-running", Failed, "the domain {name!r} is already running")
ALREADY_RUNNING_PAUSED = Condition(
    "already-running-paused", Failed, "the domain {name!r} is already running", "it is paused: let it run"
)
ALREADY_RUNNING_RESCUE = Condition(
    "already-running-rescue", Failed, "the domain {name!r} is already running", "it is in rescue: leave that"
)
ALREADY_PAUSED = Condition("already-paused", Failed, "the domain {name!r} is already paused", "let it run")
NOT_PAUSED = Condition("not-paused", Failed, "the domain {name!r} is not paused, it is {state}")
NOT_PAUSED_ASLEEP = Condition(
    "not-paused-asleep",
    Failed,
    "the domain {name!r} is not paused, it is {state}",
    "its guest has suspended itself: wake it",
)
PAUSED = Condition("paused", Failed, "the domain {name!r} is paused: its guest cannot answer", "let it run")
ASLEEP = Condition(
    "asleep",
    Failed,
    "the domain {name!r} is pmsuspended: its guest cannot answer",
    "its guest has suspended itself: wake it",
)
QEMU_FORGOTTEN = Condition(
    "qemu-forgotten",
    Refused,
    "libvirt takes {name!r} for shut off, but its QEMU is still running: process {pid}",
    "shut the guest down from inside, or end that process (SIGTERM): libvirt will not find it again",
)
STILL_RUNNING = Condition(
    "still-running",
    PartlyDone,
    "the power button of {name!r} was pressed; after {seconds:g} s the guest is still {state}",
    "wait for it, press it again, or switch the domain off at once, like pulling the plug",
)
LOST_AFTER_BUTTON = Condition(
    "lost-after-button",
    PartlyDone,
    "the power button of {name!r} was pressed; whether the guest stops cannot be seen: {cause}",
    "see how the domain stands once libvirt is back",
)
OFF_AND_NOT_STARTED = Condition(
    "off-and-not-started",
    PartlyDone,
    "the domain {name!r} was switched off, but does not start again: {cause}",
    "its config document is unchanged; fix the cause, then start it",
)
STARTED_NOT_RECORDED = Condition(
    "started-not-recorded",
    NotRecorded,
    "the domain {name!r} runs, but it cannot be recorded {missing:;}: {cause}",
    "fix the cause, then start it again: that leaves what runs as it is, and records what is missing",
)
STOPPED_NOT_RECORDED = Condition(
    "stopped-not-recorded",
    NotRecorded,
    "it is done, but it cannot be recorded about the domain {name!r} {missing:;}: {cause}",
    "fix the cause, then switch it off again: where it is off already, that is recorded",
)
NOT_RECORDED = Condition(
    "not-recorded", NotRecorded, "it is done, but it cannot be recorded about the domain {name!r} {missing:;}: {cause}"
)
AND_NOT_RECORDED = Condition(
    "and-not-recorded", PartlyDone, "{cause}; and it cannot be recorded about the domain {name!r} {missing:;}: {why}"
)

MANAGED_SAVE = Condition(
    "managed-save",
    Refused,
    "the domain {name!r} has a managed-save image: {why}",
    "continue from it, or drop it",
)
MANAGED_SAVE_RUNNING = Condition(
    "managed-save-running", Refused, "the domain {name!r} has a managed-save image: {why}", "drop it"
)
NO_MANAGED_SAVE = Condition("no-managed-save", Failed, "the domain {name!r} has no managed-save image")
NOTHING_TO_RESTORE = Condition(
    "nothing-to-restore", Failed, "the domain {name!r} has no managed-save image", "a start boots it"
)
MANAGED_SAVE_UNREADABLE = Condition(
    "managed-save-unreadable",
    Failed,
    "the managed-save image of {name!r} cannot be read: {cause}",
    "drop it; the next start boots then",
)
MANAGED_SAVE_REFUSED = Condition(
    "managed-save-refused",
    Failed,
    "the saved memory of {name!r} cannot be restored: {cause}",
    "fix the cause, or drop it",
)

NOT_IN_RESCUE = Condition("not-in-rescue", Failed, "the domain {name!r} is not in rescue, it is {state}")
NOT_IN_RESCUE_OFF = Condition(
    "not-in-rescue-off",
    Failed,
    "the domain {name!r} is not in rescue, it is {state}",
    "start it: it boots from its own disks",
)
UNDEFINED_IN_RESCUE = Condition(
    "undefined-in-rescue",
    Refused,
    "the domain {name!r} was undefined while in rescue: nothing would be left to start",
    "switching it off ends the rescue, and with it the domain",
)
RUNNING_BEFORE_RESCUE = Condition(
    "running-before-rescue",
    Refused,
    "the domain {name!r} is running",
    "shut it down first, or let the rescue switch it off, like pulling the plug",
)
RESCUE_ENDED_NOT_STARTED = Condition(
    "rescue-ended-not-started",
    PartlyDone,
    "the rescue of {name!r} was switched off, but the domain does not start: {cause}",
    "its config document is unchanged; fix the cause, then start it",
)
RESCUE_COPY_STAYS = Condition(
    "rescue-copy-stays",
    PartlyDone,
    "the rescue runs, but its copy of the NVRAM cannot be removed: {cause}",
    "it does no harm, and leaving the rescue removes it",
)
RESCUE_NOT_STARTED = Condition(
    "rescue-not-started",
    PartlyDone,
    "the domain {name!r} was switched off, but its rescue does not start: {cause}",
    "start it as it was; or fix the cause and repeat the rescue",
)
RESCUE_INTERRUPTED = Condition(
    "rescue-interrupted", Failed, "somebody else stopped or undefined {name!r} while it was starting"
)
RESCUE_CHANGED = Condition(
    "rescue-changed",
    Refused,
    "the guest of {name!r} would see: {changes:;}",
    "it was switched off again; report this, with its document",
)
RESCUE_NO_DISK = Condition(
    "rescue-no-disk", UsageError, "a rescue medium is a disk or a CD", "choose one of these devices"
)
RESCUE_NO_IMAGE = Condition(
    "rescue-no-image", UsageError, "a rescue needs an image to boot from", "name its path, or its pool and its volume"
)
RESCUE_NEW_IMAGE = Condition(
    "rescue-new-image",
    UsageError,
    "a rescue medium is an image that exists already",
    "name its path, or its pool and its volume",
)
RESCUE_TAKEN = Condition("rescue-taken", Refused, "{what} is taken by {device} of the domain itself", "choose another")

NOT_REPAIRED = Condition(
    "not-repaired", Failed, "the domain {name!r} cannot be repaired: {why}", "fix the cause, then repair it again"
)
NOT_WHOLLY_REPAIRED = Condition(
    "not-wholly-repaired",
    PartlyDone,
    "the domain {name!r} is only partly repaired ({mended:;}): {why}",
    "fix the cause, then repair it again",
)
REPAIRED_NOT_STARTED = Condition(
    "repaired-not-started", Failed, "the domain {name!r} cannot be repaired: it does not start: {cause}"
)
MENDED_NOT_STARTED = Condition(
    "mended-not-started",
    PartlyDone,
    "the domain {name!r} is only partly repaired ({mended:;}): it does not start: {cause}",
)
IMAGE_IN_PLACE = Condition(
    "image-in-place",
    Refused,
    "the image of {device} is where it was: {path}",
    "to give the disk another image, swap it",
)
DISK_GONE = Condition("disk-gone", Failed, "{device} is gone: somebody else detached it meanwhile")
HOST_RESUMED_IN_PART = Condition("host-resumed-in-part", PartlyDone, "{failed} of {all} did not start: {names}")
HOST_OBSERVED_IN_PART = Condition(
    "host-observed-in-part",
    PartlyDone,
    "whether they run could not be recorded for {failed} of {all:domain}: {names}; the first: {cause}",
)
HOST_RESUMED_UNRECORDED = Condition(
    "host-resumed-unrecorded",
    NotRecorded,
    "all domains that should run do so, but not everything about {names} is recorded: {cause}",
    "fix the cause, then start them again: that leaves what runs as it is, and records what is missing",
)
HOST_MAY_BE_ELSEWHERE = Condition(
    "host-may-be-elsewhere",
    Failed,
    "it waits, for its image {image} is where another host can have it, and who has {name!r} cannot be asked: {cause}",
    "repeat it once the remote of the history can be reached; or start it by itself, if no other host runs it",
)
HOST_SIDE_LACKS = Condition("host-side-lacks", Failed, "{remains:;}", "fix the cause, then repair the domain")
