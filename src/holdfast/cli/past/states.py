"""``holdfast history copy-state``, ``states``, ``restore-state``: NVRAM and TPM state, kept beside the documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope, print_result
from holdfast.cli.columns import columns
from holdfast.cli.common import (
    ChangingCommand,
    Session,
    domain_argument,
    dry_run_option,
    local_time,
    output_option,
    pass_session,
)
from holdfast.cli.completion import complete_domains
from holdfast.errors.firmware import STATE_NOT_COPIED
from holdfast.text import plural, printable

if TYPE_CHECKING:
    from holdfast.operations import LeftState, StatesCopied

_WORDS = {"nvram": "NVRAM", "tpm": "TPM state"}
_SHOWN = 5
"""Domains that are named in one line."""


@click.command("copy-state", cls=ChangingCommand)
@click.argument("names", metavar="[NAME]…", nargs=-1, shell_complete=complete_domains)
@output_option
@pass_session
def copy_state(session: Session, names: tuple[str, ...], output: str) -> None:
    """Copy NVRAM and TPM state that has changed to the place that is set for it: of the domains named, or of all.

    The NVRAM of a guest that runs is copied, too, and marked so; TPM state only while the domain is off, and only
    encrypted. It changes no domain, and is to be run by a timer. The exit code is 5 where something failed.
    """
    from holdfast import operations

    found = operations.copy_state(session.connection, names)
    if output == "json":
        print_result(found)
    else:
        click.echo("\n".join(_lines(found)))
    failed = [each for each in found.left if each.error is not None]
    if failed and failed[0].error is not None:
        if not found.copied:
            raise failed[0].error
        names = tuple(dict.fromkeys(each.name for each in failed))
        raise STATE_NOT_COPIED(failed=len(names), names=list(names), cause=failed[0].error)


@click.command()
@domain_argument
@output_option
@pass_session
def states(session: Session, name: str, output: str) -> None:
    """List the copies of the NVRAM and TPM state of a domain, the last one first; also of one that was deleted.

    Each has an id for 'holdfast history restore-state'. ENTRY is the entry of its history with the document of then.
    """
    from holdfast import operations

    copies = operations.list_state_copies(session.connection, name)
    if output == "json":
        print_envelope(copies=copies)
    elif copies:
        rows = [
            (
                each.id,
                local_time(each.time),
                _WORDS[each.kind],
                "while it ran" if each.running else "off",
                each.cipher or "no",
                each.entry[:8],
            )
            for each in copies
        ]
        click.echo(columns(("COPY", "TAKEN", "OF", "DOMAIN", "ENCRYPTED", "ENTRY"), rows))
    else:
        click.echo(f"there is no copy of the state of {printable(name)}")


@click.command("restore-state")
@domain_argument
@click.option(
    "--copy", metavar="ID", default="", help="Another copy than the last one, as 'holdfast history states' has it."
)
@click.option(
    "--identity", metavar="FILE", default="", help="The file with age's private key, for copies encrypted with age."
)
@dry_run_option
@output_option
@pass_session
def restore_state(session: Session, name: str, copy: str, identity: str, dry_run: bool, output: str) -> None:
    """Bring back the NVRAM and TPM state that a domain has lost, from its last copies, while it is shut off.

    State that is there is never replaced. A private key of gpg's has to be in the keyring of this user.
    """
    from holdfast import operations

    done = operations.restore_state(session.connection, name, copy=copy, identity=identity, dry_run=dry_run)
    if output == "json":
        print_result(done)
        return
    did = "would bring" if dry_run else "brought"
    for each in done.restored:
        click.echo(f"{printable(done.name)}: {did} back {printable(each.what)}, {each.copy.told}")
    for note in done.notes:
        click.echo(f"note: {printable(note)}")
    if dry_run:
        click.echo("nothing was changed")


def _lines(found: StatesCopied) -> Iterator[str]:
    made = "1 copy" if len(found.copied) == 1 else f"{len(found.copied)} copies"
    yield f"{found.domains} {plural(found.domains, 'domain')} looked at, {made} made"
    for each in found.copied:
        how = ", while it runs" if each.copy.running else ""
        yield f"copied  {printable(each.name)}  {_WORDS[each.copy.kind]}{how}"
    for (kind, why), left in _alike(found.left).items():
        names = ", ".join(printable(each.name) for each in left[:_SHOWN])
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        yield f"left out  {names}{more}  {_WORDS[kind]}: {printable(why)}"


def _alike(left: tuple[LeftState, ...]) -> dict[tuple[str, str], list[LeftState]]:
    found: dict[tuple[str, str], list[LeftState]] = {}
    for each in left:
        found.setdefault((each.kind, each.why), []).append(each)
    return found
