"""``holdfast create``: a new domain from options, or from a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from holdfast.cli.as_json import print_result
from holdfast.cli.columns import columns
from holdfast.cli.common import Session, dry_run_option, output_option, pass_session
from holdfast.cli.devices.copy_progress import progress_bar
from holdfast.cli.devices.options import DISK_HELP, INTERFACE_HELP, parse_disk, parse_interface
from holdfast.cli.size import parse_size
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec
from holdfast.text import plural

if TYPE_CHECKING:
    from holdfast.operations.domain.make import Created

_WITH_DOCUMENT = {"name", "from_xml", "as_is", "root_ports", "trust_format", "start", "dry_run", "output"}
"""The parameters that go with ``--from-xml``; the document says the rest."""


@click.command(epilog=f"DISK: {DISK_HELP}\n\nINTERFACE: {INTERFACE_HELP}")
@click.argument("name", metavar="NAME", required=False)
@click.option("--memory", metavar="SIZE", type=parse_size, help="Memory, with its unit: 2GiB.")
@click.option("--vcpus", metavar="N", type=click.IntRange(1), default=1, show_default=True, help="Virtual CPUs.")
@click.option("--disk", "disks", metavar="DISK", type=parse_disk, multiple=True, help="A disk; see below. Repeatable.")
@click.option(
    "--interface",
    "interfaces",
    metavar="INTERFACE",
    type=parse_interface,
    multiple=True,
    help="A network interface; see below. Repeatable.",
)
@click.option("--arch", type=click.Choice(["x86_64", "aarch64"]), default="x86_64", show_default=True)
@click.option(
    "--machine", metavar="TYPE", help="q35, pc, or a versioned type: pc-q35-7.2 [default: q35; for aarch64 virt]."
)
@click.option(
    "--cpu",
    metavar="CPU",
    help="host-model (made concrete now), a model such as EPYC, host-passthrough, or maximum [default: host-model; for"
    " aarch64 host-passthrough, or cortex-a57 in emulation].",
)
@click.option(
    "--firmware",
    type=click.Choice(["bios", "uefi", "uefi-secure"]),
    help="uefi-secure has Secure Boot on, with Microsoft's keys [default: bios; for aarch64 uefi].",
)
@click.option("--tpm", is_flag=True, help="An emulated TPM 2.0.")
@click.option("--cdrom", "cdroms", metavar="ISO", multiple=True, help="A CD image, by its absolute path. Repeatable.")
@click.option(
    "--graphics",
    type=click.Choice(["vnc", "spice", "none"]),
    default="vnc",
    show_default=True,
    help="A display, on the loopback address.",
)
@click.option("--video", metavar="MODEL", help="The display device (default: virtio; vga for Windows).")
@click.option(
    "--os",
    type=click.Choice(["linux", "windows"]),
    default="linux",
    show_default=True,
    help="windows: clock in local time, Hyper-V features, a display it can install on.",
)
@click.option("--cloud-init", "user_data", metavar="FILE", help="User-data for cloud-init, given to it on a seed CD.")
@click.option("--root-ports", metavar="N", type=int, help="PCI Express ports kept free for hot-plug [default: 16].")
@click.option(
    "--virt-type", type=click.Choice(["kvm", "qemu"]), help="qemu is emulation (default: kvm where it works)."
)
@click.option("--from-xml", metavar="FILE", help="Use this document instead, - for standard input; NAME renames it.")
@click.option("--as-is", is_flag=True, help="With --from-xml: create exactly this, with no record, or nothing.")
@click.option(
    "--trust-format", is_flag=True, help="With --from-xml: accept the images, whatever their headers say or name."
)
@click.option("--start", is_flag=True, help="Start it.")
@dry_run_option
@output_option
@pass_session
@click.pass_context
def create(
    context: click.Context,
    session: Session,
    /,
    name: str | None,
    memory: int | None,
    disks: tuple[DiskSpec, ...],
    interfaces: tuple[InterfaceSpec, ...],
    from_xml: str | None,
    as_is: bool,
    trust_format: bool,
    root_ports: int | None,
    start: bool,
    dry_run: bool,
    output: str,
    **rest: Any,  # noqa: ANN401 - the other options, which click has converted for DomainSpec
) -> None:
    """Create a domain whose hardware stays as it is: CPU, machine, firmware and places are decided now.

    \b
    holdfast create a --memory 2GiB --vcpus 2 --disk size=20GiB --interface network=default --cdrom /iso/debian.iso
    holdfast create w --memory 8GiB --vcpus 4 --os windows --firmware uefi-secure --tpm --disk size=80GiB \\
        --interface network=default --cdrom /iso/windows.iso --cdrom /iso/virtio-win.iso
    virt-install … --print-xml | holdfast create --from-xml -
    """
    from holdfast import operations

    if from_xml is not None:
        _refuse_others(context)
        if as_is and root_ports is not None:
            raise click.UsageError("--as-is takes the ports that the document has: leave out '--root-ports'")
        from holdfast.operations.files import read_document

        created = operations.create_domain_from_document(
            session.connection,
            read_document(from_xml),
            name=name,
            root_ports=root_ports,
            as_is=as_is,
            trust_format=trust_format,
            start=start,
            dry_run=dry_run,
        )
    else:
        from holdfast.operations.domain.spec import DomainSpec

        if name is None or memory is None:
            raise click.UsageError(f"a new domain needs {'a NAME' if name is None else '--memory, such as 2GiB'}")
        if as_is:
            raise click.UsageError("--as-is goes with --from-xml")
        if trust_format:
            raise click.UsageError("--trust-format goes with --from-xml; for one disk say --disk …,trust-format")
        spec = DomainSpec(memory=memory, disks=disks, interfaces=interfaces, root_ports=root_ports, **rest)
        with progress_bar("uploading") as progress:
            created = operations.create_domain(
                session.connection, name, spec, start=start, progress=progress, dry_run=dry_run
            )
    _report(created, output)


def _refuse_others(context: click.Context) -> None:
    for parameter, value in context.params.items():
        given = context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE
        if given and value and parameter not in _WITH_DOCUMENT:
            raise click.UsageError(f"--from-xml says everything about the domain: leave out '{parameter}'")


def _report(created: Created, output: str) -> None:
    if output == "json":
        print_result(created)
        return
    if created.dry_run:
        click.echo(created.document)
    else:
        _print_domain(created)
    for image in created.images:
        click.echo(f"image {image} {'would be' if created.dry_run else 'was'} made", err=created.dry_run)
    would = "would come" if created.dry_run else "came"
    for device in created.brought:
        click.echo(f"with it {would} {device}", err=created.dry_run)
    for change in created.changes:
        click.echo(f"not as in the document: {change}", err=created.dry_run)
    if created.started and created.dry_run:
        click.echo(f"{created.name} would be started", err=True)
    for note in created.notes:
        click.echo(f"note: {note}", err=created.dry_run)


def _print_domain(created: Created) -> None:
    state = "created and started" if created.started else "created"
    click.echo(f"{created.name} {created.uuid} is {state}\n")
    facts = [("machine", created.machine), ("cpu", created.cpu), ("firmware", created.firmware)]
    if created.nvram:
        facts.append(("nvram", created.nvram))
    free = created.free_places or 0
    facts.append(("free", f"{free} {plural(free, 'place')} for devices while it runs"))
    for key, value in facts:
        click.echo(f"  {key:<9} {value}")
    click.echo()
    rows = [[line.kind, line.name, line.what, line.address] for line in created.devices]
    click.echo(columns(["DEVICE", "NAME", "WHAT", "ADDRESS"], rows))
    click.echo()
