"""What is checked before nova-compute starts with the driver: what would otherwise fail in the middle of an action."""

from __future__ import annotations

import nova.conf
from nova import exception
from oslo_log import log as logging

from holdfast.errors import HoldfastError, remedy_in
from holdfast.operations.session import check_locks
from holdfast_nova.nova_at_hand import other_sources
from holdfast_nova.remedies import REMEDIES

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF

HYPERVISORS = ("kvm", "qemu")


def check_before_start() -> None:
    """Raise Nova's InvalidConfiguration for a hypervisor that the driver is not for, and where no lock can be had.

    Nova's source, where it is another than the driver was written for, is only logged, unless ``[holdfast] strict`` is
    set.
    """
    if (misfit := hypervisor_misfit()) is not None:
        raise exception.InvalidConfiguration(misfit)
    try:
        check_locks()
    except HoldfastError as error:
        remedy = remedy_in(REMEDIES, error)
        raise exception.InvalidConfiguration(f"{error.message}{f' ({remedy})' if remedy else ''}") from error
    differing = other_sources()
    for each in differing:
        LOG.warning("%s.", each)
    if differing and CONF.holdfast.strict:
        raise exception.InvalidConfiguration(f"[holdfast] strict is set, and {differing[0]}")


def hypervisor_misfit() -> str | None:
    """What is wrong with the hypervisor that Nova is configured for, in a sentence; None where the driver is for it."""
    kind = CONF.libvirt.virt_type
    if kind in HYPERVISORS:
        return None
    return (
        f"the driver is for {' and '.join(HYPERVISORS)}, and [libvirt] virt_type is {kind}: use the stock driver "
        "(compute_driver = libvirt.LibvirtDriver)"
    )
