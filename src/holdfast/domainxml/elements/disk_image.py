"""Which image a ``<disk>`` has, told from any other: by what keeps its name, whichever host it is on."""

from __future__ import annotations

import re

from holdfast.domainxml.address import read_pci
from holdfast.domainxml.document import Element, element

_OF_A_CLUSTER = ("rbd", "gluster", "sheepdog", "vxhs")
"""Protocols by which each of several servers has the same images."""

_PORTS = {
    "nbd": "10809",
    "iscsi": "3260",
    "http": "80",
    "https": "443",
    "ftp": "21",
    "ftps": "990",
    "tftp": "69",
    "ssh": "22",
    "nfs": "2049",
}
"""The ports that libvirt fills in, some of them in live only (virStorageSourceNetworkDefaultPort, 9.0)."""

_NUMBERED = re.compile(r"/dev/([shv]d[a-z]+|(sr|nvme|dm-|nbd|rbd|loop|md|zd|bcache|drbd|mapper/mpath|vhost-)\w*)\d*\Z")
"""Devices that a host numbers as it finds them; those of LVM, and the names in /dev/disk, stay."""


def image_of(disk: Element) -> str | None:
    """The image of ``disk`` in a word that stays the same and that no other image has; None where nothing tells.

    So it is for an empty drive, and for a block device that the host may name otherwise after its next boot.
    """
    source = disk.find("source")
    if source is None:
        return None
    protocol = source.get("protocol")
    if protocol is not None:
        servers = [] if protocol in _OF_A_CLUSTER else [_server(protocol, host) for host in source.iterfind("host")]
        return "\n".join([protocol, source.get("name", ""), *sorted(servers)])
    address = source.find("address")
    if disk.get("type") == "nvme" and address is not None:
        place = read_pci(element("address", {**{str(k): str(v) for k, v in address.items()}, "type": "pci"}))
        return f"nvme {place} {source.get('namespace')}"
    if source.get("pool") is not None:
        return f"{source.get('pool')}\n{source.get('volume')}"
    path = next(filter(None, map(source.get, ("file", "dev", "dir", "path"))), None)
    return None if path is None or _NUMBERED.match(path) else path


def _server(protocol: str, host: Element) -> str:
    if host.get("transport") == "unix":
        return host.get("socket", "")
    return f"{host.get('name')}:{host.get('port') or _PORTS.get(protocol)}"
