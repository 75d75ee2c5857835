"""``holdfast rename``: another name, and nothing else."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session


@click.command()
@domain_argument
@click.argument("new_name", metavar="NEW_NAME")
@dry_run_option
@output_option
@pass_session
def rename(session: Session, name: str, new_name: str, dry_run: bool, output: str) -> None:
    """Rename a domain that is shut off. UUID, hardware, images and NVRAM stay as they are, by name and place."""
    from holdfast import operations

    renamed = operations.rename_domain(session.connection, name, new_name, dry_run=dry_run)
    if output == "json":
        print_result(renamed)
    else:
        click.echo(f"{renamed.before}: {'would be' if dry_run else 'is'} renamed to {renamed.after}")
