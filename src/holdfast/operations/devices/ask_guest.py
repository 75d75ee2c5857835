"""Asking a guest to release one device, and waiting for its answer: the core of a detach.

libvirt can only ask the guest for a device. So the answer is listened for, both documents are read back, and a device
that the guest has not released is recorded in our metadata, whatever happens in between.
"""

from __future__ import annotations

from holdfast.domainxml.device import alias, describe, label
from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.fact import Releasing
from holdfast.errors import DetachPending, LibvirtRefused, NoConnection
from holdfast.errors import devices as errors
from holdfast.libvirtapi.domain import Definition
from holdfast.operations.devices.unused_controllers import forget_added_controller
from holdfast.operations.disks.keep_record import forget_disk
from holdfast.operations.facts import forget_fact, record_fact
from holdfast.operations.session import OpenDomain

RELEASE_TIMEOUT = 20.0
"""Seconds to wait for the guest unless told otherwise; a busy Linux guest answers in well under one."""


def detach_and_wait(domain: OpenDomain, found: dict[Definition, Element], timeout: float) -> None:
    """Ask the guest for a device, take it out of config, and wait for the answer, ``timeout`` seconds.

    ``found`` is the device in each document that is to be without it. Raises NOT_RELEASED when the guest does not
    release it in time or refuses to, and LOST_BEFORE_RELEASE: config is without it then.
    (virDomainDetachDeviceAlias for live, virDomainDetachDeviceFlags for config)

    Live comes first: where libvirt refuses it, nothing has changed. Config follows at once, because the wish is the
    user's and does not depend on the guest. The record comes before the wait, which anything may interrupt.
    """
    live, config = found.get(Definition.LIVE), found.get(Definition.CONFIG)
    if live is None:
        if config is not None:
            _detach_from_config(domain, config)
        return
    if live.tag == "lease":
        _detach_lease(domain, found)
        return
    entry = Releasing(str(live.tag), label(live), alias(live) or "")
    with domain.device_removal(entry.alias) as removal:
        try:
            domain.ask_release(entry.alias)
        except LibvirtRefused as error:
            # The guest may have answered an earlier request in this very moment, or not yet.
            if not isinstance(error, DetachPending) and not _is_gone(domain, live):
                raise
        if config is not None:
            _detach_from_config(domain, config)
        else:  # a detach that was interrupted may have left its record
            _forget_records(domain, live, Definition.CONFIG)
        if not _is_gone(domain, live):
            record_fact(domain, entry)
            try:
                removal.wait(timeout)
            except NoConnection as error:
                raise errors.LOST_BEFORE_RELEASE(device=describe(live), cause=error) from error
    if _is_gone(domain, live):
        forget_fact(domain, entry)
        _forget_records(domain, live, Definition.LIVE)
        return
    answer = "refused to release" if removal.outcome == "refused" else "has not released"
    if not domain.is_persistent():
        raise errors.NOT_RELEASED_TRANSIENT(answer=answer, device=describe(live))
    condition = errors.NOT_RELEASED_PAUSED if domain.state() == "paused" else errors.NOT_RELEASED
    raise condition(answer=answer, device=describe(live))


def _detach_lease(domain: OpenDomain, found: dict[Definition, Element]) -> None:
    """Detach what no guest is asked for: it has no alias, and is gone when libvirt says so (9.0)."""
    for definition, lease in found.items():
        domain.detach(serialize(lease), definition)


def _detach_from_config(domain: OpenDomain, device: Element) -> None:
    """With its record, if it has one; that in live stays until live is without the disk, too."""
    domain.detach(serialize(device), Definition.CONFIG)
    _forget_records(domain, device, Definition.CONFIG)


def _forget_records(domain: OpenDomain, device: Element, definition: Definition) -> None:
    forget_disk(domain, device, [definition])
    forget_added_controller(domain, device, definition)


def _is_gone(domain: OpenDomain, device: Element) -> bool:
    """True when live no longer has ``device``: the event may have come before anyone waited for it."""
    return domain.look_again().find_live(device) is None
