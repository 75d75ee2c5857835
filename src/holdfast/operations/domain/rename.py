"""Renaming a domain: its name changes and nothing else, neither UUID nor hardware nor the names of its files."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.guest_view import compare_documents
from holdfast.domainxml.document import parse
from holdfast.errors import Failed, PartlyDone, Refused
from holdfast.errors.guard import UNASKED_RENAME
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.domain_name import check_name, refuse_taken
from holdfast.operations.guard import refuse_unasked
from holdfast.operations.session import changing


@dataclass(frozen=True)
class Renamed:
    """A domain that was renamed, or with ``dry_run`` would be."""

    uuid: str
    before: str
    after: str
    dry_run: bool


def rename_domain(connection: Connection, name: str, new_name: str, *, dry_run: bool = False) -> Renamed:
    """Give the domain ``name`` the name ``new_name``; it must be shut off, and have no snapshot (virDomainRename).

    Images, NVRAM and TPM state keep their names and places. Raises UsageError for a name that cannot be one, Refused
    when it is taken or the domain runs, has snapshots (libvirt 9.0 leaves the old name in them) or saved memory, and
    NotFound; then nothing was changed.
    """
    check_name(new_name)
    with changing(connection, name, dry_run=dry_run) as domain:
        old_name = domain.name
        if connection.readonly and not dry_run:
            raise Failed("a read-only connection cannot rename a domain", "connect without --readonly")
        refuse_taken(connection, new_name)
        if domain.is_active():
            raise Refused(
                f"the domain {old_name!r} is running, and libvirt renames only what is shut off",
                f"'holdfast shutdown {old_name}' first",
            )
        if domain.has_managed_save():
            raise Refused(
                f"the domain {old_name!r} has saved memory: libvirt does not rename it",
                f"'holdfast start {old_name}' and shut it down, or drop the saved memory",
            )
        if domain.snapshot_count():
            raise Refused(f"the domain {old_name!r} has snapshots, whose documents keep its name", "delete them first")
        before = parse(domain.xml(Definition.CONFIG))
        if not dry_run:
            domain.rename(new_name)
            changes = compare_documents(before, parse(domain.xml(Definition.CONFIG)))
            try:
                refuse_unasked(new_name, changes, condition=UNASKED_RENAME)
            except Refused as error:
                raise PartlyDone(f"{old_name!r} is renamed; {error.message}", error.hint) from error
        return Renamed(domain.uuid, old_name, new_name, dry_run)
