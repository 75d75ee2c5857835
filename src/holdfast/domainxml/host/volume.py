"""The ``<volume>`` and ``<pool>`` documents of a host's storage: asking for a volume, and what a pool holds."""

from __future__ import annotations

from holdfast.domainxml.document import element, parse, serialize, value_at

_FOLDERS = {"dir", "fs", "netfs", "gluster", "vstorage"}
"""Types of pools whose volumes are files, which can have any format; in all others they are plain blocks."""


def new_volume(
    name: str,
    format: str,
    size: int | None,
    backing: str | None = None,
    backing_format: str | None = None,
    *,
    thin: bool = False,
) -> str:
    """The document that asks for a volume ``name``: ``size`` in bytes, None for that of ``backing``.

    ``thin``: it takes room only as it is written to, which libvirt gives a raw file at once otherwise.
    ``backing`` is the path of an image below it, whose format is ``backing_format``.
    """
    volume = element("volume", None, element("name", text=name))
    if size is not None or backing is None:
        volume.append(element("capacity", {"unit": "bytes"}, text=str(size or 0)))
    if thin:
        volume.append(element("allocation", {"unit": "bytes"}, text="0"))
    target = element("target", None, element("format", {"type": format}))
    if format == "qcow2":
        target.append(element("compat", text="1.1"))  # libvirt 9.0 makes version 2 otherwise, without lazy refcounts
    volume.append(target)
    if backing is not None:
        format_below = element("format", {"type": backing_format or "raw"})
        volume.append(element("backingStore", None, element("path", text=backing), format_below))
    return serialize(volume)


def pool_of_files(document: str) -> bool:
    """True when the volumes of the pool of ``document`` are files."""
    return parse(document, "pool").get("type") in _FOLDERS


def pool_folder(document: str) -> str:
    """The folder of the host in which the volumes of the pool of ``document`` appear; empty where they do not."""
    return parse(document, "pool").findtext("target/path") or ""


def volume_format(document: str) -> str | None:
    """The format that libvirt took the volume of ``document`` for when it last looked; None for blocks."""
    return value_at(parse(document, "volume"), "target/format@type")


def backing_of_volume(document: str) -> str | None:
    """What the volume of ``document`` rests on, as libvirt read it from its header; None where on nothing."""
    return value_at(parse(document, "volume"), "backingStore/path")


def folder_pool(name: str, folder: str) -> str:
    """The document of a pool of the files in ``folder``."""
    path = element("path", text=folder)
    return serialize(element("pool", {"type": "dir"}, element("name", text=name), element("target", None, path)))
