"""libvirt's own verdict on two documents, asked in a millisecond and without a QEMU.

A snapshot's metadata is redefined with one document inside and then with another: libvirt refuses the second when its
ABI stability check fails (FACTS: it stops at the first difference, and judges name and UUID too). Some documents crash
libvirt 9.0's driver, so this runs as a program of its own: ``python -m tests.libvirt.abi_judge``. Each line it reads
is a document as JSON; it answers all but the first with "stable", "unstable" or "invalid", and libvirt's reason.
"""

from __future__ import annotations

import json
import sys

import holdfast
import libvirt
from holdfast.libvirtapi.domain import Definition
from holdfast_lab.embedded import embedded_root, embedded_uri

_SNAPSHOT = "<domainsnapshot><name>judge</name><creationTime>1</creationTime><state>shutoff</state>{}</domainsnapshot>"
_REDEFINE = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE


def main() -> None:
    """Answer line by line until the input ends."""
    with embedded_root() as root, holdfast.connect(embedded_uri(root)) as connection:
        domain = connection.define(json.loads(sys.stdin.readline()))
        before = domain.xml(Definition.CONFIG)
        for line in sys.stdin:
            print(json.dumps(_judge(domain._handle, before, json.loads(line))), flush=True)


def _judge(domain: libvirt.virDomain, before: str, after: str) -> tuple[str, str]:
    domain.snapshotCreateXML(_SNAPSHOT.format(before), _REDEFINE)
    try:
        domain.snapshotCreateXML(_SNAPSHOT.format(after), _REDEFINE)
    except libvirt.libvirtError as error:
        unstable = error.get_error_code() == libvirt.VIR_ERR_CONFIG_UNSUPPORTED and "match" in str(error)
        return "unstable" if unstable else "invalid", str(error.get_error_message())
    return "stable", ""


if __name__ == "__main__":
    main()
