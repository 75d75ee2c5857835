"""``holdfast resume-host``: what was running before the host went down runs again."""

from __future__ import annotations

import sys

import click

from holdfast.cli.as_json import print_envelope
from holdfast.cli.common import Session, dry_run_option, output_option, pass_session
from holdfast.errors.power import HOST_RESUMED_IN_PART, HOST_RESUMED_UNRECORDED

UNIT = """\
[Unit]
Description=Start the virtual machines that were running before
Documentation=man:libvirtd(8)
Wants=network-online.target
After=libvirtd.service virtqemud.service libvirt-guests.service network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={command} resume-host
ExecStop={command} resume-host --observe
TimeoutSec=0

[Install]
WantedBy=multi-user.target
"""
"""Stopped before libvirt-guests stops the guests, so that what it shuts down still counts as running."""


@click.command("resume-host")
@click.option("--observe", is_flag=True, help="Start nothing; record which domains run, before the host goes down.")
@click.option("--print-unit", is_flag=True, help="Print a systemd unit that does both, and do nothing else.")
@dry_run_option
@output_option
@pass_session
def resume_host(session: Session, observe: bool, print_unit: bool, dry_run: bool, output: str) -> None:
    """Start the domains that were running before the host went down, in the order in which they were started then.

    These are the domains with autostart, and those that Holdfast started and nobody has stopped since. Each starts from
    its config document as it stands. Exit code 5 when one does not start; the others do.

    Where the history has a remote, it is asked which domains another host has by now: these stay off. While it cannot
    be reached, what has an image on shared storage waits (exit code 5), and what is on local disks starts.
    """
    from holdfast import operations

    if print_unit:
        uri = f" -c {session.uri}" if session.uri else ""
        click.echo(UNIT.format(command=f"{sys.argv[0]}{uri}"), nl=False)
        return
    if observe:
        if dry_run:
            raise click.UsageError("--observe starts nothing; it has no --dry-run")
        operations.observe_host(session.connection)
        return
    resumed = operations.resume_host(session.connection, dry_run=dry_run)
    if output == "json":
        print_envelope(dry_run=dry_run, domains=resumed)
    for each in [] if output == "json" else resumed:
        would = dry_run and each.outcome in ("started", "restored")
        why = "" if each.error is None else f": {each.error}"
        click.echo(f"{each.name}: {'would be ' if would else ''}{each.outcome}{why}")
        for sentence in each.notes:
            click.echo(f"  {sentence}")
        for sentence in each.sees:
            click.echo(f"  the guest sees: {sentence}")
    failed = [each for each in resumed if each.outcome in ("failed", "waiting")]
    if failed:
        names = [each.name for each in failed]
        raise HOST_RESUMED_IN_PART(failed=len(failed), all=len(resumed), names=names, cause=failed[0].error)
    unrecorded = [each for each in resumed if each.error is not None]
    if unrecorded:
        raise HOST_RESUMED_UNRECORDED(names=[each.name for each in unrecorded], cause=unrecorded[0].error)
