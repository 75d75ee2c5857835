"""By what name and UUID libvirt has a domain that arrives, where both are not to be those that it had.

Its guest sees nothing of that.
"""

from __future__ import annotations

import uuid as uuids

from holdfast.domainxml.document import Element, child, value_at
from holdfast.domainxml.elements.firmware import nvram_of, set_nvram
from holdfast.domainxml.make.identifiers import keep_seen_uuid
from holdfast.domainxml.versions import dotted
from holdfast.errors.hosts import NO_HWUUID
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_versions
from holdfast.operations.own_state import folders_of

HWUUID = (11, 7, 0)
"""The first libvirt with ``<hwuuid>``: the UUID that the guest sees, apart from libvirt's own."""


def call_otherwise(
    connection: Connection, domain: Element, name: str | None, *, new_uuid: bool, bringing_nvram: bool
) -> None:
    """Let ``domain`` have the ``name``, and with ``new_uuid`` another UUID, of which its guest sees nothing.

    An NVRAM that it brings, in libvirt's own folder, is called after the new ones. Raises NO_HWUUID.
    (virConnectGetLibVersion)
    """
    old = [value_at(domain, "name") or "", value_at(domain, "uuid") or ""]
    if name is not None:
        child(domain, "name").text = name
    if new_uuid:
        libvirt = host_versions(connection).libvirt
        if libvirt is None or libvirt < HWUUID:
            raise NO_HWUUID(libvirt=dotted(libvirt) or "of an unknown version")
        keep_seen_uuid(domain)
        child(domain, "uuid").text = str(uuids.uuid4())
    folders, nvram = folders_of(connection), nvram_of(domain)
    if nvram is None or folders is None or not bringing_nvram:
        return
    folder, _, file = nvram.rpartition("/")
    if folder == folders.nvram:
        for before, after in zip(old, [value_at(domain, "name") or "", value_at(domain, "uuid") or ""], strict=True):
            if before and file.startswith(f"{before}_"):
                set_nvram(domain, f"{folder}/{after}{file.removeprefix(before)}")
