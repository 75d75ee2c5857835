"""``holdfast delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session

if TYPE_CHECKING:
    from holdfast.operations import ImageFate


@click.command()
@domain_argument
@click.option("--storage", is_flag=True, help="Also remove the images that only this domain uses.")
@click.option("--force", is_flag=True, help="Also while it is running: it is switched off first.")
@dry_run_option
@output_option
@pass_session
def delete(session: Session, name: str, storage: bool, force: bool, dry_run: bool, output: str) -> None:
    """Delete a domain: its document, NVRAM, TPM state, managed-save image and the list of its snapshots.

    NVRAM or TPM state that another domain also uses stays.

    Images stay unless --storage is given. That removes the files behind its writable disks that no other domain uses,
    not even as a backing file; never CD images, backing files, block devices or network disks. Exit code 5 when it
    stopped half-way: repeat it.
    """
    from holdfast.operations.domain.delete import delete_domain

    deletion = delete_domain(session.connection, name, storage=storage, force=force, dry_run=dry_run)
    if output == "json":
        print_result(deletion)
        return
    rest = f", with {', '.join(deletion.state)}" if deletion.state else ""
    off = "switched off and " if deletion.switched_off else ""
    click.echo(f"{deletion.name}: {'would be ' if dry_run else ''}{off}deleted{rest}")
    for image in deletion.images:
        click.echo(f"  {image.target}: {image.source}: {_fate(image, dry_run)}")
    for note in deletion.notes:
        click.echo(f"note: {note}")


def _fate(image: ImageFate, dry_run: bool) -> str:
    if image.kept:
        return f"kept ({image.kept})"
    if image.gone:
        return "gone already"
    return "would be removed" if dry_run else "removed"
