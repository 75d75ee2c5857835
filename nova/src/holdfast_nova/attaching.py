"""Attaching devices and detaching them: config and the running guest go on agreeing on where each device is."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING

from nova import exception
from nova.compute import power_state
from nova.virt.libvirt import config as vconfig
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import host as libvirt_host

from holdfast.operations.manager.attach_provided import attach_provided
from holdfast_nova.connection import HardwareNotKept, NovaConnection, in_nova_terms
from holdfast_nova.keeper import Keeper, Purpose

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.objects.instance import Instance
    from nova.virt.libvirt.config import LibvirtConfigObject
    from nova.virt.libvirt.driver import GetDeviceConfFunction
    from nova.virt.libvirt.guest import Guest
    from nova.virt.virtapi import VirtAPI


class AttachingHost(libvirt_host.Host):
    """Nova's host, whose guests get what Nova attaches by Holdfast's operation."""

    def get_guest(self, instance: Instance) -> Guest:
        """As stock. Whether Nova attaches for the next start or not, both documents agree on the place afterwards."""
        guest = super().get_guest(instance)
        guest.attach_device = partial(_attach, self, instance)  # type: ignore[method-assign]
        return guest


def _attach(
    host: AttachingHost, instance: Instance, conf: LibvirtConfigObject, persistent: bool = False, live: bool = False
) -> None:
    """Nova's ``Guest.attach_device``. Raises libvirtError, after which alone Nova takes an interface off the host."""
    try:
        with in_nova_terms():
            attach_provided(NovaConnection(host), instance.uuid, conf.to_xml())
    except HardwareNotKept as refusal:
        error: BaseException | None = refusal
        while error is not None and not isinstance(error, libvirt_driver.libvirt.libvirtError):
            error = error.__cause__
        if error is None and isinstance(conf, vconfig.LibvirtConfigGuestDisk):
            raise
        raise error or libvirt_driver.libvirt.libvirtError(str(refusal)) from refusal


class AttachesDevices(libvirt_driver.LibvirtDriver):
    """The part of the driver that attaches and detaches; flows, retries and events are Nova's."""

    _keeper: Keeper

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._host.__class__ = AttachingHost  # Nova's constructor makes the host by itself (33, 34)

    def _detach_with_retry(
        self, guest: Guest, instance_uuid: str, get_device_conf_func: GetDeviceConfFunction, device_name: str
    ) -> None:
        """As stock, but the guest is asked first: config has the device, and its place, until that has released it.

        For a suspend it keeps both, for the resume.
        """
        runs = guest.get_power_state(self._host) in (power_state.RUNNING, power_state.PAUSED)
        has_config = guest.has_persistent_configuration()
        in_config = get_device_conf_func(from_persistent_config=True) if has_config else None
        in_live = get_device_conf_func() if runs else None
        if (runs or has_config) and in_config is None and in_live is None:
            raise exception.DeviceNotFound(device=device_name)
        # Where it is gone from one of the two in this moment, the other may have it still.
        is_in_both = in_config is not None and in_live is not None
        gone: AbstractContextManager[None] = suppress(exception.DeviceNotFound) if is_in_both else nullcontext()
        with gone:
            if in_live is not None:
                self._detach_from_live_with_retry(guest, instance_uuid, in_live, get_device_conf_func, device_name)
        with gone:
            if in_config is not None and not self._keeper.suspends(instance_uuid):
                self._detach_from_persistent(guest, instance_uuid, in_config, get_device_conf_func, device_name)

    def suspend(self, context: RequestContext, instance: Instance) -> None:
        """As stock, which detaches what is passed through."""
        with self._keeper.keep(instance, Purpose.SUSPEND):
            super().suspend(context, instance)
