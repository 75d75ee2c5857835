"""What can be wrong with changing a domain as a whole: renaming, editing, sealing, upgrading, adopting, deleting it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, PartlyDone, Refused

HAS_SNAPSHOTS = Condition(
    "has-snapshots",
    Refused,
    "the domain {name!r} has snapshots, whose documents keep its name",
    "delete them first",
)
RENAMED_AND_CHANGED = Condition("renamed-and-changed", PartlyDone, "{name!r} is renamed; {cause}")

NOT_ADOPTED = Condition("not-adopted", Failed, "the domain {name!r} is not adopted: there is nothing to release")
IMAGE_LEFT = Condition(
    "image-left",
    Refused,
    "an image was being made for {target} of {name!r} when something broke: {place}",
    "detach that disk: the image goes with it",
)
SNAPSHOT_LEFT = Condition(
    "snapshot-left",
    Refused,
    "the making of the snapshot {snapshot!r} of {name!r} was interrupted",
    "delete that snapshot: what is left of it goes with it",
)

RUNNING_BEFORE_DELETE = Condition(
    "running-before-delete",
    Refused,
    "the domain {name!r} is running",
    "shut it down first, or let the delete switch it off, as pulling the plug does",
)
NOT_WHOLLY_DELETED = Condition(
    "not-wholly-deleted",
    PartlyDone,
    "the domain {name!r} is not wholly deleted: {done:;}; then: {cause}",
    "remove the cause, then repeat the delete with the same options",
)
