"""A domain that another host has, which is down: here nothing is known of it but what the remote says."""

from __future__ import annotations

import shutil
from pathlib import Path

import libvirt
from holdfast.history.claims import Claims
from holdfast.history.entry import EntryKind, Happened, KeptDocument
from holdfast.history.exchange import push
from holdfast.history.remote import Remote
from holdfast.history.repository import HistoryPlace, Repository

HOST = "hv9"


def be_on_hv9(connection: libvirt.virConnect, name: str, history: Path, remote: Path) -> None:
    """Let the domain ``name`` be one that HOST has, whose ``history`` was pushed to ``remote``."""
    domain = connection.lookupByName(name)
    document, uuid = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE), domain.UUIDString()
    domain.undefine()
    with Repository.made(HistoryPlace(history, shared=False, host=HOST)) as repository:
        with repository.writing():
            seen = Happened(kind=EntryKind.FIRST_SEEN, name=name, user="root", command="holdfast history record")
            repository.add(uuid, KeptDocument(document), seen)
        push(repository, Remote(str(remote)))
    shutil.rmtree(history)
    assert not Claims(str(remote)).move([uuid], "", HOST, "root")
