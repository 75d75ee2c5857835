"""libvirt's QEMU driver for one process alone (``qemu:///embed``, libvirt ≥ 6.1): asked what it makes of documents.

Run as ``python -m holdfast.libvirtapi.private_libvirt FOLDER``, with a request on standard input and the answer on
standard output, both JSON. The folder is all that it has: it knows no domain but the one that it is asked about, starts
none, and has nothing to do with the libvirt of the host or of the user. It is a process of its own because a strange
document can crash the driver, and because one process cannot open it often (9.0).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence

import libvirt
from holdfast.libvirtapi.events import ensure_event_loop
from holdfast.libvirtapi.translate import code_of, sentence


def answer(folder: str, arch: str, virt_type: str, steps: Sequence[tuple[str, str]]) -> dict[str, object]:
    """What libvirt makes of one domain, of such an architecture and kind of virtualisation.

    ``steps`` are pairs of a verb and an element. The first is a domain's document: "define" for one that is to be
    (virDomainDefineXMLFlags, VALIDATE), "have" for one that libvirt has taken already, whoever wrote it, and does not
    validate. Another one may take its place; "attach", "detach" and "update" take a device of its config
    (virDomainAttachDeviceFlags and so on). ``documents`` of the answer has the config document after each step. Where
    libvirt refuses a step, ``refused`` has its reason and ``number`` the code of its error. ``failed`` says why it
    could not be asked: there is no such driver here, or no QEMU for that kind of domain, or this libvirt does not take
    what that one has.
    """
    ensure_event_loop()
    try:
        connection = libvirt.open(f"qemu:///embed?root={folder}")
        connection.getDomainCapabilities(None, arch or None, None, virt_type or None, 0)
    except libvirt.libvirtError as error:
        return {"failed": sentence(error)}
    documents: list[str] = []
    try:
        documents.extend(_documents(connection, steps))
    except libvirt.libvirtError as error:
        if not documents and steps[0][0] == "have":
            return {"failed": f"it does not accept the domain as it is: {sentence(error)}"}
        return {"refused": sentence(error), "number": code_of(error)}
    return {"documents": documents}


def _documents(connection: libvirt.virConnect, steps: Sequence[tuple[str, str]]) -> Iterator[str]:
    domain: libvirt.virDomain | None = None
    for verb, element in steps:
        if domain is None or verb in ("define", "have"):
            domain = connection.defineXMLFlags(element, 0 if verb == "have" else libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        else:
            {
                "attach": domain.attachDeviceFlags,
                "detach": domain.detachDeviceFlags,
                "update": domain.updateDeviceFlags,
            }[verb](element, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        yield domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)


def library_version() -> tuple[int, int, int]:
    """The version of the libvirt that this process would have alone: (9, 0, 0) (virGetVersion)."""
    number = libvirt.getVersion()
    return number // 1_000_000, number // 1000 % 1000, number % 1000


if __name__ == "__main__":
    json.dump(answer(sys.argv[1], *json.load(sys.stdin)), sys.stdout)
