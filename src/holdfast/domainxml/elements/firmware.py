"""The firmware in ``<os>``: what a document asks for in general terms, and the concrete files that take its place.

With ``firmware='efi'`` a document only asks for UEFI, and libvirt (9.0) chooses the files anew at each start. Other
files are another firmware, with another NVRAM and another Secure Boot; so a sealed document names them.
"""

from __future__ import annotations

import contextlib
import copy
import json
import shlex
from dataclasses import dataclass

from holdfast.domainxml.document import Element, child, element, parse, remove_children, serialize, value_at
from holdfast.domainxml.elements.os import chooses_firmware

_PARTS = ("firmware", "loader", "nvram", "varstore")
"""The elements of ``<os>`` that say which firmware it is."""


@dataclass(frozen=True)
class FirmwareRequest:
    """What a document with ``firmware='efi'`` demands of the firmware that libvirt is to choose; None: it says nothing.

    ``secure_boot``    whether the firmware supports Secure Boot
    ``enrolled_keys``  whether its NVRAM begins with keys in it, without which Secure Boot refuses nothing
    ``smm``            whether the machine has the system management mode that protects them
    """

    secure_boot: bool | None = None
    enrolled_keys: bool | None = None
    smm: bool | None = None


@dataclass(frozen=True)
class Flash:
    """The UEFI firmware in flash that a document names.

    ``template``  what its NVRAM is made from, "" where libvirt is to know
    ``secure``    whether only the firmware itself can change its variables, as Secure Boot needs
    """

    loader: str
    template: str
    secure: bool


def flash_of(domain: Element) -> Flash | None:
    """The firmware in flash that ``domain`` names; None where it names none, or keeps no variables in flash."""
    loader = value_at(domain, "os/loader")
    if not loader or value_at(domain, "os/loader@type") != "pflash" or domain.find("os/varstore") is not None:
        return None
    if value_at(domain, "os/loader@stateless") == "yes":
        return None
    return Flash(loader, nvram_template(domain) or "", value_at(domain, "os/loader@secure") == "yes")


def is_uefi(domain: Element) -> bool:
    """True where ``domain`` boots by UEFI, from files that it names or that libvirt chooses."""
    return value_at(domain, "os@firmware") == "efi" or value_at(domain, "os/loader@type") == "pflash"


def firmware_request(domain: Element) -> FirmwareRequest | None:
    """What ``domain`` demands with ``firmware='efi'``; None when it names its firmware, or has BIOS."""
    os = domain.find("os")
    if os is None or os.get("firmware") != "efi" or not chooses_firmware(domain):
        return None
    features = {feature.get("name", ""): feature.get("enabled") == "yes" for feature in os.iterfind("firmware/feature")}
    smm = domain.find("features/smm")
    loader = os.find("loader")
    if loader is not None and loader.get("stateless") == "yes":
        return None  # without NVRAM the files are others: libvirt chooses them (≥ 8.6)
    secure = features.get("secure-boot")
    if secure is None and loader is not None and loader.get("secure") == "yes":
        secure = True
    has_smm = None if smm is None else smm.get("state", "on") == "on"
    return FirmwareRequest(secure, features.get("enrolled-keys"), has_smm)


def ask_for_firmware(domain: Element, firmware: str) -> None:
    """Ask for "bios", "uefi" or "uefi-secure" in general terms, for :func:`set_firmware` to make concrete.

    "uefi-secure" is Secure Boot with keys enrolled: only then does it refuse anything.
    """
    if firmware == "bios":
        return
    os = child(domain, "os")
    os.set("firmware", "efi")
    secure = "yes" if firmware == "uefi-secure" else "no"
    names = ("secure-boot", "enrolled-keys")
    os.append(element("firmware", None, *(element("feature", {"enabled": secure, "name": name}) for name in names)))


def set_firmware(
    domain: Element, *, loader: str, template: str, smm: bool, format: str = "raw", template_format: str = "raw"
) -> None:
    """Name the firmware's code ``loader`` and the ``template`` of its NVRAM, in place of a request for a firmware.

    The NVRAM has the format of its template: libvirt (12.8) makes none of another one.
    ``smm`` turns on system management mode, for code that protects its variables with it, as Secure Boot does. Where
    the document does not name the path of the NVRAM, libvirt chooses one and writes it down at the define (9.0).
    """
    os = child(domain, "os")
    path = os.findtext("nvram")
    remove_firmware(os)
    attributes = {"readonly": "yes", "type": "pflash"}
    if smm:
        attributes["secure"] = "yes"
        child(child(domain, "features"), "smm").set("state", "on")
    kind = {} if format == "raw" else {"format": format}
    made = {} if template_format == "raw" else {"format": template_format, "templateFormat": template_format}
    position = next((index + 1 for index, node in enumerate(os) if node.tag == "type"), 0)
    os.insert(position, element("loader", attributes | kind, text=loader))
    os.insert(position + 1, element("nvram", {"template": template} | made, text=path))


def remove_firmware(os: Element) -> None:
    """Take out of ``<os>`` all that it says of its firmware."""
    os.attrib.pop("firmware", None)
    remove_children(os, *_PARTS)


