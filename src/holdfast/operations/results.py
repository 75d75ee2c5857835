"""What every operation returns: one frozen value that says what was done, or in a dry run what would be.

A word means one thing in all of them; what an operation has to say besides is in fields that its own class adds. Of
those ``before`` is what was, and ``after`` what the operation leaves, also in a dry run; ``switched_off`` is True where
the guest ran and has to be switched off for it.
"""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.compare.change import Change


@dataclass(frozen=True, kw_only=True)
class Result:
    """What an operation did to one domain.

    ``name``, ``uuid``  the domain's, as they are afterwards
    ``dry_run``         True where nothing was done: everything else says what would be; ``after`` and ``started`` too
    ``changes``         what the guest sees differ, now or, as far as it is among ``waits``, later
    ``waits``           what the guest has only after a next cold start, in sentences
    ``notes``           what else is worth knowing, in sentences
    ``asked_of_libvirt``  in a dry run: True where libvirt itself said what would be, False where it is our judgement
                        alone (a note says why); None where there was nothing to ask
    """

    name: str
    uuid: str
    dry_run: bool = False
    changes: tuple[Change, ...] = ()
    waits: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    asked_of_libvirt: bool | None = None
