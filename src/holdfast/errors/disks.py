"""What can be wrong with a disk of a domain, and with giving it a larger image, another one, or one elsewhere."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, PartlyDone, Refused, UsageError

NO_DISK = Condition("no-disk", NotFound, "the domain {name!r} has no disk {target!r}", "it has {known}")
NOT_A_DISK = Condition(
    "not-a-disk", UsageError, "{target} is a {device}: only the image of a disk can be extended, moved or swapped"
)
IS_A_DRIVE = Condition(
    "is-a-drive",
    UsageError,
    "{target} of {name!r} is a {device}: only the image of a disk can be extended, moved, swapped or exported",
    "insert another medium",
)
DISK_WITHOUT_IMAGE = Condition("disk-without-image", UsageError, "the disk {target} has no image")
NOT_ITS_OWN = Condition(
    "image-not-its-own", Refused, "the disk {target} is read-only or shareable: its image is not this domain's alone"
)
BEING_COPIED = Condition(
    "being-copied",
    Refused,
    "the disk {target} of {name!r} is being copied to {place}",
    "finish that, or abort it",
)
NEWEST_UNKNOWN = Condition(
    "newest-unknown",
    Refused,
    "switching the disk {target} of {name!r} from {old} to {new} was interrupted: which of them is newer is not known",
    "see which was written last ({written:;}), and say so in a repair",
)
IMAGE_MISSING = Condition(
    "image-missing",
    Refused,
    "an image of the domain {name!r} is missing: {missing:;}",
    "bring it back, or say where the newest image of the disk is: repair the domain",
)
OVERLAY_IS_NEWER = Condition(
    "overlay-is-newer",
    Refused,
    "the snapshot {snapshot!r} was interrupted after the disk {target} of {name!r} had switched to {overlay}, "
    "which is newer than {image}",
    "name that image in a repair",
)
GUEST_HAS_NEWER = Condition(
    "guest-has-newer",
    Refused,
    "the running guest uses {overlay} for its disk {target}, which is newer than the image in config, {image}",
    "name the newer image in a repair; to give it up, switch the guest off first",
)
WRITTEN_ELSEWHERE = Condition(
    "written-elsewhere",
    Refused,
    "the QEMU of {name!r} writes to {others}, which neither document names: libvirt has lost track of it",
    "before the guest is shut down, say in a repair which disk it belongs to",
)
BEING_MOVED = Condition(
    "being-moved",
    Refused,
    "the disk {target} of {name!r} is being moved to {place}, or its move was interrupted",
    "finish that, or abort it",
)
ANOTHER_IMAGE_IN_CONFIG = Condition(
    "another-image-in-config",
    Refused,
    "the disk {target} of {name!r} has {image} in live and another image in config",
    "a hard reboot switches to the one in config; then repeat this",
)
DISK_HAS_SNAPSHOTS = Condition(
    "disk-has-snapshots",
    Refused,
    "the domain {name!r} has snapshots: they belong to the image that {target} has now",
    "delete them first",
)
ENCRYPTED = Condition(
    "encrypted", Refused, "the disk {target} is encrypted, and Holdfast cannot give such a disk another image"
)
SIZE_UNKNOWN = Condition(
    "size-unknown",
    Failed,
    "the size of {image} cannot be determined while {name!r} is shut off",
    "start it, paused if its guest is not to run: QEMU knows",
)

_LOOK = "somebody else may have changed it meanwhile: look at the domain"
GONE_MEANWHILE = Condition(
    "disk-gone-meanwhile",
    PartlyDone,
    "{device} of {name!r} was to get {image}, but is gone from {definition}",
    _LOOK,
)
NOT_THE_IMAGE = Condition(
    "not-the-image", PartlyDone, "{device} of {name!r} was to get {image}, but has {found} in {definition}", _LOOK
)
DISK_CHANGED_TOO = Condition(
    "disk-changed-too",
    PartlyDone,
    "{device} of {name!r} has {image} now, but more of it changed in {definition}",
    _LOOK,
)
OTHERS_CHANGED_TOO = Condition(
    "others-changed-too",
    PartlyDone,
    "{device} of {name!r} is done, but {definition} changed elsewhere too: {changes}",
    _LOOK,
)

SMALLER = Condition(
    "smaller",
    Refused,
    "the disk {target} has {size}: with {wanted} it would lose data",
    "a disk can only become larger",
)
DOES_NOT_GROW = Condition("does-not-grow", Failed, "the disk {target} cannot be extended: {cause}")
GROWS_WHERE_IT_IS = Condition(
    "grows-where-it-is",
    Failed,
    "the disk {target} cannot be extended: {cause}",
    "make {image} larger where it is, then repeat this",
)
NOT_IN_A_POOL = Condition(
    "not-in-a-pool",
    Failed,
    "no active pool has {image}, so nobody can make it larger while {name!r} is shut off",
    "start the domain, and extend the disk while it runs",
)
FORMAT_OF_VOLUME = Condition(
    "format-of-volume", Refused, "the disk {target} is {format}, but libvirt takes {image} for {found}"
)
NOT_EXTENDED = Condition(
    "not-extended", PartlyDone, "the disk {target} was to have {wanted} bytes, but has {size}", "repeat it"
)

NOT_A_MEDIUM = Condition(
    "not-a-medium", UsageError, "a medium must be an image that exists", "name its path, its volume or its URL"
)
NOT_A_DRIVE = Condition(
    "not-a-drive",
    UsageError,
    "{target} of {name!r} is a {device}, whose image cannot be taken out",
    "swap its image for another",
)
TRAY_STAYS_SHUT = Condition(
    "tray-stays-shut",
    PartlyDone,
    "the guest of {name!r} has locked the tray of {target}; it was asked to open it",
    "unmount it in the guest, then repeat this; or force the tray open",
)
TRAY_NEVER_OPENED = Condition(
    "tray-never-opened",
    Failed,
    "the medium of {target} cannot be changed: the drive was attached while the guest of {name!r} ran",
    "libvirt (9.0) does not open its tray before the next start of the domain or of libvirtd itself",
)
MEDIUM_NOT_IN_CONFIG = Condition(
    "medium-not-in-config",
    PartlyDone,
    "the drive {target} of {name!r} has {medium} now, but not in config: {cause}",
    "repeat it",
)
MEDIUM_NOT_BACK = Condition(
    "medium-not-back",
    PartlyDone,
    "{cause}; the tray of {target} of {name!r} was opened for it, and {medium} cannot be put back: {why}",
    "eject the medium, then insert what is to be in the drive",
)

OTHER_SIZE = Condition(
    "other-size",
    Refused,
    "{place} has {size}, and the disk {target} has {wanted}: the guest would see the size change",
    "it must be as large; if it is larger, extend the disk first",
)
COPIED_ON_ITS_HOST = Condition(
    "copied-on-its-host",
    Refused,
    "while {name!r} is shut off its image can be copied only on its own host, and {uri} is elsewhere",
    "do it there; or start the domain, paused if its guest is not to run: then QEMU copies",
)
CHANGED_WHILE_COPIED = Condition(
    "changed-while-copied",
    Refused,
    "somebody else has started the domain {name!r}, or changed its disk {target}, meanwhile",
    "look at the domain, then repeat this",
)
COPY_ENDED = Condition(
    "copy-ended",
    Failed,
    "copying the disk {target} ended too early: it stays at {image}, and the copy is gone",
    "is there room for it at {place}? libvirt's log of the domain has QEMU's own words",
)
SWITCHED_OFF_WHILE_COPIED = Condition(
    "switched-off-while-copied",
    Failed,
    "the domain was switched off while the disk {target} was being copied: it stays at {image}, and the copy is gone",
)
LIBVIRT_GONE_WHILE_COPIED = Condition(
    "libvirt-gone-while-copied",
    PartlyDone,
    "libvirt went away while the disk {target} of {name!r} was being copied to {place}: {cause}",
    "QEMU goes on: move the disk without naming a place to finish it, or abort that move",
)

NO_PLACE_TO_MOVE_TO = Condition(
    "no-place-to-move-to",
    UsageError,
    "no place is given for {target}, and there is no interrupted move to resume",
    "name a path, a pool or a volume",
)
NOT_BEING_MOVED = Condition("not-being-moved", Failed, "the disk {target} of {name!r} is not being moved")
MOVED_ALREADY = Condition(
    "moved-already",
    Failed,
    "the disk {target} of {name!r} is already at {place}: nothing is left to abort",
    "move it once more, without naming a place, to complete its record",
)
ONLY_LIBVIRT_REACHES = Condition(
    "only-libvirt-reaches",
    Refused,
    "only libvirt can reach {place}, and libvirt (9.0) copies no disk there",
    "make the image first, then swap the disk's image for it by its URL, with the content copied",
)
OLD_IMAGE_LEFT = Condition(
    "old-image-left",
    PartlyDone,
    "the disk {target} of {name!r} was moved, but its old image is still there: {cause}",
    "fix the cause, then move it without naming a place, which finishes it",
)

NOT_AN_EXISTING_IMAGE = Condition(
    "not-an-existing-image", UsageError, "a swap takes an image that exists", "a move makes a new one"
)
ANOTHER_CONTENT = Condition(
    "another-content",
    Refused,
    "the content of {target} would change under the running guest of {name!r}",
    "shut it down first, or have the content of the disk copied to the other image",
)

USES_NOT_SEEN = Condition(
    "uses-not-seen",
    Refused,
    "which images other domains use can be seen only on their own host",
    "do it there, or remove only images that are recorded to go with their domain",
)
USES_NOT_SEEN_IN_MOVE = Condition(
    "uses-not-seen-in-move",
    Refused,
    "which images other domains use can be seen only on their own host",
    "keep the old image",
)
IMAGES_LEFT = Condition(
    "images-left",
    Refused,
    "creating an image for {name!r} was interrupted, and part of it is still there: {places}",
    "delete the domain with its storage, which removes it too",
)
LEFT_IMAGE_IN_USE = Condition(
    "left-image-in-use",
    Refused,
    "the image {place} that was being made for {name!r} is used by the domain {user!r}",
)
