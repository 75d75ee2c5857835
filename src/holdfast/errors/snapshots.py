"""What can be wrong with making, deleting and reverting to snapshots."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, PartlyDone, Refused, UsageError

NO_SNAPSHOT = Condition(
    "no-snapshot", NotFound, "the domain {name!r} has no snapshot {snapshot!r}", "list its snapshots"
)

BAD_SNAPSHOT_NAME = Condition(
    "snapshot-name",
    UsageError,
    "{snapshot!r} cannot be the name of a snapshot",
    "it is printable, without '/', and begins with neither '.' nor '-' nor a space",
)
NAME_IS_NUMBER = Condition(
    "snapshot-name-number",
    UsageError,
    "a snapshot cannot be called {snapshot}: QEMU would take that for the number of another snapshot",
    "put a word before it: snapshot-{snapshot}",
)
LONG_SNAPSHOT_NAME = Condition(
    "snapshot-name-long", UsageError, "the name {beginning}… is too long: at most {most} bytes", "choose a shorter one"
)
NAME_TAKEN = Condition(
    "snapshot-exists",
    Refused,
    "the domain {name!r} has a snapshot {snapshot!r} already",
    "choose another name, or delete that one first",
)
NAME_TAKEN_IN_IMAGE = Condition(
    "snapshot-in-image",
    Refused,
    "{image} has an internal snapshot {snapshot!r} that libvirt does not know",
    "choose another name, or remove it: qemu-img snapshot -d {snapshot} {image}",
)

NOT_ALL_DISKS = Condition(
    "internal-without-disk",
    UsageError,
    "an internal snapshot includes every disk that can be written to",
    "make an external one, which can leave disks out",
)
NOT_QUIET = Condition(
    "quiesce-of-nothing",
    UsageError,
    "file systems can be frozen only for a snapshot of a running guest's disks alone",
    "make it external and without memory",
)
RELATIVE_FOLDER = Condition(
    "snapshot-folder", UsageError, "{folder!r} is not an absolute path", "paths are names on libvirt's host"
)
BESIDE_DEVICE = Condition(
    "beside-device", UsageError, "{image} is a device: no file can be made beside it", "say in which folder"
)
DISKS_ALONE = Condition(
    "disks-alone",
    Failed,
    "the domain {name!r} is running: a snapshot of its disks alone must be external",
    "make it external, or include the memory",
)
MEMORY_OF_PAUSED = Condition(
    "memory-of-paused",
    Failed,
    "the domain {name!r} is {state}: once its memory is written, QEMU keeps its disks closed until it runs, and this "
    "snapshot could not be deleted",
    "let it run first, or leave its memory out",
)
NO_INTERNAL_WITH_UEFI = Condition(
    "no-internal-with-uefi",
    Failed,
    "libvirt {version} makes no internal snapshots of domains with UEFI firmware; {off} and later do while they are "
    "shut off, {running} and later also while they run, if their NVRAM is qcow2",
    "make it external",
)
NO_INTERNAL_WITH_RAW_NVRAM = Condition(
    "no-internal-with-raw-nvram",
    Failed,
    "libvirt {version} makes an internal snapshot of a running domain with UEFI firmware only where its NVRAM is "
    "qcow2: that of {name!r} is raw",
    "make it external, or shut the domain down first",
)
UNFIT_FOR_INTERNAL = Condition(
    "unfit-for-internal",
    Failed,
    "the domain {name!r} has disks that cannot be part of this snapshot: {disks:;}",
    "make it external: that works with other formats, too",
)
UNFIT_FOR_EXTERNAL = Condition(
    "unfit-for-external",
    Failed,
    "the domain {name!r} has disks that cannot be part of this snapshot: {disks:;}",
    "leave them out: {targets}",
)
NO_DISK_TO_TAKE = Condition("no-disk-to-take", Failed, "no disk of {name!r} would be part of this snapshot")
AFTER_INTERNAL = Condition(
    "after-internal",
    Refused,
    "an external snapshot after the internal one {other!r} could not be deleted again, and as long as it exists, "
    "{other!r} could not be reverted to",
    "delete {other!r} first, or make an internal one",
)
MADE_AND_CHANGED = Condition(
    "snapshot-made-changed",
    PartlyDone,
    "the snapshot {snapshot!r} was made, but the hardware has changed too: {changes:;}",
    "somebody else may have changed it meanwhile: look at the domain",
)
OVERLAYS_NOT_WRITTEN = Condition(
    "overlays-not-written",
    PartlyDone,
    "the snapshot {snapshot!r} was not made, but the guest of {name!r} writes to its overlays ({overlays}); libvirt "
    "cannot save that, and config on disk still names the images below them: {cause}",
    "fix the cause, then name the overlays in a repair, which saves it",
)
OVERLAYS_TAKEN_BACK = Condition(
    "overlays-taken-back",
    PartlyDone,
    "the snapshot {snapshot!r} was not made, and libvirt has removed its overlays again, but config of {name!r} names "
    "them until libvirt's daemon restarts: {cause}",
    "fix the cause, then name the images in a repair: {images}",
)

LEFT_ELSEWHERE = Condition(
    "left-elsewhere",
    Refused,
    "creating the snapshot {snapshot!r} was interrupted, and what is left of it is on another host",
    "do this on that host",
)
LEFT_IN_USE = Condition(
    "left-in-use",
    Refused,
    "{path} was left by an interrupted snapshot, and the domain writes to it",
    "switch the domain off, or choose another name for the snapshot",
)

INTERNAL_IN_OVERLAY = Condition(
    "internal-in-overlay",
    Refused,
    "the snapshot {other!r} is inside {images}, which would be removed",
    "delete {other!r} first",
)
MERGED_BELOW_OTHER = Condition(
    "merged-below-other",
    Refused,
    "the domain {user!r} rests on {image}, which merging would change",
    "give {user!r} an image of its own first",
)
NOT_DELETED = Condition("snapshot-not-deleted", Failed, "libvirt cannot delete the snapshot {snapshot!r}: {cause}")
NOT_DELETED_APPARMOR = Condition(
    "snapshot-not-deleted-apparmor",
    Failed,
    "libvirt cannot delete the snapshot {snapshot!r}: {cause}",
    "AppArmor keeps QEMU from writing to an image that another one rested on when the domain was started: libvirt 12.1 "
    'can delete it, or an earlier one with security_driver = "none" in qemu.conf for as long as that takes',
)
NOT_DELETED_DETACHED = Condition(
    "snapshot-not-deleted-detached",
    Failed,
    "libvirt cannot delete the snapshot {snapshot!r}: {cause}",
    "{target} was detached since: attach it again, with the image {image}",
)
NOT_DELETED_PARENT = Condition(
    "snapshot-not-deleted-parent",
    Failed,
    "libvirt cannot delete the snapshot {snapshot!r}: {cause}",
    "delete its parent {parent!r} first, which is an internal one",
)
NOT_DELETED_OFF = Condition(
    "snapshot-not-deleted-off",
    Failed,
    "libvirt cannot delete the snapshot {snapshot!r}: {cause}",
    "start {name!r}, or delete {child!r} first: only the newest can be merged while it is shut off",
)
NOT_DELETED_PAUSED = Condition(
    "snapshot-not-deleted-paused",
    Failed,
    "libvirt cannot delete the snapshot {snapshot!r}: {cause}",
    "let the domain run first",
)
NOT_DELETED_RUNNING = Condition(
    "snapshot-not-deleted-running",
    Failed,
    "libvirt cannot delete the snapshot {snapshot!r}: {cause}",
    "QEMU has other images now: shut the domain down first",
)
DELETED_IN_PART = Condition(
    "snapshot-deleted-in-part",
    PartlyDone,
    "the snapshot {snapshot!r} is deleted for some of its disks only: {cause}",
    "fix the cause, then repeat this",
)
DELETED_NOT_WRITTEN = Condition(
    "snapshot-deleted-not-written",
    PartlyDone,
    "the snapshot {snapshot!r} is deleted, but libvirt cannot save which images {name!r} has now: {cause}",
    "fix the cause, then change a setting of the domain, such as its title, before libvirt's daemon restarts: that "
    "saves all of it",
)
DELETED_AND_CHANGED = Condition(
    "snapshot-deleted-changed",
    PartlyDone,
    "the snapshot {snapshot!r} is deleted, but the hardware has changed too: {changes:;}",
    "somebody else may have changed it meanwhile: look at the domain",
)

NO_EXTERNAL_REVERT = Condition(
    "no-external-revert",
    Failed,
    "libvirt {version} cannot revert to an external snapshot; {since} and later can",
)
NO_EXTERNAL_REVERT_IMAGES = Condition(
    "no-external-revert-images",
    Failed,
    NO_EXTERNAL_REVERT.sentence,
    "the images {images} hold the disks of that time, unchanged",
)
HARDWARE_UNKNOWN = Condition(
    "snapshot-hardware-unknown",
    Refused,
    "the snapshot {snapshot!r} does not say what hardware it was made with",
    "libvirt itself can be forced to revert to it blindly",
)
SEVERAL_IN_IMAGE = Condition(
    "several-in-image",
    Refused,
    "{image} has several internal snapshots {snapshot!r}: nobody can tell which is meant",
    "'qemu-img snapshot -l {image}' lists them",
)
NOT_IN_IMAGE = Condition(
    "not-in-image",
    Failed,
    "{image} does not contain the snapshot {snapshot!r}: libvirt would revert other disks, and stop",
)
OTHER_BY_NUMBER = Condition(
    "other-by-number",
    Refused,
    "QEMU would revert {image} to the snapshot {other!r}, whose number is {snapshot}",
    "bring back the disks alone while the domain is shut off: that takes the right one",
)
BELOW_SNAPSHOT = Condition(
    "below-snapshot",
    Refused,
    "the external snapshot {other!r} rests on {images}, which would be rewritten",
    "delete {other!r} first, which merges it",
)
USED_BY_OTHER = Condition("used-by-other", Refused, "the domain {user!r} uses {image}, which would be rewritten")
BELOW_OVERLAY = Condition("below-overlay", Refused, "an overlay of {name!r} rests on {image}, which would be rewritten")
REVERT_STOPPED = Condition(
    "revert-stopped",
    PartlyDone,
    "libvirt stopped in the middle of reverting to {snapshot!r}, and the domain is {state}: {cause}",
    "look at the domain, fix the cause, then repeat this",
)
REVERTED_AND_CHANGED = Condition(
    "reverted-changed",
    PartlyDone,
    "the domain is reverted to {snapshot!r}, but its hardware is not what it was then: {changes:;}",
    "somebody else may have changed it meanwhile: look at the domain",
)

NOT_INSIDE = Condition(
    "not-inside",
    Failed,
    "the snapshot {snapshot!r} is external: nothing of it is inside the images",
    "the images {images} hold the disks of that time, unchanged",
)
IMAGES_ELSEWHERE = Condition(
    "images-elsewhere", Refused, "images can be rewritten only on their own host", "do this on that host"
)
NO_DISK_OF_IT = Condition(
    "no-disk-of-snapshot", Failed, "no disk that {name!r} has today has the snapshot {snapshot!r} in its image"
)
GONE_FROM_IMAGE = Condition("gone-from-image", Failed, "{image} no longer has the snapshot {snapshot!r}")
DISKS_IN_PART = Condition(
    "disks-reverted-in-part",
    PartlyDone,
    "only the disks {done} were reverted: {cause}",
    "fix the cause, then repeat this",
)
