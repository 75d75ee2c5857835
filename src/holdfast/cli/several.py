"""What the commands share that take several domains, or all: one that fails does not hold up the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

import click

from holdfast.errors import HoldfastError, NotFound

if TYPE_CHECKING:
    from holdfast.operations.connect import Connection

Done = TypeVar("Done")


@dataclass
class Several(Generic[Done]):
    """What came of each: results, errors, and sentences on those that vanished since all were listed."""

    done: list[Done] = field(default_factory=list)
    failed: list[HoldfastError] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there were."""
        return len(self.done) + len(self.failed)

    def refuse_if_none(self, *, dry_run: bool) -> None:
        """Raise the first error, with all others, where nothing is done, and in a dry run in any case."""
        if self.failed and (dry_run or not self.done):
            for another in self.failed[1:]:
                self.failed[0].add_note(f"besides: {another.message}")
            raise self.failed[0]


def for_each(connection: Connection, names: Sequence[str], verb: Callable[[str], Done]) -> Several[Done]:
    """Call ``verb`` for each of ``names``, or where there are none for each domain, by its UUID."""
    from holdfast import operations

    listed = [] if names else operations.list_domains(connection)
    found = Several[Done]()
    for name, wanted in [(domain.name, domain.uuid) for domain in listed] or zip(names, names, strict=True):
        try:
            found.done.append(verb(wanted))
        except HoldfastError as error:
            if not names and isinstance(error, NotFound):
                found.gone.append(f"the domain {name!r} is gone: it was deleted since the domains were listed")
            else:
                found.failed.append(error)
    return found


def refuse_names_beside_all(names: Sequence[str], *, is_all: bool) -> None:
    """Raise click's usage error unless either domains are named or all are meant."""
    if is_all == bool(names):
        raise click.UsageError("name domains, or give --all")
