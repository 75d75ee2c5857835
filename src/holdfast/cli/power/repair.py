"""``holdfast repair``: what the host provides to a domain is mended, and the domain started."""

from __future__ import annotations

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session


def parse_source(text: str) -> tuple[str, str]:
    """Read "vda=/images/a.qcow2", "vda=POOL/NAME" or "vda=nbd://host/export". Raises click.BadParameter."""
    target, _, place = text.partition("=")
    if not target or "/" not in place:
        raise click.BadParameter(f"{text!r} does not say which disk is where: vda=/images/a.qcow2, vda=POOL/NAME")
    return target, place


@click.command()
@domain_argument
@click.option(
    "--source",
    "sources",
    type=parse_source,
    multiple=True,
    metavar="TARGET=PLACE",
    help="Where the image of this disk is now: a path, POOL/VOLUME or URL (repeatable).",
)
@click.option("--no-start", is_flag=True, help="Only mend; do not start the domain.")
@dry_run_option
@output_option
@pass_session
def repair(
    session: Session, name: str, sources: tuple[tuple[str, str], ...], no_start: bool, dry_run: bool, output: str
) -> None:
    """Mend what the host provides to a domain, and start it. Its hardware is never touched.

    Networks and storage pools are started, moved images found by the volume recorded for the disk, permissions of
    images mended, a missing emulator replaced. What cannot be mended is reported. Exit code 1 when nothing could be
    done, 5 when something was and something remains.
    """
    from holdfast import operations

    repaired = operations.repair_domain(
        session.connection, name, sources=dict(sources), start=not no_start, dry_run=dry_run
    )
    if output == "json":
        print_result(repaired)
        return
    for sentence in repaired.mended:
        click.echo(f"{repaired.name}: {'would be mended' if dry_run else 'mended'}: {sentence}")
    for sentence in repaired.remains:
        click.echo(f"{repaired.name}: cannot be mended: {sentence}")
    if not (repaired.mended or repaired.remains):
        click.echo(f"{repaired.name}: nothing was found to mend")
    if repaired.started:
        click.echo(f"{repaired.name}: {'would be ' if dry_run else ''}started")
    for sentence in repaired.sees:
        click.echo(f"  the guest sees: {sentence}")
    for note in repaired.notes:
        click.echo(f"note: {note}")
