"""``holdfast verify``: what the guest itself says of its hardware, beside the live document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from holdfast.cli.as_json import print_result
from holdfast.cli.common import Seconds, Session, domain_argument, output_option, pass_session
from holdfast.cli.heading import heading
from holdfast.errors import Refused

if TYPE_CHECKING:
    from holdfast.operations.verify.guest import Verification


@click.command()
@domain_argument
@click.option(
    "--timeout",
    type=Seconds(),
    default=5,
    show_default=True,
    metavar="SECONDS",
    help="How long to ask again while the answer differs, or the agent is not there yet.",
)
@output_option
@click.pass_context
@pass_session
def verify(session: Session, ctx: click.Context, name: str, timeout: float, output: str) -> None:
    """Ask the guest which disks and interfaces it sees, and compare with the live document.

    The QEMU guest agent answers, where one runs in the guest; what it does not report is unknown, and never assumed.
    Right after an attach the guest is given a moment to notice. Exit code 0 when nothing differs, 3 when something
    does: when the guest describes a device differently, or does not see it.
    """
    from holdfast.operations.verify.guest import verify_domain

    found = verify_domain(session.connection, name, timeout=timeout)
    if output == "json":
        print_result(found, differs=found.differs)
    else:
        click.echo("\n".join(_lines(found)))
    if found.differs:
        ctx.exit(Refused.exit_code)


def _lines(found: Verification) -> Iterator[str]:
    from holdfast.cli.columns import columns

    if found.instance is not None:
        yield heading(found.name, found.uuid, found.instance)
    if (system := found.system) is not None:
        words = (system.name or system.id, system.kernel and f"kernel {system.kernel}", system.machine)
        yield f"{found.name}: {', '.join(word for word in words if word) or 'the guest does not report its system'}"
    rows = [(each.device, str(each.verdict), str(each.live), str(each.guest or "")) for each in found.devices]
    if rows:
        yield columns(("DEVICE", "VERDICT", "LIVE SAYS", "THE GUEST SAYS"), rows)
    for device in found.devices:
        if device.releasing:
            yield f"{device.device}: it was detached, and is on its way out"
        if device.note and device.note not in found.notes:
            yield f"{device.device}: {device.note}"
    yield from (f"the guest also has {said}" for said in found.also)
    yield from found.notes
    if found.unreported:
        counted = (f"{count} {tag}" for tag, count in sorted(found.unreported.items()))
        yield f"the agent does not report: {', '.join(counted)}"
    yield _summary(found)


def _summary(found: Verification) -> str:
    if not found.devices:
        return f"{found.name}: live has no disk and no interface"
    counts = Counter("agree" if device.verdict.value == "agrees" else device.verdict.value for device in found.devices)
    return f"{found.name}: {', '.join(f'{count} {word}' for word, count in counts.items())}"
