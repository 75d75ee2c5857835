"""The firmware in ``<os>``: what a document asks of UEFI in general, and the concrete files put in its place.

With ``firmware='efi'`` libvirt chooses the files at each start anew (9.0: config keeps the wish), and other files mean
another firmware, other NVRAM and another Secure Boot.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass

from holdfast.domainxml.document import Element, child, element
from holdfast.domainxml.elements.os import chooses_firmware

FIRMWARES = ("bios", "uefi", "uefi-secure")


@dataclass(frozen=True)
class Wish:
    """What ``firmware='efi'`` leaves to libvirt, and what is said of it; None: nothing is said."""

    secure_boot: bool | None = None
    enrolled_keys: bool | None = None
    smm: bool | None = None


def firmware_wish(domain: Element) -> Wish | None:
    """What the document asks for with ``firmware='efi'``; None when it names its firmware, or has BIOS."""
    os = domain.find("os")
    if os is None or os.get("firmware") != "efi" or not chooses_firmware(domain):
        return None
    features = {feature.get("name", ""): feature.get("enabled") == "yes" for feature in os.iterfind("firmware/feature")}
    smm = domain.find("features/smm")
    loader = os.find("loader")
    if loader is not None and loader.get("stateless") == "yes":
        return None  # its files are others, and it has no NVRAM: libvirt chooses them (8.6)
    secure = features.get("secure-boot")
    if secure is None and loader is not None and loader.get("secure") == "yes":
        secure = True
    return Wish(secure, features.get("enrolled-keys"), None if smm is None else smm.get("state", "on") == "on")


def wish_for(domain: Element, firmware: str) -> None:
    """Ask for one of FIRMWARES in general terms, to be made concrete by :func:`set_firmware`.

    "uefi-secure" is Secure Boot with keys enrolled: only then does it refuse anything.
    """
    if firmware == "bios":
        return
    os = child(domain, "os")
    os.set("firmware", "efi")
    secure = "yes" if firmware == "uefi-secure" else "no"
    names = ("secure-boot", "enrolled-keys")
    os.append(element("firmware", None, *(element("feature", {"enabled": secure, "name": name}) for name in names)))


def set_firmware(domain: Element, *, loader: str, template: str, smm: bool) -> None:
    """Name the firmware's code ``loader`` and the ``template`` of its NVRAM instead of a wish.

    ``smm`` is for code that protects its variables with system management mode, as Secure Boot does. The path of the
    NVRAM itself is libvirt's choice, written down at define (9.0), unless the document names it.
    """
    os = child(domain, "os")
    os.attrib.pop("firmware", None)
    path = os.findtext("nvram")
    for tag in ("firmware", "loader", "nvram"):
        for old in os.findall(tag):
            os.remove(old)
    attributes = {"readonly": "yes", "type": "pflash"}
    if smm:
        attributes["secure"] = "yes"
        child(child(domain, "features"), "smm").set("state", "on")
    position = next((index + 1 for index, node in enumerate(os) if node.tag == "type"), 0)
    os.insert(position, element("loader", attributes, text=loader))
    os.insert(position + 1, element("nvram", {"template": template}, text=path))


def describe_firmware(domain: Element) -> str:
    """The firmware in a few words: "bios", "uefi /usr/share/OVMF/OVMF_CODE_4M.fd"."""
    loader = domain.find("os/loader")
    if loader is None or loader.get("type") != "pflash":
        return domain.findtext("os/loader") or "bios"
    secure = " secure" if loader.get("secure") == "yes" else ""
    return f"uefi{secure} {loader.text}"


def nvram_of(domain: Element) -> str | None:
    """The path of the domain's NVRAM; None when it has none or libvirt has not chosen it yet."""
    source = domain.find("os/nvram/source")
    return (domain.findtext("os/nvram") or "").strip() or (None if source is None else source.get("file"))


def nvram_in_command(command: str) -> str | None:
    """The path of the NVRAM in QEMU's command line, as libvirt prints it; None when there is none."""
    for argument in shlex.split(command):
        if argument.startswith("{"):
            device = json.loads(argument)
            if device.get("node-name") == "libvirt-pflash1-storage":
                return str(device["filename"])
    return None
