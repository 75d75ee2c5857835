"""``holdfast edit``: a domain's config document in the user's editor."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session
from holdfast.errors import HoldfastError

if TYPE_CHECKING:
    from holdfast.operations.domain.edit import Edited
    from holdfast.operations.files import Draft


@click.command()
@domain_argument
@click.option("--accept", is_flag=True, help="Accept what the guest will see of it, without asking.")
@dry_run_option
@output_option
@pass_session
def edit(session: Session, name: str, accept: bool, dry_run: bool, output: str) -> None:
    """Edit the config document of a domain, secrets included, in $VISUAL, $EDITOR or vi.

    What the guest would see of the edit is shown, and you are asked before it is defined; without a terminal such an
    edit needs --accept, and is refused with exit code 3 otherwise. A document with errors can be edited again; a text
    that is not defined is kept, and its path is printed, also by the next edit of the domain. A running guest gets the
    edit at its next start.
    """
    from holdfast.operations.domain.edit import edit_domain, kept_texts, text_to_edit
    from holdfast.operations.files import Draft

    original = text_to_edit(session.connection, name, to_change=not dry_run)
    # What would be refused in the end is refused before the editor opens.
    uuid = edit_domain(session.connection, name, original, original, dry_run=dry_run).uuid
    kept = _tell_kept(session, uuid, original)
    with Draft(name, uuid, _text_to_edit(kept, original)) as draft:
        try:
            edited = _edit(session, name, original, draft, accept, dry_run)
            if edited is None:
                click.echo("nothing was changed")
            elif not edited.dry_run or not edited.edited:
                draft.done()
        except BaseException as error:  # the text is the user's work, whatever went wrong
            _tell_where(draft, error)
            raise
        _tell_where(draft)
    if edited is not None:
        if kept and not edited.dry_run:
            kept_texts(session.connection, uuid, text_to_edit(session.connection, name))
        _report(edited, output)
    draft.prove_removed()


def _tell_kept(session: Session, uuid: str, original: str) -> list[Path]:
    """Name the texts that earlier edits have left on standard error, and return them."""
    from holdfast.operations.domain.edit import kept_texts

    kept = kept_texts(session.connection, uuid, original)
    for folder in kept:
        click.echo(f"note: an earlier edit has left its text, with any secrets in it: {folder}", err=True)
    return kept


def _text_to_edit(kept: list[Path], original: str) -> str:
    """The text that the last of the earlier edits has left, where somebody is there who wants to go on with it."""
    from holdfast.operations.files import text_of_left

    text = text_of_left(kept[-1]) if kept and sys.stdin.isatty() else None
    return text if text is not None and click.confirm("Go on with the last one?", err=True, default=True) else original


def _edit(session: Session, name: str, original: str, draft: Draft, accept: bool, dry_run: bool) -> Edited | None:
    """Rounds in the editor, until what came of one is defined; None where it is not to be."""
    while True:
        try:
            edited = _edit_once(session, name, original, draft, accept, dry_run)
        except HoldfastError as error:
            if not _can_be_mended(session, name, original, error):
                raise
            continue
        if edited is not None or not click.confirm("Edit again?", err=True):
            return edited


def _edit_once(session: Session, name: str, original: str, draft: Draft, accept: bool, dry_run: bool) -> Edited | None:
    """One round in the editor; None when what came of it is not to be defined."""
    from holdfast.operations.domain.edit import edit_domain

    text = draft.edit()
    plan = edit_domain(session.connection, name, original, text, dry_run=True)
    if dry_run or not plan.edited:
        return plan
    if plan.needs_accept and not accept and sys.stdin.isatty():
        click.echo("\n".join(_sentences(plan)), err=True)
        accept = click.confirm("Define it?", err=True)
        if not accept:
            return None
    return edit_domain(session.connection, name, original, text, accept=accept)


def _can_be_mended(session: Session, name: str, original: str, error: HoldfastError) -> bool:
    """True when somebody is there who wants to edit the text again, and the document is still what it was."""
    from holdfast.operations.domain.edit import text_to_edit

    try:
        if not sys.stdin.isatty() or text_to_edit(session.connection, name, to_change=False) != original:
            return False
    except HoldfastError:  # the domain or libvirt has gone: the first error is the one to report
        return False
    click.echo(f"error: {error.message}", err=True)
    return click.confirm("Edit again?", err=True, default=True)


def _tell_where(draft: Draft, error: BaseException | None = None) -> None:
    """Say where the text stays, if it does: with the hint of ``error``, where it is one with a hint."""
    if not draft.is_kept:
        return
    sentence = f"your text is kept, with any secrets in it: {draft.kept_at}"
    if isinstance(error, HoldfastError):
        error.add_note(sentence)
    else:
        click.echo(sentence, err=True)


def _report(edited: Edited, output: str) -> None:
    if output == "json":
        print_result(edited)
        return
    if not edited.edited:
        click.echo(f"{edited.name}: nothing was edited")
        return
    for sentence in _sentences(edited):
        click.echo(sentence)
    if edited.dry_run:
        click.echo("nothing was changed")
    elif edited.at_next_start:
        click.echo(f"{edited.name} is edited; the change takes effect at the next start")
    else:
        click.echo(f"{edited.name} is edited")
    for note in edited.notes:
        click.echo(f"note: {note}")


def _sentences(edited: Edited) -> Iterator[str]:
    seen = [change for change in edited.changes if change.is_visible]
    yield from (f"the guest will see: {change}" for change in seen)
    yield from (str(change) for change in edited.changes if change not in seen)
    yield from (f"it would no longer start: {sentence}" for sentence in edited.blocks)
    if not seen:
        yield "the guest sees no difference"
