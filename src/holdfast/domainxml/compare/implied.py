"""What a document means without saying it: libvirt adds the same to every document that leaves it out.

Only what is so whichever host and version it is: libvirt's own constants. What libvirt chooses by what a host has
stays left open. docs/guest-view.md has the table, with where libvirt says so.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator

from holdfast.domainxml.document import Element, element, value_at
from holdfast.domainxml.number import as_number
from holdfast.domainxml.platform import X86

Addition = tuple[Element, Element | tuple[str, str]]
"""An element of a document, and what it means besides: a child, or an attribute with its value."""

_BUILT_IN = {"q35": ("sata", "0x1f", "0x2"), "i440fx": ("ide", "0x01", "0x1")}
"""The chipset of a PC → the disk controller inside it, with its slot and function."""


def with_implied(domain: Element) -> Element:
    """``domain`` with all that it means besides; ``domain`` itself where that is nothing. It is not changed."""
    additions = list(_additions(domain))
    if not additions:
        return domain
    copied = copy.deepcopy(domain)
    same = dict(zip(domain.iter(), copied.iter(), strict=True))
    for parent, part in additions:
        if isinstance(part, tuple):
            same[parent].set(*part)
        else:
            same[parent].append(part)
    return copied


def _additions(domain: Element) -> Iterator[Addition]:
    parent = domain.find("devices")
    kind = domain.find("os/type")
    if domain.get("type") not in ("qemu", "kvm") or kind is None or kind.text != "hvm" or parent is None:
        return
    yield from _indexes(parent)
    yield from _disks(parent)
    yield from _screens(parent)
    yield from _ports(parent, chipset := _chipset(kind))
    if chipset is not None or kind.get("arch") in X86:
        yield from _inputs(domain, parent)
        yield from _balloon(parent)
    if chipset is not None:
        yield from _controllers(parent, chipset)


def _chipset(kind: Element) -> str | None:
    """That of a PC: "q35" or "i440fx"; None for another machine, or one that nobody named."""
    machine = kind.get("machine", "")
    if kind.get("arch", X86[0]) not in X86:
        return None
    if "q35" in machine:
        return "q35"
    return "i440fx" if machine == "pc" or machine.startswith(("pc-i440fx-", "pc-0.", "pc-1.")) else None


def _disks(parent: Element) -> Iterator[Addition]:
    """A CD drive is read-only, and a disk without a bus is on the one that its name tells ("Hard drives")."""
    for disk in parent.iterfind("disk"):
        if disk.get("device") == "cdrom" and disk.find("readonly") is None:
            yield disk, element("readonly")
        target = disk.find("target")
        bus = _BUSES.get((target.get("dev") or "")[:2]) if target is not None and target.get("bus") is None else None
        if target is not None and bus is not None:
            yield target, ("bus", bus)


_BUSES = {"fd": "fdc", "hd": "ide", "sd": "scsi", "vd": "virtio"}


def _screens(parent: Element) -> Iterator[Addition]:
    """A screen that people can see needs a card, and of several cards the first is the primary one ("Video devices").

    Which card it is depends on what QEMU has.
    """
    videos = parent.findall("video")
    if not videos and parent.find("graphics") is not None:
        yield parent, element("video", None, element("model", {"primary": "yes"}))
    models = [model for video in videos if (model := video.find("model")) is not None]
    if models and models[0].get("type") != "none" and all(model.get("primary") != "yes" for model in models):
        yield models[0], ("primary", "yes")


def _ports(parent: Element, chipset: str | None) -> Iterator[Addition]:
    """A console alone stands for a serial port as well; ports are numbered from 0 ("Console")."""
    serials, console = parent.findall("serial"), parent.find("console")
    if console is not None and value_at(console, "target@type") is None:
        target = console.find("target")
        yield (console, element("target", {"type": "serial"})) if target is None else (target, ("type", "serial"))
    if not serials and console is not None and value_at(console, "target@type") in (None, "serial"):
        serial = element("serial", None, element("target", {"port": "0"}))
        if chipset is not None:
            serial = element("serial", None, _isa_port("0"))
        yield parent, serial
    last = -1
    for serial in serials:
        number = as_number(value_at(serial, "target@port") or "")
        last = max(last, number) if number is not None else last
    for serial in serials:
        target = serial.find("target")
        if target is None or target.get("port") is None:
            last += 1
        if target is None:
            yield serial, _isa_port(str(last)) if chipset is not None else element("target", {"port": str(last)})
            continue
        if target.get("port") is None:
            yield target, ("port", str(last))
        kind = target.get("type") or ("isa-serial" if chipset is not None and serial.find("address") is None else "")
        if target.get("type") is None and kind:
            yield target, ("type", kind)
        if target.find("model") is None and kind in ("isa-serial", "pci-serial", "usb-serial"):
            yield target, element("model", {"name": kind})


def _isa_port(number: str) -> Element:
    return element("target", {"type": "isa-serial", "port": number}, element("model", {"name": "isa-serial"}))


def _inputs(domain: Element, parent: Element) -> Iterator[Addition]:
    """Every PC has a PS/2 mouse and keyboard ("Input devices"), unless they are turned off (features/ps2, 9.9)."""
    if value_at(domain, "features/ps2@state") == "off":
        return
    there = {(each.get("type"), each.get("bus", "ps2")) for each in parent.iterfind("input")}
    for kind in ("mouse", "keyboard"):
        if (kind, "ps2") not in there:
            yield parent, element("input", {"type": kind, "bus": "ps2"})
    for each in parent.iterfind("input"):
        if each.get("bus") is None and each.get("type") in ("mouse", "keyboard", "tablet"):
            yield each, ("bus", "usb" if each.get("type") == "tablet" else "ps2")


def _balloon(parent: Element) -> Iterator[Addition]:
    """ "It will be automatically added when appropriate" ("Memory balloon device")."""
    if parent.find("memballoon") is None:
        yield parent, element("memballoon", {"model": "virtio"})


def _indexes(parent: Element) -> Iterator[Addition]:
    """A controller without an index has the first that is free among those of its type ("Controllers")."""
    taken = {(each.get("type"), each.get("index")) for each in parent.iterfind("controller")}
    for controller in parent.iterfind("controller"):
        if controller.get("index") is None:
            kind = controller.get("type")
            index = next(str(number) for number in range(len(taken) + 1) if (kind, str(number)) not in taken)
            taken.add((kind, index))
            yield controller, ("index", index)


def _controllers(parent: Element, chipset: str) -> Iterator[Addition]:
    """The first PCI bus, and the disk controller inside the chipset ("Controllers")."""
    first = {each.get("type"): each for each in parent.iterfind("controller") if each.get("index", "0") == "0"}
    if "pci" not in first:
        yield (
            parent,
            element("controller", {"type": "pci", "index": "0", "model": f"pci{'e' * (chipset == 'q35')}-root"}),
        )
    kind, slot, function = _BUILT_IN[chipset]
    place = {"type": "pci", "domain": "0x0000", "bus": "0x00", "slot": slot, "function": function}
    if kind not in first:
        yield parent, element("controller", {"type": kind, "index": "0"}, element("address", place))
    elif first[kind].find("address") is None:
        yield first[kind], element("address", place)
