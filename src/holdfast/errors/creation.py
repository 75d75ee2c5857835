"""What can be wrong with a domain that is to be created, cloned or renamed: with its name, its document, its parts."""

from __future__ import annotations

from holdfast.errors import Condition, LibvirtRefused, Refused, UsageError

_GOOD_NAMES = "letters, digits, dots and dashes are always good"

BAD_NAME = Condition("bad-name", UsageError, "{name!r} cannot be the name of a domain", _GOOD_NAMES)
LONG_NAME = Condition(
    "long-name",
    UsageError,
    "the name {start}… is too long for a domain: {bytes} bytes, and {most} leave room for the names of its files",
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
    "there is a domain {name!r} already, with the UUID {uuid}",
    "choose another name, or delete that domain first",
)

HOST_CANNOT = Condition(
    "host-cannot",
    LibvirtRefused,
    "the host cannot run domains of this kind: {reason}",
    "look at the host's capabilities for those that it can",
)
FIRMWARE_ELSEWHERE = Condition(
    "firmware-elsewhere",
    Refused,
    "which UEFI firmware the host has can be read only there, and {uri} is elsewhere",
    "do it on that host, or name <loader> and <nvram template> in the document",
)
