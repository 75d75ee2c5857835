"""The risk that stays where libvirt opens an image by its path: that somebody puts another file there."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import host_path
from holdfast.domainxml.host.security import qemu_user
from holdfast.hostfiles.folder import others_who_write
from holdfast.libvirtapi.connection import Connection


def folder_risks(connection: Connection, disks: Iterable[Element]) -> tuple[str, ...]:
    """For each image of ``disks`` whose folder others than root, QEMU's user and this user can write to, a sentence.

    Nothing is known of another host. (virConnectGetCapabilities, where somebody else can)
    """
    paths = [host_path(disk) for disk in disks] if connection.is_local else []
    risks = (_risk(connection, path) for path in dict.fromkeys(paths) if path is not None)
    return tuple(risk for risk in risks if risk is not None)


def _risk(connection: Connection, path: str) -> str | None:
    if others_who_write(path) is None:
        return None
    user = qemu_user(connection.capabilities())
    who = others_who_write(path, () if user is None else (user,))
    if who is None:
        return None
    return f"{who} can write to a folder of {path}, and so give the guest another file of this host in its place"
