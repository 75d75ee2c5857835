"""libvirt's own verdict on two documents, asked in a millisecond and without a QEMU.

A snapshot's metadata is redefined with one document inside and then with another: libvirt refuses the second when its
ABI stability check fails (it stops at the first difference, and judges name and UUID too). Some documents crash libvirt
9.0's driver, so this runs as a program of its own: ``python -m tests.libvirt.compare.abi_judge``.
Each line it reads is a JSON object: ``{"before": DOCUMENT}`` is what the next ones are compared with, and answered by
the document as libvirt prints it, or null where libvirt does not take it; ``{"after": DOCUMENT}`` is answered by
"stable", "unstable" or "invalid", with libvirt's reason.
"""

from __future__ import annotations

import json
import sys

import holdfast
import libvirt
from holdfast.errors import HoldfastError
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast_lab.embedded import embedded_root, embedded_uri

_SNAPSHOT = "<domainsnapshot><name>judge</name><creationTime>1</creationTime><state>shutoff</state>{}</domainsnapshot>"
_REDEFINE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE


def main() -> None:
    """Answer line by line until the input ends."""
    with embedded_root() as root, holdfast.connect(embedded_uri(root)) as connection:
        domain, before = None, ""
        for line in sys.stdin:
            question = json.loads(line)
            if "before" in question:
                if domain is not None:
                    domain.undefine()
                domain = _define(connection, question["before"])
                before = domain.xml(Definition.CONFIG) if domain is not None else ""
                if domain is not None:
                    domain._handle.snapshotCreateXML(_SNAPSHOT.format(before), _REDEFINE)
                answer: object = before or None
            else:
                answer = _judge(domain._handle, before, question["after"]) if domain is not None else None
            print(json.dumps(answer), flush=True)


def _define(connection: Connection, document: str) -> Domain | None:
    try:
        return connection.define(document)
    except HoldfastError:
        return None


def _judge(domain: libvirt.virDomain, before: str, after: str) -> tuple[str, str]:
    """What is refused leaves the snapshot as it was; a stable document is replaced by the first again."""
    try:
        domain.snapshotCreateXML(_SNAPSHOT.format(after), _REDEFINE)
    except libvirt.libvirtError as error:
        unstable = error.get_error_code() == libvirt.VIR_ERR_CONFIG_UNSUPPORTED and "match" in str(error)
        return "unstable" if unstable else "invalid", str(error.get_error_message())
    domain.snapshotCreateXML(_SNAPSHOT.format(before), _REDEFINE)
    return "stable", ""


if __name__ == "__main__":
    main()
