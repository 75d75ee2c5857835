"""The cold half of a migration: a domain that is shut off goes to another host with all that it has."""

from __future__ import annotations

from holdfast.errors.domains import NOT_RUNNING
from holdfast.operations.hosts.destination import DestinationHost
from holdfast.operations.hosts.moving import Migrated, MoveOptions, MoveProgress
from holdfast.operations.session import OpenDomain


def move_cold(
    domain: OpenDomain,
    destination: DestinationHost,
    options: MoveOptions,
    progress: MoveProgress | None,
    dry_run: bool,
) -> Migrated:
    """Move ``domain``, which is shut off and locked. Raises NOT_RUNNING."""
    raise NOT_RUNNING(name=domain.name)
