"""Lost NVRAM or TPM state, or a CPU that the host lacks: what would not be started again is not switched off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova import exception
from nova.compute import task_states
from nova.virt.libvirt import driver as libvirt_driver

from holdfast_nova.connection import HardwareNotKept
from holdfast_nova.keeper import Keeper

if TYPE_CHECKING:
    from nova.objects.instance import Instance
    from nova.virt.virtapi import VirtAPI

_STARTED_AGAIN = (task_states.RESCUING, task_states.REBUILDING, task_states.RESIZE_MIGRATING)
"""In these Nova switches an instance off to start it again."""


class MissesLostState(libvirt_driver.LibvirtDriver):
    """The part of the driver that asks before Nova switches off what it is to start again; starts ask once more."""

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._keeper = Keeper(self._host)

    def _soft_reboot(self, instance: Instance) -> bool:
        """As stock, which starts the domain by itself once the guest has shut down; it cannot get another CPU so."""
        self._keeper.refuse_start(instance, may_follow=True)
        if self._keeper.needs_other_cpu(instance):
            return False
        self._keeper.keep_addresses(instance)
        done = super()._soft_reboot(instance)
        if done:
            self._keeper.record_start(instance)
        return done

    def power_off(self, instance: Instance, timeout: int = 0, retry_interval: int = 0) -> None:
        """As stock, but to rescue, rebuild or resize. A resize that is refused leaves the instance's state alone."""
        if instance.task_state in _STARTED_AGAIN:
            try:
                self._keeper.refuse_start(instance, may_follow=True)
            except HardwareNotKept as refusal:
                if instance.task_state == task_states.RESIZE_MIGRATING:
                    raise exception.InstanceFaultRollback(refusal) from refusal
                raise
        self._keeper.keep_addresses(instance)
        super().power_off(instance, timeout, retry_interval)
