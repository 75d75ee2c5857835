"""All that a command could have changed, as bare libvirt and the host's folders tell it, in a form to be compared.

What is made at random or tells the time is made the same; two undisturbed runs of one command must come out alike.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import libvirt

World = dict[str, str]
"""What it is ("a: config", "images/root.qcow2") → how it stands."""

_WISH = re.compile(r"\s*<holdfast:wanted [^>]*/>")
"""What each revert writes into its snapshot anew, before it: whether the domain is to run then."""

_MEMORY = ("save", "ram")
"""Folders of files that hold a guest's memory, and are never of the same size twice."""

_STATES = {
    libvirt.VIR_DOMAIN_RUNNING: "running",
    libvirt.VIR_DOMAIN_PAUSED: "paused",
    libvirt.VIR_DOMAIN_SHUTOFF: "shut off",
}
_VOLUME = re.compile(r""" volume=["'][^"']*["'] path=["']([^"']*)["']""")
_CONTROLLER = re.compile(r"^    <controller [^>]*(/>|>.*?^    </controller>)$", re.MULTILINE | re.DOTALL)
_AT_RANDOM = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "UUID"),
    (re.compile(r"\d{8}T\d{12}Z\.(nvram|tpm)\.off\.[0-9a-z]+\."), r"TIME.\1.off.ENTRY."),
    (re.compile(r"52:54:00(:[0-9a-f]{2}){3}"), "MAC"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^'\"<]*"), "TIME"),
    (re.compile(r"<creationTime>\d+"), "<creationTime>TIME"),
    (re.compile(r"(holdfast-[\w-]+-)[a-z0-9_]{8}\b"), r"\1RANDOM"),
    # Which of the two it was: an unrescue starts it in either case.
    (re.compile(r"(<holdfast:rescue [^>]*before=)\"(paused|running)\""), r'\1"on"'),
    (re.compile(r"born=(['\"])[^'\"]*"), r"born=\1TIME"),
    # What libvirt (9.0) leaves where the last of it was removed.
    (re.compile(r"\s*<metadata/>"), ""),
    (re.compile(r"(<domain type='qemu') id='\d+'"), r"\1"),
    # A libvirtd that starts anew forgets the alias of a USB controller that is none (9.0).
    (re.compile(r"(<controller type='usb'[^>]* model='none')>\s*<alias name='usb'/>\s*</controller>"), r"\1/>"),
    # It forgets the format of a medium that was taken out, too.
    (re.compile(r"<driver name='qemu' type='raw'/>\s*<source index='\d+'/>"), "<driver name='qemu'/>"),
    # The security label that it gives to all domains, once it has started anew; a snapshot takes it over (9.0).
    (re.compile(r"\s*<seclabel type='dynamic' model='dac' relabel='yes'/>"), ""),
    # What is left where a record was made and removed (9.0).
    (re.compile(r"^ *<metadata/>\n", re.MULTILINE), ""),
    (re.compile(r"/dev/pts/\d+"), "/dev/pts/N"),
    (re.compile(r"/domain-\d+-"), "/domain-N-"),
    (re.compile(r"(serial|<serial>|alias|ua-)([-'=> \"]*)[0-9a-f]{8,20}\b"), r"\1\2RANDOM"),
    (re.compile(r" index='\d+'/?>(?=\s*<(file|seclabel|backingStore|/source))"), ">"),
    # What it leaves in config of a disk that has gone over to a copy, and not of one that was told to have it (9.0).
    (re.compile(r"\s*<backingStore/>"), ""),
]


def look(connection: libvirt.virConnect, folders: Mapping[str, Path]) -> World:
    """The world now: every domain, and every file below ``folders``, under their names."""
    world: World = {}
    for domain in connection.listAllDomains():
        found = {f"{domain.name()}: {key}": text for key, text in _domain(domain)}
        world.update({key: _plain(without_true_volumes(text)) for key, text in found.items()})
    for name, folder in folders.items():
        for path in sorted(folder.rglob("*")):
            world[f"{name}/{_plain(str(path.relative_to(folder)))}"] = "memory" if name in _MEMORY else _file(path)
    return world


def _domain(domain: libvirt.virDomain) -> Iterator[tuple[str, str]]:
    state = domain.state()[0]
    yield "state", _STATES.get(state, str(state))
    yield "autostart", str(domain.autostart())
    yield "saved memory", str(bool(domain.hasManagedSaveImage(0)))
    if domain.isPersistent():
        config = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
        yield "config", _with_controllers_sorted(config)
    if domain.isActive():
        yield "live", domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)
    for snapshot in domain.listAllSnapshots():
        text = snapshot.getXMLDesc(libvirt.VIR_DOMAIN_SNAPSHOT_XML_SECURE)
        yield f"snapshot {snapshot.getName()}", _WISH.sub("", text)


def _with_controllers_sorted(config: str) -> str:
    """A start sorts them, wherever an attach has put them (libvirt 9.0)."""
    found = [match[0] for match in _CONTROLLER.finditer(config)]
    ordered = iter(sorted(found))
    return _CONTROLLER.sub(lambda _: next(ordered), config)


def without_true_volumes(text: str) -> str:
    """A document without the volumes of the images that its disks have: a pool knows a new one once it was looked into,
    as by a libvirtd that starts anew. A record of any other volume stays.
    """
    if " volume=" not in text:
        return text
    images = {source.get("file") for source in ElementTree.fromstring(text).iterfind(".//devices/disk/source")}
    return _VOLUME.sub(lambda found: "" if found[1] in images else found[0], text)


def _file(path: Path) -> str:
    try:
        if path.is_symlink() or not path.is_file():
            return "folder" if path.is_dir() else "no file"
        with path.open("rb") as file:
            first = file.read(32)
    except FileNotFoundError:
        return "gone meanwhile"
    if first[:4] == b"QFI\xfb":
        size = int.from_bytes(first[24:32], "big")
        return f"qcow2 of {size} bytes"
    return f"{path.stat().st_size} bytes"


def _plain(text: str) -> str:
    for pattern, word in _AT_RANDOM:
        text = pattern.sub(word, text)
    return text


def differences(old: World, new: World) -> list[str]:
    """What differs, a line or a few each; empty when nothing does."""
    found = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if before == after:
            continue
        if before is None or after is None:
            found.append(f"{key}: {'is there' if before is None else 'is not there'}")
        elif "\n" in before:
            lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
            found.append(
                "\n    ".join([f"{key}:", *[line.strip()[:160] for line in list(lines)[2:] if line[0] in "+-"]])
            )
        else:
            found.append(f"{key}: {before} → {after}")
    return found