def firmware_as_text(domain: Element) -> str:
    """All that ``domain`` says of its firmware, for :func:`set_firmware_from`."""
    os = copy.deepcopy(child(domain, "os"))
    for name in set(os.attrib) - {"firmware"}:
        del os.attrib[name]
    os[:] = [part for part in os if part.tag in _PARTS]
    return serialize(os)


def set_firmware_from(domain: Element, text: str) -> None:
    """Let ``domain`` say of its firmware what another document said (:func:`firmware_as_text`).

    Raises InvalidDocument.
    """
    said, os = parse(text, "os"), child(domain, "os")
    remove_firmware(os)
    os.attrib.update({name: value for name, value in said.attrib.items() if name == "firmware"})
    position = next((index + 1 for index, node in enumerate(os) if node.tag == "type"), 0)
    os[position:position] = [part for part in said if part.tag in _PARTS]


def keep_to_loader(domain: Element) -> None:
    """Let ``domain``, which names its loader, ask for nothing else of its firmware.

    libvirt (≥ 9.2) writes ``firmware='efi'`` beside the loader that it chose, and then takes no other template for the
    NVRAM than that loader's own.
    """
    os = domain.find("os")
    if os is not None and value_at(domain, "os/loader"):
        os.attrib.pop("firmware", None)
        remove_children(os, "firmware")


def describe_firmware(domain: Element) -> str:
    """The firmware that ``domain`` names, in a few words: "bios", "uefi /usr/share/OVMF/OVMF_CODE_4M.fd"."""
    loader = domain.find("os/loader")
    if loader is None or loader.get("type") != "pflash":
        return domain.findtext("os/loader") or "bios"
    secure = " secure" if loader.get("secure") == "yes" else ""
    return f"uefi{secure} {loader.text}"


def nvram_of(domain: Element) -> str | None:
    """The file with the UEFI variables of ``domain``; None when it has none, or libvirt has not chosen one yet.

    It is in ``<nvram>``, for variables in flash, or in ``<varstore>``, for those of a device (libvirt 12.1).
    """
    source = domain.find("os/nvram/source")
    named = (domain.findtext("os/nvram") or "").strip() or (None if source is None else source.get("file"))
    return named or value_at(domain, "os/varstore@path") or None


def libvirt_names_nvram(domain: Element) -> bool:
    """True where ``domain`` has UEFI variables in a file, and leaves it to libvirt which file that is."""
    if nvram_of(domain) is not None or domain.find("os/nvram/source") is not None:
        return False
    loader = domain.find("os/loader")
    if domain.find("os/varstore") is not None:
        return True
    if loader is not None and loader.get("stateless") == "yes":
        return False
    if value_at(domain, "os/loader"):
        return value_at(domain, "os/loader@type") == "pflash" and value_at(domain, "os/loader@readonly") == "yes"
    return value_at(domain, "os@firmware") == "efi"


def set_nvram(domain: Element, path: str) -> None:
    """Let the UEFI variables of ``domain`` be in the file ``path``."""
    store = domain.find("os/varstore")
    if store is not None:
        store.set("path", path)
        return
    nvram = child(child(domain, "os"), "nvram")
    remove_children(nvram, "source")
    nvram.attrib.pop("type", None)
    nvram.text = path


def nvram_format(domain: Element) -> str:
    """The format of the file with the UEFI variables of ``domain``: "raw" or "qcow2"."""
    return value_at(domain, "os/nvram@format") or "raw"


def set_nvram_format(domain: Element, format: str) -> None:
    """Let the file with the UEFI variables of ``domain``, which is there, be of this ``format``."""
    nvram = child(child(domain, "os"), "nvram")
    if nvram_format(domain) != format:
        nvram.set("templateFormat", nvram_format(domain))
        nvram.set("format", format)


def nvram_template(domain: Element) -> str | None:
    """The file that the UEFI variables of ``domain`` are made from; None where libvirt knows it by the loader."""
    return value_at(domain, "os/varstore@template") or value_at(domain, "os/nvram@template")


def set_nvram_template(domain: Element, template: str | None, format: str | None = None) -> None:
    """Let the UEFI variables of ``domain`` be made from ``template``; None leaves that to libvirt.

    ``format`` is that of the template, where it is not that of the variables (libvirt 10.10).
    """
    node = domain.find("os/nvram") if domain.find("os/varstore") is None else domain.find("os/varstore")
    if node is not None:
        for name, value in (("template", template), ("templateFormat", format)):
            node.attrib.pop(name, None)
            if value is not None:
                node.set(name, value)


def nvram_in_command(command: str) -> str | None:
    """The file with the UEFI variables in a command line of QEMU, as libvirt prints it; None when there is none."""
    return _file_in_command(command, "libvirt-pflash1-storage")


def code_in_command(command: str) -> tuple[str | None, bool]:
    """The file with the UEFI code likewise, and whether it protects its variables with SMM, as Secure Boot does."""
    code = _file_in_command(command, "libvirt-pflash0-storage")
    return code, "driver=cfi.pflash01,property=secure,value=on" in command


def _file_in_command(command: str, node: str) -> str | None:
    for argument in shlex.split(command):
        if argument.startswith("{"):
            with contextlib.suppress(ValueError):  # a user's own argument may be anything
                device = json.loads(argument)
                if device.get("node-name") == node:
                    return str(device.get("filename"))
    return None
