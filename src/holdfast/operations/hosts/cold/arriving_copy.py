"""The copy of a domain that is being moved, on the host where it arrives: not that host's until it is released.

It has the mark :class:`.fact.BeingMoved`, so every command there refuses it, from before the first file is made until
the other host has let go of the domain. Whatever is killed, the mark tells what stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from holdfast.domainxml.device import label
from holdfast.domainxml.document import Element, parse
from holdfast.domainxml.fact import BeingMoved, Creating
from holdfast.domainxml.metadata import PREFIX, fact, ours_in, without_fact
from holdfast.domainxml.namespace import URI
from holdfast.domainxml.records.disk_record import left_in_making
from holdfast.errors import NotFound
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition, Domain
from holdfast.operations.hosts.cold.carried import FilePlace, file_place, image_place, remove_there


def arriving_from(target: Connection, uuid: str, host: str) -> BeingMoved | None:
    """The mark of the domain ``uuid`` at ``target``, where it arrives from the host that libvirt tells by ``host``.

    (virDomainGetXMLDesc)
    """
    with suppress(NotFound):
        mark = mark_of(target.find_domain(uuid))
        return mark if mark is not None and mark.uuid == host else None
    return None


def mark_of(domain: Domain) -> BeingMoved | None:
    """The mark of ``domain``; None for one that is its host's own. (virDomainGetXMLDesc)"""
    return fact(parse(domain.xml(Definition.CONFIG)), BeingMoved)


def has_all_files(target: Connection, uuid: str) -> bool:
    """True once all files of the copy that arrives at ``target`` are there. (virDomainGetXMLDesc)"""
    return fact(parse(target.find_domain(uuid).xml(Definition.CONFIG)), Creating) is None


def release(domain: Domain) -> None:
    """Let ``domain`` be its host's own. (virDomainSetMetadata)"""
    ours = ours_in(parse(domain.xml(Definition.CONFIG)))
    mark = mark_of(domain)
    if mark is not None:
        domain.set_metadata(without_fact(ours, mark), PREFIX, URI, Definition.CONFIG)


def take_back(target: Connection, uuid: str) -> None:
    """Remove the copy of the domain ``uuid`` that arrives at ``target``, with all that was made there for it.

    Nothing where there is none. (virStorageVolDelete, virDomainUndefineFlags)
    """
    with suppress(NotFound):
        domain = target.find_domain(uuid)
        document = parse(domain.xml(Definition.CONFIG))
        mark = fact(document, BeingMoved)
        if mark is None or domain.is_active():
            return
        for place in _made(document, mark):
            remove_there(target, place)
        state = mark.state.split(",")
        domain.undefine(keep_nvram="nvram" not in state, keep_tpm="tpm" not in state)


def _made(document: Element, mark: BeingMoved) -> Iterator[FilePlace]:
    if fact(document, Creating) is not None:
        for record in left_in_making(document):
            pool, _, volume = record.place.partition("/")
            yield FilePlace(volume, pool=pool) if pool else file_place(record.place)
        return
    for disk in document.iterfind("devices/disk"):
        if label(disk) in mark.copied.split(",") and (place := image_place(disk)) is not None:
            yield place
