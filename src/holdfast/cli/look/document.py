"""``holdfast xml``: a domain's document as libvirt has it."""

from __future__ import annotations

import click

from holdfast.cli.common import Session, domain_argument, pass_session
from holdfast.text import printable_xml


@click.command()
@domain_argument
@click.option("--live", is_flag=True, help="The document the guest runs with, instead of the next start's.")
@click.option("--security-info", is_flag=True, help="With secrets, such as passwords.")
@pass_session
def xml(session: Session, name: str, live: bool, security_info: bool) -> None:
    """Print the config document of a domain, or its live one; of NAME@REV the one that it had then.

    REV is an id that 'holdfast log' shows, {2 days ago}, {2026-11-30 14:05} or last-start.

    Secrets are left out (passwords, cookies, values in <qemu:commandline>, files for the firmware), so this is for
    reading: what is defined again later needs --security-info, over a connection that may write.
    """
    from holdfast.operations.look.document import document

    text = document(session.connection, name, live=live, secure=security_info)
    click.echo(printable_xml(text).encode(), nl=False)  # without an XML declaration it is UTF-8, whatever the locale
