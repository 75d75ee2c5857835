"""Which parts of a document are secret, and a document without them: the only form in which one is shown.

A part is named by its end: an attribute with its element (``graphics@passwd``), a text with its element and the one
around it (``cookies/cookie``). So it is known again wherever it stands: in a disk, in the image below, in a snapshot.

Secret is what lets its reader in somewhere, and what may carry such a thing past libvirt: libvirt itself keeps back
only the first two (without VIR_DOMAIN_XML_SECURE, 9.0). What nobody has declared is judged by its name, whoever's
element it is: what a newer libvirt calls a password is not shown before somebody has looked at it.

The command line of a kernel is mostly none: of that only the values are left out that look secret by their names, and
the credentials of systemd (``systemd.set_credential=NAME:VALUE``).

Only what is printed goes through here. What libvirt is given has all its secrets.
"""

from __future__ import annotations

import copy
import hashlib
import re
import shlex
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain
from typing import NewType

from lxml import etree

from holdfast.domainxml.document import Element, canonical, indented, local_name, parse, serialize, text_of
from holdfast.text import HIDDEN

Shown = NewType("Shown", str)
"""A document or an element as text without secrets: what may be in a result, and so on a screen or in a log."""

SECRET = {
    "graphics@passwd": "lets in whoever knows it: the guest's screen and keyboard",
    "cookies/cookie": "lets in whoever has it, at the web server of an image",
    "source@query": "of a web server's image; that of a signed URL is all it takes to read it",
    "qemu:arg@value": "may be QEMU's own form of a password: -object secret,data=…",
    "qemu:env@value": "may hold a password, as environments do",
    "xen:arg@value": "as QEMU's",
    "bhyve:arg@value": "as QEMU's",
    "os/initenv": "may hold a password, as environments do",
    "sysinfo/entry": "a file for the firmware (fw_cfg), such as a configuration of Ignition with its passwords",
    "oemStrings/entry": "may be a credential of systemd: io.systemd.credential:…",
}
"""The end of a path → why it is not shown."""

HARMLESS = {
    "auth@username": "a name; the password is a secret of libvirt's",
    "secret@type": "which secret of libvirt's is meant",
    "secret@uuid": "which secret of libvirt's is meant; its value is in no document",
    "secret@usage": "which secret of libvirt's is meant",
    "encryption@secret": "which secret of libvirt's is meant",
    "cookie@name": "a name",
    "graphics@passwdValidTo": "a date",
    "graphics@keymap": "a keyboard's layout",
    "graphics@xauth": "a path",
    "identity@keyfile": "a path",
    "lease/key": "the name of a lease",
    "smartcard/certificate": "the name of a certificate",
    "launchSecurity@authorKey": "yes or no",
    "launchSecurity/dhCert": "a public key",
    "launchSecurity/session": "sealed for the processor: this host is whom it must not help",
    "launchSecurity/idAuth": "a signature, with the public key that proves it",
}
"""The end of a path that looks secret by its name → why it is not."""

_HOLDERS = {"auth", "secret", "cookies", "cookie", "keywrap", "encryption"}
"""Elements of libvirt's with such a name that hold others, or only attributes."""

