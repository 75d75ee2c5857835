"""``<volume>`` and ``<pool>`` documents of libvirt's storage: a new volume, and what a pool is."""

from __future__ import annotations

from holdfast.domainxml.document import element, parse, serialize

_FOLDERS = {"dir", "fs", "netfs", "gluster", "vstorage"}
"""Pools whose volumes are files, which can have any format; the volumes of all others are plain blocks."""


def new_volume(
    name: str, format: str, size: int | None, backing: str | None = None, backing_format: str | None = None
) -> str:
    """The document of a volume to be created: ``size`` in bytes (None: as large as ``backing``)."""
    volume = element("volume", None, element("name", text=name))
    volume.append(element("capacity", {"unit": "bytes"}, text=str(size or 0)))
    if size is None and backing is not None:
        volume.remove(volume[-1])
    target = element("target", None, element("format", {"type": format}))
    if format == "qcow2":
        target.append(element("compat", text="1.1"))  # libvirt 9.0 makes version 2 otherwise, without lazy refcounts
    volume.append(target)
    if backing is not None:
        backing_format = backing_format or "raw"
        volume.append(
            element(
                "backingStore",
                None,
                element("path", text=backing),
                element("format", {"type": backing_format}),
            )
        )
    return serialize(volume)


def pool_of_files(document: str) -> bool:
    """True when the volumes of the pool that ``document`` describes are files."""
    return parse(document, "pool").get("type") in _FOLDERS


def pool_folder(document: str) -> str:
    """Where the volumes of a pool appear on its host; empty where they do not."""
    return parse(document, "pool").findtext("target/path") or ""


def volume_format(document: str) -> str | None:
    """The format libvirt took a volume for, when it last looked; None for blocks."""
    found = parse(document, "volume").find("target/format")
    return None if found is None else found.get("type")
