"""Suspend to disk: save, restore, discard-save."""

from __future__ import annotations

import click

from holdfast.cli.common import Session, domain_argument, dry_run_option, fresh_options, output_option, pass_session
from holdfast.cli.power.power import report_power


@click.command()
@domain_argument
@dry_run_option
@output_option
@pass_session
def save(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Write the memory of a running domain to disk and stop it; the next start continues from there.

    It comes back with the hardware that it has now, whatever changes in its config document meanwhile.
    """
    from holdfast import operations

    change = operations.save_domain(session.connection, name, dry_run=dry_run)
    report_power(change, output, would="save its memory and stop it", done="saved; the next start continues from here")


@click.command()
@domain_argument
@click.option("--paused", is_flag=True, help="Leave the vCPUs stopped until 'holdfast resume'.")
@fresh_options
@dry_run_option
@output_option
@pass_session
def restore(session: Session, name: str, paused: bool, fresh: list[str], dry_run: bool, output: str) -> None:
    """Continue a saved domain where it was, with the hardware that it was saved with.

    Changes made to its config document since are listed: they come with the cold start after this one. A domain that
    was deleted comes back by 'holdfast history restore'.
    """
    from holdfast import operations

    change = operations.restore_domain(session.connection, name, paused=paused, fresh=fresh, dry_run=dry_run)
    rest = f"from its managed-save image{', paused' if paused else ''}"
    report_power(change, output, would=f"continue {rest}", done=f"continued {rest}")


@click.command("discard-save")
@domain_argument
@dry_run_option
@output_option
@pass_session
def discard_save(session: Session, name: str, dry_run: bool, output: str) -> None:
    """Drop the saved memory of a domain: its next start boots, as after pulling the plug."""
    from holdfast import operations

    change = operations.discard_save(session.connection, name, dry_run=dry_run)
    report_power(change, output, would="drop its saved memory", done="dropped its saved memory; the next start boots")
