"""Every error as data: what is wrong is a :class:`Condition`, declared once; an error is one that has come about.

The class of an error tells how things stand, and with that the exit code of the command, which is a promise to scripts:
1 nothing was changed, 2 usage, 3 refused, 4 not found, 5 partly done, 6 no connection. Its condition has a code for
programs, a sentence, and a remedy in words that fit every program; whoever speaks to people of one program, such as the
command line, has remedies of its own by code. The conditions are in the files beside this one, by subject. Nothing here
imports anything of Holdfast.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Self, TypeVar


class HoldfastError(Exception):
    """Base of all errors. ``str()`` of one is its sentence, without a full stop.

    ``fields`` are what the sentence speaks of, by name. One named "cause" is the error that led to this one.
    """

    exit_code: ClassVar[int] = 1
    data: ClassVar[frozenset[str]] = frozenset()
    """Fields that errors of this class may have besides those that their texts name."""

    def __init__(self, condition: Condition[HoldfastError], fields: Mapping[str, object]) -> None:
        super().__init__(fill(condition.sentence, fields))
        self.condition = condition
        self.fields = fields

    def __reduce__(self) -> tuple[type[HoldfastError], tuple[object, ...]]:
        return type(self), (self.condition, self.fields)

    @property
    def code(self) -> str:
        """The code of its condition: "in-rescue"."""
        return self.condition.code

    @property
    def message(self) -> str:
        """What is wrong, in one sentence."""
        return str(self)

    @property
    def remedy(self) -> str:
        """The next step, in words that fit every program; "" where there is none to name."""
        cause = self.cause
        if cause is not None and not self.condition.remedy:
            return cause.remedy
        return fill(self.condition.remedy, self.fields)

    @property
    def cause(self) -> HoldfastError | None:
        """The error that led to this one; None where there is none."""
        cause = self.fields.get("cause")
        return cause if isinstance(cause, HoldfastError) else None

    def redacted(self, hide: Callable[[str], str]) -> Self:
        """The same error with ``hide`` applied to each text that it and its causes speak of; itself if none differs."""
        fields = {name: _redacted(value, hide) for name, value in self.fields.items()}
        if fields == self.fields:
            return self
        redacted = type(self)(self.condition, fields)
        for note in getattr(self, "__notes__", ()):
            redacted.add_note(hide(note))
        return redacted


def _redacted(value: object, hide: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, HoldfastError):
        return value.redacted(hide)
    return type(value)(_redacted(each, hide) for each in value) if isinstance(value, list | tuple) else value


E = TypeVar("E", bound=HoldfastError, covariant=True)


@dataclass(frozen=True)
class Condition(Generic[E]):
    """One thing that can be wrong. Call it with the fields that its texts name in braces to make the error to raise.

    ``code``      for programs, never changed: "in-rescue"
    ``kind``      the class of its errors
    ``sentence``  what is wrong
    ``remedy``    the next step, without the words of any one program; "" where the sentence says enough
    """

    code: str
    kind: type[E]
    sentence: str
    remedy: str = ""

    def __call__(self, **fields: object) -> E:
        return self.kind(self, fields)

    @property
    def names(self) -> frozenset[str]:
        """The fields that its texts speak of."""
        return field_names(self.sentence) | field_names(self.remedy)


class _Sentence(string.Formatter):
    """Fills a sentence.

    Of several things one stands behind the other, with a comma or what is behind the colon. A noun behind the colon of
    a number stands behind the number, in the plural unless that is 1.
    """

    def format_field(self, value: object, spec: str) -> str:
        if isinstance(value, Collection) and not isinstance(value, str):
            return f"{spec or ','} ".join(map(str, value))
        if isinstance(value, int) and spec[1:].isalpha():
            return f"{value} {spec}{'s' * (value != 1)}"
        return str(format(value, spec))


def fill(text: str, fields: Mapping[str, object]) -> str:
    """``text`` with ``fields`` in the place of their names: "{name!r}", "{devices}", "{changes:;}", "{most:vCPU}"."""
    return _Sentence().vformat(text, (), fields)


def field_names(text: str) -> frozenset[str]:
    """The names of the fields that ``text`` has in braces."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)


def remedy_in(words: Mapping[str, str], error: HoldfastError) -> str:
    """The next step in the ``words`` of one program: code → remedy, with the fields of the condition in braces.

    Where they have none for it: that of the error itself, or of its cause in the same words; "" where there is none.
    """
    own = words.get(error.code)
    if own is not None:
        return fill(own, error.fields)
    if error.cause is not None and not error.condition.remedy:
        return remedy_in(words, error.cause)
    return error.remedy


class Failed(HoldfastError):
    """The request could not be carried out; nothing was changed (exit 1)."""


class UsageError(HoldfastError):
    """The request itself makes no sense, whatever the state of the host (exit 2)."""

    exit_code = 2


class InvalidDocument(UsageError):
    """Text that is no well-formed domain or device document."""

    data = frozenset({"line"})

    @property
    def line(self) -> int | None:
        """The line of the text, from 1; that of its cause where there is one; None where it is not known."""
        line, cause = self.fields.get("line"), self.cause
        if line is None and isinstance(cause, InvalidDocument):
            return cause.line
        return line if isinstance(line, int) else None


class Refused(HoldfastError):
    """Possible, but it would change or endanger something nobody asked to change; nothing was changed (exit 3)."""

    exit_code = 3


class NoFreePlace(Refused):
    """No hot-plug place is free in both documents for a device that is to be attached while the guest runs."""


class OtherMachine(Refused):
    """Another kind of machine than the domain is: no address of its devices means anything there."""


class NotFound(HoldfastError):
    """The domain, device, volume or file that was named does not exist (exit 4)."""

    exit_code = 4


class PartlyDone(HoldfastError):
    """Something stands and something is missing: the sentence says what stands, the remedy how to finish (exit 5)."""

    exit_code = 5


class NotRecorded(PartlyDone):
    """All that was asked for is done, and something of it could not be recorded."""


class NoConnection(HoldfastError):
    """libvirt cannot be reached at this URI, or went away (exit 6)."""

    exit_code = 6


class LibvirtRefused(Failed):
    """libvirt or QEMU refused a call."""

    data = frozenset({"number"})

    @property
    def libvirt_code(self) -> int:
        """libvirt's VIR_ERR_* number, for callers that tell cases apart."""
        number = self.fields.get("number", 0)
        return number if isinstance(number, int) else 0


class NoAnswer(LibvirtRefused):
    """The guest's agent is not there, or did not answer in time."""


class DetachPending(LibvirtRefused):
    """The guest was asked to release this device or vCPU and has not answered: the request still stands."""


class TrayLocked(LibvirtRefused):
    """The guest keeps the tray of this drive shut; it was asked to open it."""
