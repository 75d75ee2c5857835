"""Renaming a domain: its name changes and nothing else, neither UUID nor hardware nor the names of its files."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.elements.firmware import libvirt_names_nvram
from holdfast.errors import Refused
from holdfast.errors.changes import HAS_SNAPSHOTS, RENAMED_AND_CHANGED
from holdfast.errors.firmware import NVRAM_BY_NAME
from holdfast.errors.guard import UNASKED_RENAME
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.documents import read_config
from holdfast.operations.domain_name import check_name, refuse_taken, taking_name
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.managed_save import refuse_with_managed_save
from holdfast.operations.results import Result
from holdfast.operations.session import Need, changing


@dataclass(frozen=True, kw_only=True)
class Renamed(Result):
    """A renaming.

    ``before``, ``after``  the names; ``name`` is the new one
    """

    before: str
    after: str


def rename_domain(connection: Connection, name: str, new_name: str, *, dry_run: bool = False) -> Renamed:
    """Give the domain ``name`` the name ``new_name``; it must be shut off, and have no snapshot (virDomainRename).

    Images, NVRAM and TPM state keep their names and places. Raises BAD_NAME and the like, DOMAIN_EXISTS, IN_RESCUE,
    TRANSIENT, RUNNING, MANAGED_SAVE, HAS_SNAPSHOTS (libvirt 9.0 leaves the old name in them), and NVRAM_BY_NAME where
    the NVRAM would not come along; then nothing was changed.
    """
    check_name(new_name)
    with changing(connection, name, needs=Need.OWN_HARDWARE | Need.CONFIG | Need.OFF, dry_run=dry_run) as domain:
        old_name, before = domain.name, read_config(domain, secure=True)
        refuse_taken(connection, new_name)
        refuse_with_managed_save(domain, "libvirt does not rename it")
        if domain.snapshot_count():
            raise HAS_SNAPSHOTS(name=old_name)
        if libvirt_names_nvram(before):
            raise NVRAM_BY_NAME(name=old_name)
        if not dry_run:
            with taking_name(connection, new_name):
                domain.rename(new_name)
            try:
                refuse_unasked(
                    new_name, compare_documents(before, read_config(domain, secure=True)), condition=UNASKED_RENAME
                )
            except Refused as error:
                raise RENAMED_AND_CHANGED(name=old_name, cause=error) from error
        return Renamed(name=new_name, uuid=domain.uuid, dry_run=dry_run, before=old_name, after=new_name)
