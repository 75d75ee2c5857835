"""``holdfast audit``: what needs attention, on any number of hosts."""

from __future__ import annotations

import contextlib

import click

from holdfast.cli.as_json import print_envelope
from holdfast.cli.common import Session, output_option, pass_session
from holdfast.errors import PartlyDone, Refused
from holdfast.errors.programs import NO_HOST_REACHED

KINDS = (
    "would-not-start",
    "disguised-image",
    "shared-image",
    "lost-state",
    "not-running",
    "autostart",
    "shared-state",
    "expiring-machine",
    "expiring-cpu",
    "expiring-firmware",
    "expiring-certificates",
    "drift",
    "apart",
    "releasing",
    "unfinished",
    "snapshot",
    "transient",
    "record",
    "unknown",
    "no-rng",
    "no-slot",
    "unsealed",
)
"""The values of ``operations.audit.report.FindingKind``, which is imported only once the command runs."""


@click.command()
@click.argument("uris", metavar="[URI]…", nargs=-1)
@click.option(
    "--fail-on",
    "fail_on",
    type=click.Choice(KINDS),
    multiple=True,
    help="Exit with 3 only for findings of this kind (repeatable).",
)
@click.option(
    "--html", "page", metavar="FILE", help="Also write a page that needs no network: pictures, table, filter."
)
@output_option
@click.pass_context
@pass_session
def audit(
    session: Session, ctx: click.Context, uris: tuple[str, ...], fail_on: tuple[str, ...], page: str | None, output: str
) -> None:
    """Say what needs attention on this host, or on the hosts at each URI, side by side. Changes nothing.

    For every domain: hardware that the next start changes, devices not released, what was begun and is not finished,
    parts left open, machine types, CPU models, firmware and certificates that expire, no free hot-plug place, unknown
    elements, transient domains, snapshots with other hardware, images that two domains use, raw images that begin like
    another format, NVRAM and TPM state that is lost, shared or belongs to nobody, disks that do not match their
    records.

    Exit code 0 when nothing needs attention, 3 when something does, 5 when nothing does but a host or a domain could
    not be looked at, 6 when no host was reached.
    """
    from holdfast.cli.audit.page import page as audit_page
    from holdfast.cli.audit.progress import progress_bars
    from holdfast.cli.audit.table import table
    from holdfast.cli.audit.topology import Topologies
    from holdfast.operations.audit.hosts import audit_hosts
    from holdfast.operations.audit.report import summary_of
    from holdfast.operations.files import new_file

    with contextlib.ExitStack() as stack:
        write = stack.enter_context(new_file(page)) if page is not None else None
        topologies = Topologies()
        with progress_bars() as progress:
            see = topologies.see if write is not None else None
            hosts = audit_hosts(uris or [session.uri], readonly=session.readonly, progress=progress, hardware=see)
        if write is not None:
            for piece in audit_page(hosts, topologies):
                write(piece)
    if output == "json":
        print_envelope(summary=summary_of(hosts), hosts=hosts)
    else:
        click.echo("\n".join(table(hosts)))
    kinds = {finding.kind for host in hosts for report in host.domains for finding in report.findings}
    if all(host.error is not None and not host.domain_count for host in hosts):
        raise NO_HOST_REACHED()
    if kinds & set(fail_on or KINDS):
        ctx.exit(Refused.exit_code)
    if any(host.error is not None or host.unread for host in hosts):
        ctx.exit(PartlyDone.exit_code)