_LOOKS_SECRET = re.compile(
    r"passw|pass$|pass[-_]?(?:phrase|code)|pwd|psk|bearer"
    r"|secret|cookie|credential|token|session|key|auth(?!or)|cert|query",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--?[A-Za-z][\w-]*")
"""The name of an option, in an argument of its own: it says what was left out behind it."""
_NAMED = re.compile(r"(?P<name>[\w.-]+)=(?P<value>[^,]+)")
_CMDLINE = "os/cmdline"
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')
"""One parameter of a kernel's command line, as the kernel divides it (next_arg() in lib/cmdline.c)."""
_PARAMETER = re.compile(r'"?(?P<name>[^\s"=]+)="?(?P<value>[^"]+)')
_CREDENTIAL = re.compile(r"systemd[._]set[-_]credential(?:[-_]binary)?", re.IGNORECASE)
_KEYBOARD = re.compile(r"key(?:map|board|table)", re.IGNORECASE)
_IN_URL = re.compile(r"\w://[^/\s@]*:([^/\s@]+)@")
_OF_VALUE = {"data", "string", "value"}
"""What QEMU calls the value of a secret, of a file for the firmware, of an SMBIOS string."""


def looks_secret(path: str) -> bool:
    """True for a path whose last element or attribute is called as secrets are."""
    where, _, attribute = path.partition("@")
    return _LOOKS_SECRET.search(where.rpartition("/")[2]) is not None or _LOOKS_SECRET.search(attribute) is not None


def is_secret(path: str) -> bool:
    """True for a path ("devices/graphics@passwd", "sysinfo/entry[opt/a]") whose value is not shown."""
    # A key may have any character in it: cut at the first bracket that closes, or at the last.
    return any(_is_secret(re.sub(rf"\[{key}\]|#\d+", "", path)) for key in (r"[^\]]*", ".*"))


@lru_cache(maxsize=4096)
def _is_secret(path: str) -> bool:
    end = end_of(path)
    is_holder = "@" not in end and end.rpartition("/")[2] in _HOLDERS
    return end in SECRET or (looks_secret(path) and end not in HARMLESS and not is_holder)


def end_of(path: str) -> str:
    """The end of ``path`` by which SECRET and HARMLESS name a part; without keys and numbers in it."""
    where, _, attribute = path.partition("@")
    *_, parent, tag = ["", *where.split("/")]
    return f"{tag}@{attribute}" if attribute else f"{parent}/{tag}"


def shown_value(path: str, value: str | None) -> str | None:
    """``value``, which stands at ``path``, as it is shown; None where there is none."""
    if value and end_of(path) == _CMDLINE:
        return _shown_cmdline(value)
    return value if not value or _is_option(path, value) or not is_secret(path) else HIDDEN


def _is_option(path: str, value: str) -> bool:
    return path.endswith(":arg@value") and _OPTION.fullmatch(value) is not None


def _shown_cmdline(text: str) -> str:
    for start, end in reversed(list(_secret_values(text))):
        text = f"{text[:start]}{HIDDEN}{text[end:]}"
    return text


def _secret_values(cmdline: str) -> Iterator[tuple[int, int]]:
    """Where a kernel's command line says something secret."""
    for word in _WORD.finditer(cmdline):
        parameter = _PARAMETER.match(word[0])
        if parameter is None:
            continue
        name, (start, end) = parameter["name"], parameter.span("value")
        if _CREDENTIAL.fullmatch(name):
            start += parameter["value"].find(":") + 1
            yield word.start() + start, word.start() + end
        elif _LOOKS_SECRET.search(_KEYBOARD.sub("", name)):
            yield word.start() + start, word.start() + end
        else:
            for found in _IN_URL.finditer(word[0]):
                yield word.start() + found.start(1), word.start() + found.end(1)


def _cmdlines(element: Element) -> Iterator[Element]:
    """The kernel's command line of a document, where it says something secret."""
    for node in element.iter("cmdline"):
        parent = node.getparent()
        if parent is not None and parent.tag == "os" and next(_secret_values(text_of(node)), None):
            yield node


def shown(element: Element) -> Shown:
    """``element``, a whole document or a part of one, as text without secrets and without comments."""
    return Shown(serialize(_without(element)))


def fingerprint(element: Element) -> str:
    """What tells ``element`` from any other; nothing secret is in it, nor anything else that could be read from it."""
    return hashlib.sha256(canonical(_without(element))).hexdigest()[:32]


def shown_indented(element: Element) -> Shown:
    """As :func:`shown`, laid out anew for people."""
    return Shown(indented(_without(element)))


def shown_text(text: str) -> Shown:
    """The document ``text`` without secrets; as it is where it has none."""
    root = parse(text)
    has_secrets = next(chain(_parts(root), _cmdlines(root)), None) is not None
    return Shown(f"{shown(root)}\n" if has_secrets else text)


def kept_of(domain: Element) -> tuple[Shown, tuple[str, ...]]:
    """The document ``domain`` as it is kept: without secrets, and alike whenever it says the same; and the places of
    the secrets, as XPaths into it.
    """
    rest = copy.deepcopy(domain)
    etree.strip_tags(rest, etree.Comment, etree.ProcessingInstruction)
    for metadata in rest.findall("metadata"):
        if not len(metadata):  # libvirt (9.0) leaves it behind where something is removed
            rest.remove(metadata)
    path = etree.ElementTree(rest).getpath
    parts, cmdlines = list(_parts(rest)), list(_cmdlines(rest))
    places = [f"{path(node)}/@{attribute}" if attribute else path(node) for node, attribute in parts]
    places += map(path, cmdlines)
    _empty(parts, cmdlines)
    return Shown(f"{indented(parse(canonical(rest)))}\n"), tuple(places)


def shown_words(words: Iterable[str]) -> str:
    """The ``words`` of a command line as they are shown: without passwords in URLs, and values that look secret."""
    return shlex.join(_shown_cmdline(_IN_URL.sub(_without_password, word)) for word in words)


def _without_password(url: re.Match[str]) -> str:
    return url[0].replace(f":{url[1]}@", f":{HIDDEN}@")


def secrets_of(element: Element) -> Iterator[str]:
    """All that :func:`shown` leaves out of ``element``, and what QEMU may quote of it: the values in its arguments."""
    for node, attribute in _parts(element):
        texts = [node.get(attribute, "")] if attribute else [each for each in node.itertext() if each.strip()]
        for text in texts:
            yield from _quoted(text.strip())
    for node in _cmdlines(element):
        text = text_of(node)
        yield from (text[start:end] for start, end in _secret_values(text))


def _quoted(text: str) -> Iterator[str]:
    yield text
    yield text.replace(",", ",,")  # QEMU's way of writing a comma in a value
    for match in _NAMED.finditer(text):
        if match["name"] in _OF_VALUE or _LOOKS_SECRET.search(match["name"]):
            yield match["value"]


def keep_secrets(old: Element, new: Element) -> None:
    """Let ``new``, in place, say what ``old`` says in secret, where it leaves that open: it takes the place of ``old``.

    A document that was read without its secrets says nothing of them.
    """
    below = set(old.iterdescendants())
    for node, attribute in _parts(old):
        there = new
        for step in reversed([each for each in (node, *node.iterancestors()) if each in below]):
            found, number = there.findall(str(step.tag)), len([*step.itersiblings(str(step.tag), preceding=True)])
            if not found:
                there.append(copy.deepcopy(step))
            if number >= len(found):  # it has none now, or a list of its own
                break
            there = found[number]
        else:
            if attribute and there.get(attribute) is None:
                there.set(attribute, node.get(attribute, ""))
            elif not attribute and not text_of(there):
                there.text = node.text


def _without(element: Element) -> Element:
    rest = copy.deepcopy(element)
    etree.strip_tags(rest, etree.Comment, etree.ProcessingInstruction)
    _empty(list(_parts(rest)), list(_cmdlines(rest)))
    return rest


def _empty(parts: Iterable[tuple[Element, str]], cmdlines: Iterable[Element]) -> None:
    """Take out of a document its secret ``parts``, and what its kernel's command lines say in secret."""
    for node, attribute in parts:
        if attribute:
            del node.attrib[attribute]
        else:
            del node[:]
            node.text = None
    for node in cmdlines:
        node.text = _shown_cmdline(text_of(node))


def _parts(root: Element) -> Iterator[tuple[Element, str]]:
    """Every secret part of ``root``: an element with the name of an attribute, or with "" for all that is in it."""
    for node in root.iter(etree.Element):
        tag = local_name(str(node.tag)).rpartition("}")[2]
        for name, value in node.items():
            path = f"{tag}@{name.rpartition('}')[2]}"
            if (_is_secret(path) or (name == "value" and _is_named_secret(node))) and not _is_option(path, value):
                yield node, name
        parent = node.getparent()
        around = "" if parent is None else local_name(str(parent.tag)).rpartition("}")[2]
        if (node.text or len(node)) and (_is_secret(f"{around}/{tag}") or _is_named_secret(node)):
            yield node, ""


def _is_named_secret(node: Element) -> bool:
    """True for a value with its name beside it: <meta key="password">…</meta>, <param name="token" value="…"/>."""
    return not len(node) and any(_LOOKS_SECRET.search(node.get(name, "")) for name in ("name", "key"))
