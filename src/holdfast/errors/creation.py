"""What can be wrong with a domain that is to be created, cloned or renamed: with its name, its document, its parts."""

from __future__ import annotations

from holdfast.errors import Condition, Refused, UsageError

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
