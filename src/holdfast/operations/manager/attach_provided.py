"""Attaching what a manager has made ready on its host: live and config agree on its place, as for everyone."""

from __future__ import annotations

from holdfast.domainxml.make.attach_request import parse_device
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.devices.attach import Attached, carry_out_attach
from holdfast.operations.devices.attach_plan import plan_attach
from holdfast.operations.session import Need, changing


def attach_provided(connection: Connection, name: str, device: str) -> Attached:
    """Attach the element ``device`` to the domain ``name``: to config, and where it runs to live at the same address.

    What is behind it on this host (image, network) is its manager's business, and not looked at. A device that config
    has and live lacks, such as one that a guest gave back to be suspended, comes to live at the address that config
    has for it. Nothing is recorded: the manager knows its devices.

    Otherwise as :func:`holdfast.operations.devices.attach.attach_device`, whose errors it raises.
    (virDomainAttachDeviceFlags)
    """
    request = parse_device(device)
    with changing(connection, name, needs=Need.OWN_HARDWARE) as domain:
        domain.conceal(request)
        return carry_out_attach(domain, plan_attach(domain, request, is_provided=True), None)
