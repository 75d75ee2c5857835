"""``<os>``: machine type, firmware and what is booted."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.sides import Note, Sides, View, value_at

_CHOSEN_AT_START = ("@firmware", "loader", "firmware/feature", "nvram")
_DESCRIBES_LOADER = ("@firmware", "firmware/feature")


def _reconcile(before: Element, after: Element, one: View, other: View) -> Iterator[Note]:
    """With firmware='efi' libvirt 9.0 chooses the loader at each start and names it in live only.

    libvirt 11.3 adds to a loader that is named what its descriptor says of it; the path stays what decides.
    """
    if chooses_firmware(before) != chooses_firmware(after):
        one.drop(*_CHOSEN_AT_START)
        other.drop(*_CHOSEN_AT_START)
        yield "loader", _loader(before), _loader(after)
    elif value_at(before, "os/loader") == value_at(after, "os/loader") is not None:
        one.drop(*_DESCRIBES_LOADER)
        other.drop(*_DESCRIBES_LOADER)


def chooses_firmware(document: Element) -> bool:
    """True when a document leaves it to libvirt to choose a firmware at the next start."""
    return document.find("os[@firmware]") is not None and document.find("os/loader") is None


def _loader(document: Element) -> str | None:
    return "any that fits" if chooses_firmware(document) else value_at(document, "os/loader")


SIDES = Sides(
    "os",
    guest="""
        type type@arch,machine @firmware firmware/feature[name]@enabled
        loader loader@type loader@secure=no loader@stateless=no boot@dev bootmenu@timeout bootmenu@enable=no
        smbios@mode=emulate bios@useserial=no bios@rebootTimeout acpi/table acpi/table@type
        kernel initrd cmdline dtb root
        init initarg initdir initenv[name] inituser initgroup
    """,
    host="""
        loader@readonly,format nvram nvram@template,type,format,templateFormat
        nvram/source@type,file,dev,dir,name,namespace,path,pool,volume,mode,managed,index,protocol,query
        nvram/source@tls,tlsHostname,fdgroup,startupPolicy
        nvram/source/address@domain,bus,slot,function,multifunction
        nvram/source/auth@username nvram/source/auth/secret@type,uuid,usage
        nvram/source/config@file nvram/source/snapshot@name nvram/source/cookies/cookie@name
        nvram/source/cookies/cookie nvram/source/encryption@format,engine
        nvram/source/encryption/cipher@name,size,mode,hash nvram/source/encryption/ivgen@name,hash
        nvram/source/encryption/secret@type,uuid,usage nvram/source/host@name,port,transport,socket
        nvram/source/identity@user,group nvram/source/initiator/iqn@name nvram/source/privateData
        nvram/source/readahead@size nvram/source/reconnect@enabled,timeout nvram/source/timeout@seconds
        nvram/source/reservations@managed nvram/source/reservations/source@type,path,mode
        nvram/source/reservations/source/reconnect@enabled,timeout
        nvram/source/seclabel@model,relabel,labelskip nvram/source/seclabel/label
        nvram/source/slices/slice@type,offset,size nvram/source/ssl@verify
    """,
    device=False,
    reconcile=_reconcile,
)
"""The loader's path stands for its content: nobody can tell from a document what another path holds."""
