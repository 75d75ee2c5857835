"""What libvirt would make of a document is asked of libvirt: of one that a child process has alone, for a moment.

The user's own libvirt cannot be asked: what tells without defining, virConnectDomainXMLToNative, checks no schema, and
answers with a command line of QEMU instead of a document (9.0). Nothing that the child finds out is kept: half of what
an answer costs is libvirt's look at QEMU, and a cache of that would be one more thing that can be out of date.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

from holdfast.domainxml.document import Element, parse, remove_children, serialize
from holdfast.domainxml.platform import Platform
from holdfast.domainxml.secret_parts import secrets_of
from holdfast.errors import HoldfastError
from holdfast.hostfiles.child_process import private_folder, speak
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.private_libvirt import library_version
from holdfast.libvirtapi.translate import refusal
from holdfast.operations.results import Result
from holdfast.operations.truthful_errors import concealing

R = TypeVar("R", bound=Result)

_CHILD = "holdfast.libvirtapi.private_libvirt"
_OTHER_RIGHTS = "in session mode"
"""How libvirt ends a refusal that concerns the user who asks it, and not the host's libvirt (9.0)."""


class Step(NamedTuple):
    """One step that libvirt is asked about: with a domain's document, or with a device of its config."""

    verb: Literal["define", "have", "attach", "detach", "update"]
    element: Element


@dataclass(frozen=True)
class Answer:
    """What libvirt would have: its config document after each step, without passwords. Or why it was not asked.

    Neither where there was nothing to ask.
    """

    documents: tuple[Element, ...] = ()
    reason: str = ""

    @property
    def document(self) -> Element | None:
        """The document in the end; None where libvirt was not asked."""
        return self.documents[-1] if self.documents else None

    def noted_in(self, foreseen: R) -> R:
        """The result ``foreseen`` of a dry run, with whether libvirt was asked, and if not, why."""
        return replace(foreseen, asked_of_libvirt=self.was_asked, notes=(*foreseen.notes, *self.notes))

    @property
    def was_asked(self) -> bool | None:
        """True where libvirt has answered, False where it was not asked, None where there was nothing to ask."""
        return True if self.documents else False if self.reason else None

    @property
    def notes(self) -> tuple[str, ...]:
        """Why it was not asked, in a sentence; nothing where it was."""
        return (f"not asked of libvirt: {self.reason}",) if self.reason else ()


def ask_libvirt(connection: Connection, document: Element) -> Answer:
    """What the libvirt of ``connection`` would make of a domain's ``document``; see :func:`ask_of_steps`."""
    return ask_of_steps(connection, Step("define", document))


def ask_of_steps(connection: Connection, *steps: Step) -> Answer:
    """What the libvirt of ``connection`` would make of ``steps``, one after another: first a domain's document.

    Nothing is done in that libvirt. Raises LibvirtRefused with its words where it would refuse a step. It is not asked
    where it is on another host, over a connection that may only read, and where another one is installed here by now.
    """
    reason = _reason_not_to_ask(connection)
    if reason:
        return Answer(reason=reason)
    with concealing(lambda: chain.from_iterable(secrets_of(step.element) for step in steps)):
        return _ask(connection, steps)


def _ask(connection: Connection, steps: Sequence[Step]) -> Answer:
    platform = Platform.of(steps[0].element)
    words = [(step.verb, serialize(_without_passwords(step.element))) for step in steps]
    try:
        with private_folder() as folder:
            spoken = speak(_CHILD, folder, json.dumps((platform.arch, platform.virt_type, words)))
    except HoldfastError as error:  # no room in the temporary folder
        return Answer(reason=error.message)
    if spoken.failure:
        return Answer(reason=spoken.failure)
    answer = json.loads(spoken.output)
    if "failed" in answer:
        return Answer(reason=answer["failed"])
    if "refused" in answer:
        if connection.is_of_host and answer["refused"].endswith(_OTHER_RIGHTS):
            return Answer(reason="this user's libvirt cannot do all that the host's can")
        raise refusal(answer["refused"], answer["number"])
    documents = [parse(document) for document in answer["documents"]]
    for document in documents:
        _move_home(document, folder, connection.state_folders)
    return Answer(tuple(documents))


def _reason_not_to_ask(connection: Connection) -> str:
    if connection.readonly:
        return "the connection may only read"
    if not connection.is_local:
        return f"{connection.uri} is on another host"
    if not connection.is_qemu:
        return f"{connection.uri} is not a libvirt with QEMU"
    theirs, ours = connection.libvirt_version(), library_version()
    if theirs != ours:
        return f"libvirt {_dotted(theirs)} answers, and libvirt {_dotted(ours)} is installed here"
    return ""


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _without_passwords(step: Element) -> Element:
    """A copy without what libvirt shows only with VIR_DOMAIN_XML_SECURE; the rest a guest may see."""
    copied = copy.deepcopy(step)
    for graphics in copied.iter("graphics"):
        graphics.attrib.pop("passwd", None)
    for source in copied.iter("source"):
        remove_children(source, "cookies")
    return copied


def _move_home(document: Element, folder: Path, folders: tuple[str, str] | None) -> None:
    """Put an NVRAM whose path libvirt chose where the host's libvirt would choose it; nowhere, if nobody can tell."""
    chosen = os.fspath(folder / "lib" / "qemu" / "nvram")
    for nvram in document.iterfind("os/nvram"):
        if nvram.text is not None and nvram.text.startswith(chosen):
            nvram.text = None if folders is None else nvram.text.replace(chosen, folders[0])
