"""Evacuating a host: its shut-off domains come from the remote of the history, beside defining the same documents."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
from bench.measure import Case
from holdfast import operations
from holdfast.domainxml.document import parse
from holdfast.history.entry import EntryKind, Happened
from holdfast.history.exchange import push
from holdfast.history.remote import Remote
from holdfast.history.repository import HistoryPlace, Repository
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.change_record import kept_document

DOMAINS = 200
SOURCE = "hv9"


def evacuation_cases(
    ours: Connection, bare: libvirt.virConnect, images: Path, domain_xml: Callable[[str, Path], str]
) -> Iterator[Case]:
    """200 domains, none of which is here before or afterwards; nor is a history."""
    assert ours.history_folder is not None
    history, folder = Path(ours.history_folder), images / "evacuation"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    documents = _documents(bare, folder, domain_xml)
    remote = _recorded(documents, folder)
    at_first = folder / "at-first.git"
    shutil.copytree(remote, at_first)

    def begin() -> None:
        for path, was in ((remote, at_first), (history, None)):
            shutil.rmtree(path, ignore_errors=True)
            if was is not None:
                shutil.copytree(was, path)
        history.mkdir(0o700, parents=True)
        end()

    def end() -> None:
        for name in documents:
            try:
                bare.lookupByUUIDString(name).undefine()
            except libvirt.libvirtError:
                continue

    def define() -> None:
        for document in documents.values():
            bare.defineXMLFlags(document, libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
        end()

    def evacuate() -> None:
        done = operations.evacuate(ours, remote=str(remote), source_is_down=SOURCE, accept_host=True)
        assert all(each.error is None for each in done) and len(done) == DOMAINS
        end()

    yield Case("evacuate 200", define, evacuate, 2.0, before=begin)
    shutil.rmtree(history, ignore_errors=True)
    shutil.rmtree(folder)


def _documents(bare: libvirt.virConnect, folder: Path, domain_xml: Callable[[str, Path], str]) -> dict[str, str]:
    """UUID → the document, as libvirt has settled it."""
    found = {}
    for number in range(DOMAINS):
        own = folder / str(number)
        own.mkdir()
        name = f"evacuated-{number:03}"
        text = domain_xml(name, own).replace("<shareable/>", "")
        domain = bare.defineXML(text)
        found[domain.UUIDString()] = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
        domain.undefine()
    return found


def _recorded(documents: dict[str, str], folder: Path) -> Path:
    """A remote that has what the host SOURCE has recorded of them."""
    remote = folder / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", str(remote)], check=True)
    with Repository.made(HistoryPlace(folder / "source.git", shared=False, host=SOURCE)) as source:
        with source.writing():
            for name, document in documents.items():
                domain = parse(document)
                seen = Happened(
                    kind=EntryKind.FIRST_SEEN, name=domain.findtext("name") or "", user="root", command="holdfast"
                )
                source.add(name, kept_document(domain), seen)
        push(source, Remote(str(remote)))
    return remote
