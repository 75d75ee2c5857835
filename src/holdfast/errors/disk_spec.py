"""What makes no sense in the description of a disk, or of the place that one is to be moved to."""

from __future__ import annotations

from holdfast.errors import Condition, UsageError

TWO_PLACES = Condition("two-places", UsageError, "a disk is at a path, in a pool or at a URL, not in two places")
NEW_ON_NETWORK = Condition(
    "new-on-network", UsageError, "an image on the network must already exist", "give neither a size nor a source"
)
VOLUME_WITHOUT_POOL = Condition("volume-without-pool", UsageError, "a volume needs its pool", "name both")
POOL_WITHOUT_VOLUME = Condition(
    "pool-without-volume", UsageError, "a disk in a pool needs the name of its volume", "name both"
)
DISK_NEEDS_IMAGE = Condition(
    "disk-needs-image",
    UsageError,
    "a disk needs an image",
    "name one that exists, and its format; or give the size of a new one",
)
NOT_ABSOLUTE = Condition("not-absolute", UsageError, "the path of an image must be absolute, not {path!r}")
CONTROL_CHARACTERS = Condition(
    "control-characters",
    UsageError,
    "{text!r} has a line break, a tab or another control character, which no document can keep",
    "give the image another name",
)
VOLUME_LIKE_OPTION = Condition(
    "volume-like-option",
    UsageError,
    "a new volume cannot be called {volume!r}: every program would take that for an option",
    "choose a name that begins otherwise",
)
FORMAT_NOT_STATED = Condition(
    "format-not-stated",
    UsageError,
    "the format of {path} must be stated",
    "such as qcow2 or raw; Holdfast never guesses it from the image",
)
SOURCE_FORMAT_NOT_STATED = Condition(
    "source-format-not-stated",
    UsageError,
    "the format of {path} must be stated",
    "such as qcow2 or raw; Holdfast never guesses it from the image",
)
SOURCE_FORMAT_WITHOUT_SOURCE = Condition(
    "source-format-without-source",
    UsageError,
    "a source format needs an image to copy or overlay",
    "the format of the disk itself is stated apart from it",
)
COPY_AND_OVERLAY = Condition(
    "copy-and-overlay", UsageError, "a disk is a copy or an overlay, not both", "name one image that it starts from"
)
OVERLAY_NOT_QCOW2 = Condition(
    "overlay-not-qcow2",
    UsageError,
    "an overlay is always qcow2, not {format}",
    "state no format, or let the image be copied",
)
NO_SIZE = Condition("no-size", UsageError, "the size of a disk must be greater than zero", "give it in bytes")
NOT_ONE_DOMAINS = Condition(
    "not-one-domains",
    UsageError,
    "only an image that belongs to one domain can be deleted with it",
    "not that of a CD, a floppy or a lun, and none that is read-only or shareable",
)
NO_PLACE = Condition(
    "no-place",
    UsageError,
    "a disk can be moved to a path or into a pool",
    "name one of them; with a pool, you may name a volume, too",
)
