"""What can be wrong with changing a domain as a whole: renaming, editing, sealing, upgrading, adopting, deleting it."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, OtherMachine, PartlyDone, Refused, UsageError

EDIT_RENAMES = Condition(
    "edit-renames",
    Refused,
    "an edit cannot change the name of {name!r}",
    "rename the domain instead",
)
EDIT_OF_UUID = Condition(
    "edit-of-uuid",
    Refused,
    "an edit cannot change the UUID of {name!r}",
    "it is what libvirt and the guest know the domain by",
)

NO_ROOT_PORTS = Condition(
    "no-root-ports", UsageError, "{machine} has no root ports: all its slots exist already", "q35 has them"
)
TOO_MANY_ROOT_PORTS = Condition(
    "too-many-root-ports", UsageError, "a machine can have at most {most} spare root ports, not {ports}"
)
NOT_AS_IT_RUNS = Condition(
    "not-as-it-runs",
    Failed,
    "the sealed document of {name!r} is not what its guest has: {changes:;}",
    "nothing was changed; report this, with the domain's documents",
)

OTHER_KIND_OF_MACHINE = Condition(
    "other-kind-of-machine",
    OtherMachine,
    "{machine} is a different kind of machine from {now}: the guest would see entirely different hardware",
    "choose another version of {kind}, or create a new domain",
)
EARLIER_MACHINE = Condition(
    "earlier-machine",
    Refused,
    "{machine} is an earlier version than {now}, which the guest has",
    "allow a lower version, to go back to it",
)
PERHAPS_EARLIER_MACHINE = Condition(
    "perhaps-earlier-machine",
    Refused,
    "{machine} may be an earlier version than {now}, which the guest has",
    "allow a lower version, to go back to it",
)
WOULD_NOT_START = Condition(
    "would-not-start",
    Refused,
    "with {what}, the domain {name!r} would no longer start here: {reasons:;}",
    "choose what this host has, or provide it first",
)
CPU_CHANGED_IN_PART = Condition(
    "cpu-changed-in-part",
    PartlyDone,
    "the CPU of {failed} of {all:domain} could not be changed: {causes:;}",
    "the others have it; fix the cause, then repeat it",
)

CHANGED_AND_THEN = Condition(
    "changed-and-then",
    PartlyDone,
    "{cause}; but {name!r} is no longer as it was: {done:;}",
    "look at what it has now; fix the cause, then repeat the command",
)

HAS_SNAPSHOTS = Condition(
    "has-snapshots",
    Refused,
    "the domain {name!r} has snapshots, which neither go along nor take another name",
    "delete them first",
)
RENAMED_AND_CHANGED = Condition("renamed-and-changed", PartlyDone, "{name!r} was renamed; {cause}")

ADOPTED_IN_PART = Condition(
    "adopted-in-part",
    PartlyDone,
    "{failed} of {all:domain} could not be adopted: {causes:;}",
    "the others are adopted; fix the cause, then repeat it",
)
NOT_ADOPTED = Condition("not-adopted", Failed, "the domain {name!r} is not adopted: there is nothing to release")
IMAGE_LEFT = Condition(
    "image-left",
    Refused,
    "creating an image for {target} of {name!r} was interrupted: {place}",
    "detach that disk: the image goes with it",
)
SNAPSHOT_LEFT = Condition(
    "snapshot-left",
    Refused,
    "creating the snapshot {snapshot!r} of {name!r} was interrupted",
    "delete that snapshot: what is left of it goes with it",
)

RUNNING_BEFORE_DELETE = Condition(
    "running-before-delete",
    Refused,
    "the domain {name!r} is running",
    "shut it down first, or let the delete switch it off, like pulling the plug",
)
NOT_WHOLLY_DELETED = Condition(
    "not-wholly-deleted",
    PartlyDone,
    "the domain {name!r} is only partly deleted: {done:;}; then: {cause}",
    "fix the cause, then repeat the delete with the same options",
)
