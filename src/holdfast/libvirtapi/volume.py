"""A storage volume of a pool, found by its path or its name. Strings in, strings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import libvirt
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.translate import code_of, translated

_NO_VOLUME = {
    libvirt.VIR_ERR_NO_STORAGE_VOL,
    libvirt.VIR_ERR_NO_STORAGE_POOL,
    libvirt.VIR_ERR_OPERATION_INVALID,  # the pool is not active
    libvirt.VIR_ERR_NO_SUPPORT,  # qemu:///embed has no storage driver
}


_CHUNK = 256 * 1024
"""Bytes of a stream that go in one message of libvirt's protocol, or in two."""

_HANGS_ON_HOLES = range(9_001_000, 11_003_000)
"""Versions, as numbers. 10.0 reads nothing more from a connection that has sent it some holes; 9.0 and 11.3 do."""


Progress = Callable[[int, int], object]
"""Called with how many bytes of how many are copied or written."""


class Volume:
    """A volume of an active pool. ``path`` is where it is on its host."""

    def __init__(self, handle: libvirt.virStorageVol) -> None:
        self._handle = handle
        self.path = handle.path()

    @translated
    def in_pool(self) -> str:
        """POOL/VOLUME (virStoragePoolLookupByVolume)."""
        return f"{self._handle.storagePoolLookupByVolume().name()}/{self._handle.name()}"

    @translated
    def kind(self) -> str:
        """What a disk of it is: "file", "block", or "volume" where only libvirt can reach it (virStorageVolGetInfo)."""
        kinds = {libvirt.VIR_STORAGE_VOL_FILE: "file", libvirt.VIR_STORAGE_VOL_BLOCK: "block"}
        return kinds.get(self._handle.info()[0], "volume")

    @translated
    def pool_name(self) -> str:
        """The name of the pool that it is in (virStoragePoolLookupByVolume)."""
        return self._handle.storagePoolLookupByVolume().name()

    @translated
    def xml(self) -> str:
        """Its document (virStorageVolGetXMLDesc)."""
        return self._handle.XMLDesc(0)

    @translated
    def capacity(self) -> int:
        """Its size in bytes, as a guest has it (virStorageVolGetInfo)."""
        return self._handle.info()[1]

    @translated
    def resize(self, size: int) -> None:
        """Make it ``size`` bytes large; libvirt refuses to make it smaller (virStorageVolResize)."""
        self._handle.resize(size, 0)

    @translated
    def read(self, offset: int, size: int) -> bytes:
        """``size`` bytes of what it is on its host, header and all, from ``offset`` on; fewer at its end.

        (virStorageVolDownload)
        """
        stream = self._handle.connect().newStream(0)
        try:
            self._handle.download(stream, offset, size, 0)
            parts = []
            while part := stream.recv(_CHUNK):
                assert isinstance(part, bytes)  # -2 comes of streams that do not wait
                parts.append(part)
            stream.finish()
        except BaseException:
            _abort(stream)
            raise
        return b"".join(parts)

    def pieces(self) -> Iterator[bytes]:
        """All that it is on its host, header and all, in pieces (virStorageVolDownload)."""
        stream = self._download()
        try:
            while part := _received(stream):
                yield part
            _finish(stream)
        except BaseException:
            _abort(stream)
            raise

    @translated
    def _download(self) -> libvirt.virStream:
        stream = self._handle.connect().newStream(0)
        self._handle.download(stream, 0, 0, 0)
        return stream

    @translated
    def bytes_there(self) -> int:
        """The bytes that it is on its host, holes included (virStorageVolGetInfoFlags)."""
        return self._handle.infoFlags(libvirt.VIR_STORAGE_VOL_GET_PHYSICAL)[2]

    @translated
    def write(
        self, chunks: Iterator[bytes], size: int, progress: Progress | None = None, *, thin: bool = False
    ) -> None:
        """Write ``chunks``, of ``size`` bytes in all, over what it is on its host; ``thin``: with holes for zeros.

        A libvirt that hangs on holes is sent the zeros. (virStorageVolUpload)
        """
        done = 0
        connection = self._handle.connect()
        thin = thin and connection.getLibVersion() not in _HANGS_ON_HOLES
        stream = connection.newStream(0)
        try:
            self._handle.upload(stream, 0, size, libvirt.VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM if thin else 0)
            for chunk in chunks:
                rest = memoryview(chunk)
                if thin and chunk.count(0) == len(chunk):
                    stream.sendHole(len(chunk))
                    rest = rest[:0]
                while rest:
                    rest = rest[stream.send(bytes(rest[:_CHUNK])) :]
                done += len(chunk)
                if progress is not None:
                    progress(done, size)
            stream.finish()
        except BaseException:
            _abort(stream)
            raise

    @translated
    def delete(self) -> None:
        """Remove the volume from its pool, with its data (virStorageVolDelete)."""
        self._handle.delete(0)


@translated
def volume_at(connection: Connection, path: str) -> Volume | None:
    """The volume with this path; None when no active pool has it (virStorageVolLookupByPath)."""
    return _found(lambda: connection._handle.storageVolLookupByPath(path))


@translated
def volume_named(connection: Connection, pool: str, volume: str) -> Volume | None:
    """The volume of this name in an active pool; None when there is none.

    (virStoragePoolLookupByName, virStorageVolLookupByName)
    """
    return _found(lambda: connection._handle.storagePoolLookupByName(pool).storageVolLookupByName(volume))


@translated
def _received(stream: libvirt.virStream) -> bytes:
    part = stream.recv(_CHUNK)
    assert isinstance(part, bytes)  # -2 comes of streams that do not wait
    return part


@translated
def _finish(stream: libvirt.virStream) -> None:
    stream.finish()


def _abort(stream: libvirt.virStream) -> None:
    with suppress(libvirt.libvirtError):
        stream.abort()


def _found(lookup: Callable[[], libvirt.virStorageVol]) -> Volume | None:
    try:
        return Volume(lookup())
    except libvirt.libvirtError as error:
        if code_of(error) in _NO_VOLUME:
            return None
        raise
