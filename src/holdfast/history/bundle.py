"""The line of one domain in a file: a git bundle (gitformat-bundle(5), version 2), which every git reads.

dulwich's own calls for bundles and packs differ between 0.21 and 1.2, and inflate whatever a pack holds: here no object
is larger than what a history has, and none is made of others (deltas), so a file can take no more memory than it says.
"""

from __future__ import annotations

import hashlib
import re
import struct
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from holdfast.errors.history import NOT_A_BUNDLE
from holdfast.history.exchange import Taken, take_line
from holdfast.history.line import commits_from
from holdfast.history.repository import Repository

if TYPE_CHECKING:
    from dulwich.objects import ObjectID, ShaFile

_MARK = b"# v2 git bundle\n"
_LINE = re.compile(rb"([0-9a-f]{40}) refs/domains/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")
_PACK = struct.Struct(">4sII")
_SUM = 20
"""Bytes of the checksum at the end of a pack (SHA-1)."""
_KINDS = (1, 2, 3)
"""Commit, tree, blob; a delta is another."""
_PIECE = 1 << 16
_MOST = 64 << 20
"""Bytes of one object, as :mod:`.store` takes them."""
_MOST_OF_ALL = 1 << 30


def bundle_of(repository: Repository, uuid: str) -> bytes | None:
    """The line of the domain ``uuid`` as a bundle; None where it has none."""
    tip = repository.tip(uuid)
    if tip is None:
        return None
    with repository.told_as_unusable():
        packed = [_packed(each) for each in _objects(repository, tip)]
    pack = b"".join([_PACK.pack(b"PACK", 2, len(packed)), *packed])
    header = _MARK + tip + b" refs/domains/" + uuid.encode() + b"\n\n"
    return header + pack + hashlib.sha1(pack).digest()


def take_bundle(repository: Repository, uuid: str, bundle: bytes) -> Taken:
    """Join the line that ``bundle`` has of the domain ``uuid`` to that of the same domain here, as a pull does.

    Raises NOT_A_BUNDLE, and what is wrong with the history.
    """
    try:
        tip, pack = _header(bundle, uuid)
        with repository.writing():
            for each in _unpacked(pack):
                if each.id not in repository.objects:
                    repository.write(each)
        if tip not in repository.objects:
            raise ValueError("what it is about is not in it")
    except (ValueError, struct.error, zlib.error, IndexError) as error:
        raise NOT_A_BUNDLE(reason=error) from error
    taken = Taken()
    take_line(repository, uuid, tip, taken)
    return taken


def _objects(repository: Repository, tip: ObjectID) -> Iterator[ShaFile]:
    known = set[bytes]()
    for commit in commits_from(repository.commit, [tip]):
        yield commit
        if commit.tree not in known:
            known.add(commit.tree)
            tree = repository.objects[commit.tree]
            yield tree
            for _, _, blob in tree.items():  # type: ignore[attr-defined]
                if blob not in known:
                    known.add(blob)
                    yield repository.objects[blob]


def _packed(each: ShaFile) -> bytes:
    """One object of a pack (gitformat-pack(5)): its kind and size, seven bits a byte after the first four."""
    data = each.as_raw_string()
    size, bits = len(data), each.type_num << 4 | len(data) & 15
    size >>= 4
    head = bytearray()
    while size:
        head.append(bits | 128)
        size, bits = size >> 7, size & 127
    head.append(bits)
    return bytes(head) + zlib.compress(data)


def _header(bundle: bytes, uuid: str) -> tuple[ObjectID, memoryview]:
    head, end, _ = bundle.partition(b"\n\n")
    mark, _, line = head.partition(b"\n")
    found = _LINE.fullmatch(line)
    if not end or mark + b"\n" != _MARK or found is None or found[2].decode() != uuid:
        raise ValueError("it is not that of this domain")
    return cast("ObjectID", found[1]), memoryview(bundle)[len(head) + len(end) :]


def _unpacked(pack: memoryview) -> Iterator[ShaFile]:
    from dulwich.objects import ShaFile

    mark, version, count = _PACK.unpack_from(pack)
    if mark != b"PACK" or version != 2:
        raise ValueError("it has no pack that is known")
    if hashlib.sha1(pack[:-_SUM]).digest() != bytes(pack[-_SUM:]):
        raise ValueError("its pack does not have its checksum")
    pack, at, so_far = pack[:-_SUM], _PACK.size, 0
    for _ in range(count):
        kind, size, at = _kind_and_size(pack, at)
        so_far += size
        if kind not in _KINDS or size > _MOST or so_far > _MOST_OF_ALL:
            raise ValueError("its pack has what no history has")
        data, at = _inflated(pack, at, size)
        yield ShaFile.from_raw_string(kind, data)


def _inflated(pack: memoryview, at: int, size: int) -> tuple[bytes, int]:
    """The ``size`` bytes that are packed from ``at`` on, and where they end."""
    inflating, data = zlib.decompressobj(), bytearray()
    while not inflating.eof and at < len(pack):
        piece = pack[at : at + _PIECE]
        data += inflating.decompress(piece, size + 1 - len(data))
        at += len(piece) - len(inflating.unused_data) - len(inflating.unconsumed_tail)
        if len(data) > size:
            break
    if len(data) != size or not inflating.eof:
        raise ValueError("an object of its pack is of another size than it says")
    return bytes(data), at


def _kind_and_size(pack: memoryview, at: int) -> tuple[int, int, int]:
    byte, shift = pack[at], 4
    kind, size = byte >> 4 & 7, byte & 15
    while byte & 128:
        at += 1
        byte = pack[at]
        size |= (byte & 127) << shift
        shift += 7
        if shift > 40:
            raise ValueError("an object of its pack is larger than anything")
    return kind, size, at + 1
