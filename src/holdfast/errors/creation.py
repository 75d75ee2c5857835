"""What can be wrong with a domain that is to be created, cloned or renamed: with its name, its document, its parts."""

from __future__ import annotations

from holdfast.errors import Condition, InvalidDocument, NotFound, PartlyDone, Refused, UsageError

_GOOD_NAMES = "letters, digits, dots and dashes are always good"

BAD_NAME = Condition("bad-name", UsageError, "{name!r} cannot be the name of a domain", _GOOD_NAMES)
LONG_NAME = Condition(
    "long-name",
    UsageError,
    "the name {start}… is too long for a domain: {bytes} bytes; at most {most} leave room for the names of its files",
)
NAME_OF_DOCUMENT = Condition(
    "name-of-document",
    UsageError,
    "{name!r} cannot be the name of a domain: it means the {definition} document of {stem!r}",
    _GOOD_NAMES,
)
DOMAIN_EXISTS = Condition(
    "domain-exists",
    Refused,
    "there is already a domain {name!r}, with the UUID {uuid}",
    "choose another name, or delete that domain first",
)
DOMAIN_EXISTS_UNSTARTED = Condition(
    "domain-exists-unstarted",
    Refused,
    "there is already a domain {name!r}, with the UUID {uuid}, which {state}",
    "if that is the one you mean, start it; otherwise choose another name",
)

TOO_LITTLE_MEMORY = Condition(
    "too-little-memory", UsageError, "a domain needs at least 1 MiB of memory", "2 GiB are usual"
)
NO_VCPUS = Condition("no-vcpus", UsageError, "a domain needs at least one vCPU")
RELATIVE_CD = Condition("relative-cd", UsageError, "the path of a CD image must be absolute, not {path!r}")

NO_NAME = Condition("no-name", InvalidDocument, "the document has no <name>", "give one")
NOT_A_UUID = Condition("not-a-uuid", InvalidDocument, "{text!r} is not a UUID", "leave out <uuid> for a new one")
NO_IMAGE_TO_START = Condition(
    "no-image-to-start", NotFound, "there is no image {path}", "make it first, or do not start the domain yet"
)
NOT_STARTABLE_HERE = Condition(
    "not-startable-here",
    Refused,
    "the domain {name!r} would not start here: {reasons:;}",
    "choose what this host has, or provide it first",
)
CREATED_NOT_STARTED = Condition(
    "created-not-started",
    PartlyDone,
    "the domain {name!r} was created, but does not start: {cause}",
    "fix the cause and start it, or delete it",
)
NOT_AS_GIVEN = Condition(
    "not-as-given",
    Refused,
    "libvirt would not create the domain {name!r} exactly as its document says: {changes:;}",
    "nothing was created; complete the document, or let libvirt and Holdfast complete it",
)
CREATED_OTHERWISE = Condition(
    "created-otherwise",
    PartlyDone,
    "the domain {name!r} was created, but not exactly as its document says: {changes:;}",
    "compare the two, or delete the domain",
)
CREATED_UNSEALED = Condition(
    "created-unsealed",
    PartlyDone,
    "the domain {name!r} was created, but what libvirt added to it has no alias of its own: {cause}",
    "fix the cause and seal it",
)
CREATION_CUT_OFF = Condition(
    "creation-cut-off",
    PartlyDone,
    "the connection broke while the domain was being created, so it may exist now, complete or not: {cause}",
    "look for a domain with the UUID {uuid}; deleting it with its storage removes what there is",
)

ENCRYPTED_NOT_CLONED = Condition(
    "encrypted-not-cloned", Refused, "{device} is encrypted: Holdfast does not copy it", "leave {target} out"
)
NOT_CLONED_HERE = Condition(
    "not-cloned-here",
    Refused,
    "{device} is on {source}, which cannot be copied here",
    "leave {target} out, and attach another disk",
)
IMAGE_NOT_CLONED = Condition("image-not-cloned", Refused, "{device} cannot be copied: {cause}", "leave {target} out")
NVRAM_NOT_READABLE = Condition(
    "nvram-not-readable",
    Refused,
    "this user may not read the NVRAM, which the clone needs a copy of: {path}",
    "do it as root; or let the clone begin with a fresh NVRAM",
)
NVRAM_ELSEWHERE = Condition(
    "nvram-elsewhere",
    Refused,
    "an NVRAM can be copied only on its own host",
    "clone the domain there, or let the clone begin with the firmware's defaults",
)
CLONED_IN_PART = Condition("cloned-in-part", PartlyDone, "{name!r} was cloned; {cause}")
