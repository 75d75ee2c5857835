"""``<os>``: the machine type, the firmware, and what is booted."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element, value_at
from holdfast.domainxml.sides import Note, Sides, View

_CHOSEN_AT_START = ("@firmware", "loader", "firmware/feature", "nvram")
_DESCRIBES_LOADER = ("@firmware", "firmware/feature")


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """With firmware='efi' libvirt 9.0 chooses the loader at each start, and names it in live only.

    To a loader that is named, libvirt 11.3 adds what the loader's descriptor says; the path is what counts. Where it
    finds no firmware it writes an empty ``<loader>``, which names none.

    A document without any boot order boots the first hard disk: ``<boot dev='hd'/>`` (virDomainDefPostParse).
    """
    for view in (one, other):
        if view.guest.get("loader") == "":
            del view.guest["loader"]
    for silent, said in ((before, other), (after, one)):
        has_order = silent.find("os/boot") is not None or silent.find("devices/*/boot") is not None
        if not has_order and said.guest.get("boot@dev") == "hd" and "boot#2@dev" not in said.guest:
            said.drop("boot@dev")
    if _is_bios(before) or _is_bios(after):
        return
    if chooses_firmware(before) != chooses_firmware(after):
        one.drop(*_CHOSEN_AT_START)
        other.drop(*_CHOSEN_AT_START)
        yield "loader", _loader(before), _loader(after)
    elif value_at(before, "os/loader") == value_at(after, "os/loader") is not None:
        one.drop(*_DESCRIBES_LOADER)
        other.drop(*_DESCRIBES_LOADER)


def chooses_firmware(document: Element) -> bool:
    """True when ``document`` leaves it to libvirt to choose a firmware at the next start.

    libvirt 11.3 chooses when the domain is defined, and names its choice beside what the document asked for.
    """
    return document.find("os[@firmware]") is not None and not value_at(document, "os/loader")


def _is_bios(document: Element) -> bool:
    """True when ``document`` says nothing of a firmware, so that it is QEMU's own BIOS."""
    return document.find("os[@firmware]") is None and not value_at(document, "os/loader")


def _loader(document: Element) -> str | None:
    return "any that fits" if chooses_firmware(document) else value_at(document, "os/loader")


_IMAGE = """
    @type,file,dev,dir,name,namespace,path,pool,volume,mode,managed,index,protocol,query
    @tls,tlsHostname,fdgroup,startupPolicy address@domain,bus,slot,function,multifunction
    auth@username auth/secret@type,uuid,usage config@file snapshot@name cookies/cookie@name cookies/cookie
    encryption@format,engine encryption/cipher@name,size,mode,hash encryption/ivgen@name,hash
    encryption/secret@type,uuid,usage host@name,port,transport,socket
    identity@user,group,username,keyfile,agentsock initiator/iqn@name knownHosts@path privateData readahead@size
    reconnect@enabled,timeout,delay timeout@seconds
    reservations@managed,migration
    reservations/source@type,path,mode reservations/source/reconnect@enabled,timeout,delay
    seclabel@model,relabel,labelskip seclabel/label slices/slice@type,offset,size ssl@verify
"""


def _image(path: str) -> str:
    """The paths of all that libvirt can say of where an image is, below ``path``."""
    return " ".join(f"{path}{'' if token.startswith('@') else '/'}{token}" for token in _IMAGE.split())


SIDES = Sides(
    "os",
    guest="""
        type type@arch,machine @firmware firmware/feature[name]@enabled
        loader loader@type loader@secure=no loader@stateless=no boot@dev bootmenu@timeout bootmenu@enable=no
        smbios@mode=emulate bios@useserial=no bios@rebootTimeout acpi/table acpi/table@type
        kernel initrd cmdline dtb shim root
        init initarg initdir initenv[name] inituser initgroup
    """,
    host=f"""
        loader@readonly,format nvram nvram@template,type,format,templateFormat varstore@path,template
        {_image("nvram/source")} {_image("nvram/source/dataStore/source")}
        nvram/source/dataStore@type nvram/source/dataStore/format@type
        nvram/source/dataStore/format/metadata_cache/max_size nvram/source/dataStore/format/metadata_cache/max_size@unit
    """,
    device=False,
    reconcile=_reconcile,
)
"""The loader's path is guest side, for its content: nobody can tell from a document what another path holds."""
