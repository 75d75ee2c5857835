"""The secrets that a kept document was kept without: put back from another document, or as somebody gives them.

A place is an XPath into the kept document, as :func:`.secret_parts.kept_of` marks it. The same place in another
document is where the same device, or the same part of the domain, says the same but for its secrets.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.domainxml.device import find_device
from holdfast.domainxml.document import Element, element, remove_children, text_of
from holdfast.domainxml.secret_parts import fingerprint


@dataclass(frozen=True)
class SecretPlace:
    """Where a document lacks a secret: ``path`` as it is marked, ``attribute`` "" for the content of ``node``."""

    path: str
    node: Element
    attribute: str

    @property
    def is_console(self) -> bool:
        """True for the password of a graphical console."""
        return self.node.tag == "graphics" and self.attribute == "passwd"

    @property
    def is_of_metadata(self) -> bool:
        """True for what a program has noted in the metadata: no guest and no host has anything of it."""
        return any(each.tag == "metadata" for each in self.node.iterancestors())

    def is_in(self, document: Element) -> bool:
        """True while ``document`` has the place: another element may have taken it."""
        return document in (self.node, *self.node.iterancestors())


def put_back_secrets(
    document: Element, places: Iterable[str], today: Element | None, given: Mapping[str, str]
) -> list[SecretPlace]:
    """Put the secrets of a kept ``document`` back, in place, and return the places that still lack theirs.

    What is ``given`` for a place comes first; else it is as ``today``, another document of the domain, has it there.
    Of the command line of a kernel, which is kept in part, the whole line is given.
    """
    lacking = []
    tree = document.getroottree()
    nodes = {tree.getpath(node): node for node in document.iter() if isinstance(node.tag, str)}
    for path in places:
        where, _, attribute = path.partition("/@")
        if where not in nodes:  # inside another one that is left out
            continue
        node = nodes[where]
        now = None if today is None else _counterpart(document, node, today)
        if path in given:
            _put(node, attribute, given[path])
        elif now is None or not _take(node, attribute, now):
            lacking.append(SecretPlace(path, node, attribute))
    return lacking


def _put(node: Element, attribute: str, value: str) -> None:
    if attribute:
        node.set(attribute, value)
    else:
        node.text = value


def _take(node: Element, attribute: str, now: Element) -> bool:
    """Take a secret over from the same place in another document; False where that has none."""
    if attribute:
        if attribute not in now.attrib:
            return False
        node.set(attribute, now.get(attribute, ""))
        return True
    if not (text_of(now) or len(now)):
        return False
    node.text = now.text
    node[:] = [copy.deepcopy(each) for each in now]
    return True


def _counterpart(document: Element, node: Element, today: Element) -> Element | None:
    """The element of ``today`` that is in the same place as ``node`` of ``document``; None where none is.

    Of several with one name none is taken for another: all of them have to say the same, but for their secrets.
    """
    steps = [each for each in reversed([node, *node.iterancestors()]) if each is not document]
    here: Element | None = today
    if len(steps) > 1 and steps[0].tag == "devices":
        here, steps = _device_like(document, steps[1], today), steps[2:]
    for step in steps:
        parent = step.getparent()
        if here is None or parent is None:
            return None
        then, now = parent.findall(str(step.tag)), here.findall(str(step.tag))
        if step is node and _without_secrets(parent, then) != _without_secrets(parent, now):
            return None
        number = then.index(step)
        here = now[number] if number < len(now) else None
    return here


def _without_secrets(parent: Element, nodes: Iterable[Element]) -> str:
    """What tells these children of ``parent`` from others; what of them is secret depends on the parent, too."""
    return fingerprint(element(str(parent.tag), None, *map(copy.deepcopy, nodes)))


def _device_like(document: Element, device: Element, today: Element) -> Element | None:
    """The device of ``today`` that is the same; graphics have no name but their type."""
    if device.tag != "graphics":
        return find_device(today, device)
    then, now = (
        [each for each in domain.iterfind("devices/graphics") if each.get("type") == device.get("type")]
        for domain in (document, today)
    )
    number = then.index(device)
    return now[number] if number < len(now) else None


def keep_console_passwords(document: Element, today: Element) -> None:
    """Let each graphical console of ``document`` that asks for no password ask for the one that it has ``today``."""
    for graphics in document.iterfind("devices/graphics"):
        now = _device_like(document, graphics, today)
        if now is not None and "passwd" in now.attrib and "passwd" not in graphics.attrib:
            graphics.attrib.update({name: value for name, value in now.items() if name in ("passwd", "passwdValidTo")})


def opened_consoles(document: Element, today: Element) -> list[str]:
    """The graphical consoles of ``document`` that ask for no password and, other than ``today``, are open to a network.

    In sentences. Without an address a console is where qemu.conf says, which is the loopback unless somebody chose.
    """
    return [
        f"the {graphics.get('type')} console would be open at {', '.join(sorted(opened))} without a password"
        for graphics in document.iterfind("devices/graphics")
        if (opened := _open_at(graphics) - _open_at(_device_like(document, graphics, today)))
    ]


def _open_at(graphics: Element | None) -> set[str]:
    """Where a graphical console that asks for no password is open to a network."""
    if graphics is None or "passwd" in graphics.attrib:
        return set()
    listens = graphics.findall("listen")
    named = [
        graphics.get("listen"),
        *(each.get("address") for each in listens),
        *(each.get("network") for each in listens),
    ]
    return {place for place in named if place and place not in ("localhost", "::1") and not place.startswith("127.")}


def close_console(graphics: Element) -> None:
    """Let a graphical console listen nowhere: whoever may use libvirt can have it opened by libvirt (2.0)."""
    for name in ("port", "tlsPort", "autoport", "listen", "websocket", "socket", "passwdValidTo"):
        graphics.attrib.pop(name, None)
    remove_children(graphics, "listen")
    graphics.insert(0, element("listen", {"type": "none"}))
