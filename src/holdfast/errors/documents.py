"""What can be wrong with the text of a document, or with a value that is to be put into one."""

from __future__ import annotations

from holdfast.errors import Condition, InvalidDocument, UsageError

NO_CHARACTER = Condition("no-character", InvalidDocument, "line {line}: {text!r} is not a character")
DOCUMENT_TOO_LARGE = Condition("document-too-large", InvalidDocument, "the document is larger than {most} MiB")
NOT_WELL_FORMED = Condition("not-well-formed", InvalidDocument, "this is not well-formed XML: line {line}: {reason}")
NOT_XML = Condition("not-xml", InvalidDocument, "this is not XML: {reason}")
DOCTYPE = Condition(
    "doctype", InvalidDocument, "line {line}: the document has a DOCTYPE, which libvirt documents never have"
)
OTHER_ELEMENT = Condition("other-element", InvalidDocument, "line {line}: expected <{expected}>, found <{found}>")
MANY_ATTRIBUTES = Condition(
    "many-attributes", InvalidDocument, "line {line}: <{element}> has more than {most} attributes"
)
BREAK_IN_ATTRIBUTE = Condition(
    "break-in-attribute",
    InvalidDocument,
    "line {line}: {attribute!r} of <{element}> has a line break or a tab in its value, which libvirt does not keep",
    "rename what it names",
)
NOT_ONE_DEVICE = Condition(
    "not-one-device",
    InvalidDocument,
    "line {line}: expected one device element, found <{found}>",
    "give the element alone: <disk>…</disk>, <interface>…</interface>, <rng>…</rng>",
)
NOT_A_NUMBER = Condition("not-a-number", InvalidDocument, "{place} is {text!r}, which is not a number")
UNKNOWN_DEVICE = Condition("unknown-device", UsageError, "libvirt knows no device <{element}>")
CHARACTERS = Condition("characters", UsageError, "{text!r} has characters that no document can hold")
NO_RESCUE_IMAGE = Condition(
    "no-rescue-image", UsageError, "the rescue document has no disk whose image is named *{suffix}"
)
