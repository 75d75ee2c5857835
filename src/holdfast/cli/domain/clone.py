"""``holdfast clone``: the same hardware once more, with an identity and images of its own."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session


@click.command()
@domain_argument
@click.argument("new_name", metavar="NEW_NAME")
@click.option("--new-serials", is_flag=True, help="Renew the serials and WWNs of disks too.")
@click.option("--fresh-nvram", is_flag=True, help="Begin with the firmware's variables as its template has them.")
@click.option("--without", multiple=True, metavar="TARGET", help="Leave out this disk (repeatable).")
@click.option("--start", is_flag=True, help="Start the clone.")
@dry_run_option
@output_option
@pass_session
def clone(
    session: Session,
    name: str,
    new_name: str,
    new_serials: bool,
    fresh_nvram: bool,
    without: tuple[str, ...],
    start: bool,
    dry_run: bool,
    output: str,
) -> None:
    """Create a domain with the hardware of another one, which must be shut off, and with copies of its images.

    UUID, MAC addresses and generation id are new, the TPM begins empty; every device has the same place as in the other
    domain. What is read-only, shareable or removable is shared.
    """
    from holdfast import operations

    created = operations.clone_domain(
        session.connection,
        name,
        new_name,
        new_serials=new_serials,
        fresh_nvram=fresh_nvram,
        without=without,
        start=start,
        dry_run=dry_run,
    )
    if output == "json":
        print_result(created)
        return
    uuid = f", UUID {created.uuid}" if created.uuid else ""
    click.echo(f"{created.name}: {'would be' if dry_run else 'is'} cloned from {name}{uuid}")
    for image in created.images:
        click.echo(f"  image {image}")
    for note in created.notes:
        click.echo(f"  {note}")
    if created.started:
        click.echo(f"{created.name}: {'would be ' if dry_run else ''}started")
