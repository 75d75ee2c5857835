"""The risk that stays where libvirt opens an image by its path: that somebody puts another file there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.disk import host_path, stated_format
from holdfast.domainxml.host.security import qemu_user
from holdfast.errors import Failed
from holdfast.hostfiles.folder import others_who_write
from holdfast.hostfiles.images.chain import files_below
from holdfast.hostfiles.images.header import can_name_files
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.image_access import by_pool


def folder_risks(
    connection: Connection, disks: Iterable[Element], others: Iterable[str | None] = ()
) -> tuple[str, ...]:
    """A sentence for each image of ``disks``, and for what it rests on, to whose folder others than root, QEMU's user
    and this user can write; also for ``others``: what a new image is to rest on, or a file that libvirt is to make.

    Nothing is known of another host. (virConnectGetCapabilities, where somebody else can)
    """
    if not connection.is_local:
        return ()
    paths = [path for disk in disks for path in _paths(connection, disk)]
    risks = (_risk(connection, path) for path in dict.fromkeys([*paths, *others]) if path is not None)
    return tuple(risk for risk in risks if risk is not None)


def _paths(connection: Connection, disk: Element) -> Iterator[str]:
    path = host_path(disk)
    if path is None:
        return
    yield path
    if can_name_files(stated_format(disk)):
        with contextlib.suppress(Failed):
            yield from files_below(path, otherwise=by_pool(connection))


def _risk(connection: Connection, path: str) -> str | None:
    if others_who_write(path) is None:
        return None
    user = qemu_user(connection.capabilities())
    who = others_who_write(path, () if user is None else (user,))
    if who is None:
        return None
    return f"{who} can write to a folder of {path}, and so give the guest another file of this host in its place"
