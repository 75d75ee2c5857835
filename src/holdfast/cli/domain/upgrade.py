"""``holdfast upgrade``: newer hardware for a guest, deliberately."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_envelope, print_result
from holdfast.cli.common import Session, domain_argument, dry_run_option, output_option, pass_session
from holdfast.cli.completion import complete_domains
from holdfast.cli.several import for_each, refuse_names_beside_all
from holdfast.errors.changes import CPU_CHANGED_IN_PART

if TYPE_CHECKING:
    from holdfast.operations import CpuChange, NvramUpgrade

_back_option = click.option("--back", is_flag=True, help="Take the upgrade back, and return to the old NVRAM.")
_accept_option = click.option(
    "--accept",
    is_flag=True,
    help="Accept that the guest asks for a recovery key, and loses what it has written since an upgrade taken back.",
)


@click.group()
def upgrade() -> None:
    """Raise the version of what a guest has, deliberately."""


@upgrade.command()
@domain_argument
@click.argument("machine", metavar="MACHINE")
@click.option("--lower", is_flag=True, help="Also allow an earlier version, to go back to it.")
@dry_run_option
@output_option
@pass_session
def machine(session: Session, name: str, machine: str, lower: bool, dry_run: bool, output: str) -> None:
    """Give a domain a later version of its machine type, such as pc-q35-7.2; every device keeps its address.

    It is written to config: a running guest has the old one until its next cold start. Look first with
    'holdfast plan machine'.
    """
    from holdfast.cli.look.plan import print_upgrade
    from holdfast.operations.domain.upgrade_machine import upgrade_machine

    found = upgrade_machine(session.connection, name, machine, lower=lower, dry_run=dry_run)
    print_upgrade(found, output)


@upgrade.command()
@domain_argument
@_back_option
@_accept_option
@dry_run_option
@output_option
@pass_session
def firmware(session: Session, name: str, back: bool, accept: bool, dry_run: bool, output: str) -> None:
    """Move a domain from a 2 MB UEFI firmware, or one that is gone, to one that this host has.

    Boot entries, Secure Boot keys and all other variables go along; the old NVRAM stays beside the new one. The domain
    must be shut off. A guest with a TPM may ask for the recovery key of its disks (BitLocker): this needs --accept, and
    is refused with exit code 3 otherwise.
    """
    from holdfast import operations

    verb = operations.take_back_firmware if back else operations.upgrade_firmware
    _print(verb(session.connection, name, accept=accept, dry_run=dry_run), output)


@upgrade.command()
@domain_argument
@_back_option
@_accept_option
@dry_run_option
@output_option
@pass_session
def certificates(session: Session, name: str, back: bool, accept: bool, dry_run: bool, output: str) -> None:
    """Add Microsoft's certificates of 2023 to the Secure Boot keys of a domain that has those of 2011.

    They are added to KEK and db; PK and dbx stay as they are, and so does the old NVRAM, beside the new one. The domain
    must be shut off. A guest with a TPM may ask for the recovery key of its disks (BitLocker): this needs --accept, and
    is refused with exit code 3 otherwise.
    """
    from holdfast import operations

    verb = operations.take_back_certificates if back else operations.upgrade_certificates
    _print(verb(session.connection, name, accept=accept, dry_run=dry_run), output)


def parse_feature(text: str) -> tuple[str, bool]:
    """Read "+md-clear", "md-clear" or "-vmx". A click option takes it as its ``type``."""
    if not re.fullmatch(r"[+-]?[A-Za-z0-9][A-Za-z0-9._-]*", text):
        raise click.BadParameter(f"{text!r} is not a CPU feature: say +md-clear, or -vmx")
    return text.lstrip("+-"), not text.startswith("-")


@upgrade.command()
@click.argument("names", metavar="[NAME]…", nargs=-1, shell_complete=complete_domains)
@click.option("--all", "all_", is_flag=True, help="Every domain of this connection.")
@click.option(
    "--feature",
    "features",
    multiple=True,
    required=True,
    type=parse_feature,
    metavar="±FEATURE",
    help="A feature that the guest is to have, +md-clear, or not to have, -vmx (repeatable).",
)
@dry_run_option
@output_option
@pass_session
def cpu(
    session: Session,
    names: tuple[str, ...],
    all_: bool,
    features: tuple[tuple[str, bool], ...],
    dry_run: bool,
    output: str,
) -> None:
    """Give the CPU of domains single features, such as those that a new microcode brings against an attack.

    Nothing else of the CPU changes. It is written to config: a running guest has it at its next cold start. A domain
    whose host lacks a feature is refused, and does not hold up the others; the exit code is then 5.
    """
    from holdfast import operations

    refuse_names_beside_all(names, is_all=all_)
    connection, wanted = session.connection, dict(features)
    found = for_each(connection, names, lambda name: operations.upgrade_cpu(connection, name, wanted, dry_run=dry_run))
    if output == "json":
        print_envelope(dry_run=dry_run, domains=found.done, notes=found.gone)
    else:
        _print_cpus(found.done, found.gone, dry_run)
    found.refuse_if_none(dry_run=dry_run)
    if found.failed:
        raise CPU_CHANGED_IN_PART(failed=len(found.failed), all=found.count, causes=found.failed)


def _print_cpus(done: list[CpuChange], gone: list[str], dry_run: bool) -> None:
    for change in done:
        seen = "; ".join(map(str, change.changes)) or "its guest sees nothing of it"
        waits = "; waits for the next cold start" * change.at_next_start
        click.echo(f"{change.name}: {seen + waits if change.changed else 'nothing to change'}")
        for note in change.notes:
            click.echo(f"{change.name}: note: {note}")
    for note in gone:
        click.echo(f"note: {note}")
    changed = sum(change.changed for change in done)
    click.echo(f"{changed} of {len(done)} {'would be' if dry_run else 'were'} changed")


def _print(found: NvramUpgrade, output: str) -> None:
    if output == "json":
        print_result(found)
        return
    if found.since is not None:
        went = "would go" if found.dry_run else "went"
        click.echo(f"{found.name}: {went} back to its {found.upgrade} and its NVRAM of {found.since}")
    elif found.before == found.after:
        click.echo(f"{found.name}: nothing to upgrade in its {found.upgrade}")
    else:
        click.echo(f"{found.name}: {'would upgrade' if found.dry_run else 'upgraded'} its {found.upgrade}")
    for change in found.changes:
        click.echo(f"  {change}")
    for certificate in found.added:
        click.echo(f"  certificate added: {certificate}")
    for variable in found.lost:
        click.echo(f"  written by the guest since, and lost: {variable}")
    if found.entries:
        click.echo(f"  boot entries: {', '.join(found.entries)}")
    if found.keys:
        click.echo(f"  Secure Boot keys: {', '.join(found.keys)}")
    if found.before != found.after:
        click.echo(f"  NVRAM: {found.after}")
    if found.kept:
        click.echo(f"  the old NVRAM stays: {found.kept}")
    for note in found.notes:
        click.echo(f"  note: {note}")
    if found.dry_run:
        click.echo("nothing was changed")
