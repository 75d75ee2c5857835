"""What is written of an instance into its domain's metadata, and the adoption of those that the stock driver made."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import nova.conf
from nova import exception
from nova.compute import power_state, vm_states
from nova.context import get_admin_context
from nova.objects import instance as instance_objects
from nova.virt.libvirt import driver as libvirt_driver
from oslo_log import log as logging

from holdfast.operations.domain.adopt import adopt_domain
from holdfast.operations.domain.seal import seal_domain
from holdfast.operations.manager.instance import last_request
from holdfast_nova.deed_recorder import Recorder
from holdfast_nova.keeper import Keeper, forget_resize
from holdfast_nova.start_checks import check_before_start

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.objects.instance import Instance
    from nova.virt.libvirt.driver import LibvirtDriver

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF


def record_request(driver: LibvirtDriver, instance: Instance) -> None:
    """Write Nova's metadata anew: the stock driver fills in image properties after it has defined the domain."""
    meta = driver._get_guest_config_meta(driver.get_instance_driver_metadata(instance, instance.get_network_info()))
    try:
        guest = driver._host.get_guest(instance)
        running = guest.get_power_state(driver._host) in (power_state.RUNNING, power_state.PAUSED)
        guest.set_metadata(meta, persistent=True, live=running)
    except (exception.InstanceNotFound, libvirt_driver.libvirt.libvirtError) as error:
        LOG.warning("The image properties are not recorded in the domain: %s", error, instance=instance)


def _adopt_instance(driver: LibvirtDriver, keeper: Keeper, instance: Instance) -> None:
    """Adopt the domain of ``instance`` as it stands; repeating it brings the records of its disks up to date.

    Nothing is done where there is none. It is adopted last: what is cut off before is done at the next start. Raises
    HoldfastError.
    """
    if not keeper.has_domain(instance):
        return
    forget_resize(instance)
    if instance.vm_state == vm_states.RESCUED:
        return  # under the stock driver it has the document of the rescue now
    connection = keeper.connection()
    request = last_request(connection, instance.uuid)
    if request is None or request.properties is None:
        record_request(driver, instance)
    is_new = not adopt_domain(connection, instance.uuid, dry_run=True).already
    if is_new and CONF.holdfast.seal_adopted:
        for part in seal_domain(connection, instance.uuid).closed:
            LOG.info("Sealed: %s", part, instance=instance)
    adopt_domain(connection, instance.uuid)
    if is_new:
        LOG.info("The domain is adopted.", instance=instance)


class AdoptsInstances(libvirt_driver.LibvirtDriver):
    """The part of the driver that adopts what the stock driver made, when nova-compute starts."""

    _keeper: Keeper
    _history: Recorder

    def init_host(self, host: str) -> None:
        """As stock, once all is checked that the driver needs; Nova before 34 hands no instances over afterwards."""
        check_before_start()
        super().init_host(host)
        if not hasattr(libvirt_driver.LibvirtDriver, "process_instances_at_startup"):
            context = get_admin_context()
            attributes = ["flavor", "info_cache", "system_metadata"]
            self._adopt(context, instance_objects.InstanceList.get_by_host(context, host, expected_attrs=attributes))

    def process_instances_at_startup(self, context: RequestContext, instances: list[Instance]) -> list[Instance]:
        """As stock; then the domains that the stock driver made are adopted."""
        instances = super().process_instances_at_startup(context, instances)
        self._adopt(context, instances)
        return instances

    def _adopt(self, context: RequestContext, instances: Iterable[Instance]) -> None:
        """Adopt the domains that the stock driver made, as they stand."""
        for instance in instances:
            try:
                with self._history.recorded(context, instance, "adopt"):
                    _adopt_instance(self, self._keeper, instance)
            except Exception:
                # One domain must not keep the compute service from starting.
                LOG.exception("The domain could not be adopted; it is kept all the same.", instance=instance)
