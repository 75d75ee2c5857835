"""What can be wrong with following the documents that a manager generates."""

from __future__ import annotations

from holdfast.errors import Condition, Refused

ANOTHER_DOMAINS_DOCUMENT = Condition(
    "another-domains-document",
    Refused,
    "the document is of another domain than {name!r}: its UUID is {uuid}",
)
ANOTHER_BOOT_DISK = Condition(
    "another-boot-disk",
    Refused,
    "with its manager's names for the disks, {found} would be booted, not {booted}",
    "give the domain a boot order of its own first",
)
RESTORED_WHILE_RUNNING = Condition(
    "restored-while-running",
    Refused,
    "the domain {name!r} is running",
    "shut it down: a document is restored only while the domain is off",
)
SAME_MACHINE = Condition(
    "same-machine", Refused, "the domain {name!r} is a {machine} already", "let its document follow the new one"
)
