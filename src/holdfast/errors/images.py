"""What can be wrong with images of disks, and with making, copying and removing them."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, NotFound, Refused, UsageError

IMAGE_OPEN = Condition(
    "image-open",
    Refused,
    "{path} is open in {who}",
    "end it first, unless it belongs to a running domain: what it writes would be lost or overwritten",
)
EXCHANGED = Condition(
    "exchanged",
    Failed,
    "somebody has put another file in the place of {path} meanwhile; it was left alone",
    "see who can write to its folder, and to those above it",
)
NO_IMAGE = Condition("no-image", NotFound, "there is no image {path}")
UNREADABLE_IMAGE = Condition("unreadable-image", Failed, "cannot read the image {path}: {reason}")
NOT_AN_IMAGE = Condition(
    "not-an-image",
    Failed,
    "{path} is neither a file nor a block device",
    "an image is a file, or a block device such as /dev/group/name",
)
HEADER_CUT_OFF = Condition("header-cut-off", Failed, "cannot use {path}: its {format} header is cut off")
HEADER_DAMAGED = Condition(
    "header-damaged",
    Failed,
    "cannot use {path}: its {format} header is damaged: the name of the backing file lies outside it",
)
RESTS_ON_ITSELF = Condition("rests-on-itself", Failed, "cannot use {path}: it is based on itself")
SNAPSHOT_TABLE_DAMAGED = Condition("snapshot-table-damaged", Failed, "the snapshot table of {path} is damaged")

_SAY_SO = "say that it is {found}, if it is"
_TRUST = "if you know where this image comes from, say that its format is to be trusted"
NOT_RAW = Condition(
    "not-raw",
    Refused,
    "{path} was declared raw, but looks like a {found} image",
    f"{_SAY_SO}; {_TRUST}",
)
ANOTHER_FORMAT = Condition(
    "another-format",
    Refused,
    "{path} was declared {stated}, but looks like a {found} image",
    _SAY_SO,
)
NOT_OF_FORMAT = Condition(
    "not-of-format",
    Refused,
    "{path} was declared {stated}, but does not look like a {stated} image",
    "say that it is raw, if it is",
)
VOLUME_OF_ANOTHER_FORMAT = Condition(
    "volume-of-another-format",
    Refused,
    "{path} was declared {stated}, but libvirt takes it for {found}",
    f"{_SAY_SO}; {_TRUST}",
)
BACKING_FORMAT_NOT_STATED = Condition(
    "backing-format-not-stated",
    Refused,
    "{path} has the backing file {backing}, but does not say in which format that is",
    f"state it: qemu-img rebase -u -b {{backing}} -F FORMAT {{path}}; {_TRUST}",
)
NAMES_ANOTHER_FILE = Condition(
    "names-another-file",
    Refused,
    "{path} makes QEMU open another file of this host for the guest: {other}",
    _TRUST,
)
RESTS_ELSEWHERE = Condition(
    "rests-elsewhere",
    Refused,
    "{path} is based on {other}, which is not a file of this host: only QEMU opens that, for its guest",
    "do it while the domain runs; or copy the image yourself",
)
NAMES_ANOTHER_NOW = Condition(
    "names-another-file-now",
    Refused,
    "the image {path} of the domain {name!r} makes QEMU open {other}, and no record mentions that file",
    "find out who wrote that; if it is right, record it by adopting the domain again",
)
UNCHECKED_HEADER = Condition(
    "unchecked-header",
    Refused,
    "a {stated} image can make QEMU open files of the host, and the header of {place} cannot be read here",
    f"do it on the host that has it; {_TRUST}",
)
IN_USE = Condition(
    "image-in-use",
    Refused,
    "the image {path} is in use by the domain {user!r}",
    "detach it there first, or mark the disk <shareable/> in both",
)
IMAGE_OF_DOMAIN = Condition(
    "image-of-domain",
    Refused,
    "{path} exists already: it is an image of the domain {user!r}",
    "choose another path",
)

NO_VOLUME = Condition(
    "no-volume", NotFound, "there is no volume {volume!r} in the pool {pool!r}", "list the volumes of the pool"
)
VOLUME_EXISTS = Condition(
    "volume-exists", Refused, "the pool {pool!r} has a volume {volume!r} already", "choose another name"
)
NOT_A_VOLUME = Condition(
    "not-a-volume",
    NotFound,
    "no active pool has {path}, and this user cannot read it either",
    "copy it to a path instead, or let a pool have it",
)
NOT_UPLOADED = Condition(
    "not-uploaded",
    Refused,
    "no active pool has {path}, and it can be uploaded only as it is: {reason}",
    "convert it first, and upload the result",
)
MADE_ON_ITS_HOST = Condition(
    "made-on-its-host",
    Refused,
    "an image at a path can be made only on libvirt's own host, and {uri} is elsewhere",
    "make it in a storage pool, or do it there",
)
SEED_MADE_ON_ITS_HOST = Condition(
    "seed-made-on-its-host",
    Refused,
    "a cloud-init seed can be made only on libvirt's own host, and {uri} is elsewhere",
    "create the domain there",
)
NO_PLACE_FOR_IMAGE = Condition(
    "no-place-for-image",
    UsageError,
    "no place was given for the new image",
    "name a path or a pool (there is no active pool {pool!r} here)",
)
SAME_IMAGE_TWICE = Condition("same-image-twice", UsageError, "two disks cannot both have the image {path}")

IMAGE_TOO_LARGE = Condition(
    "image-too-large", UsageError, "{size} bytes are too many for {format}: it can have {largest} at most"
)
NOT_SMALLER = Condition(
    "image-not-smaller",
    Refused,
    "an image of {now} bytes cannot be made smaller ({size} bytes)",
    "leave out the size: then it keeps its own",
)
NO_QEMU_IMG = Condition(
    "no-qemu-img",
    Failed,
    "there is no qemu-img here",
    "install it (Debian, Ubuntu: qemu-utils; Fedora: qemu-img)",
)
QEMU_IMG_FAILED = Condition("qemu-img-failed", Failed, "qemu-img could not {verb} the image: {reason}")
CANNOT_REMOVE = Condition("cannot-remove-image", Failed, "cannot remove the image {path}: {reason}")
