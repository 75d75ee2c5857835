"""The volumes of an instance that is off: where they are on the host is known once they are connected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import nova.conf
from nova.virt.libvirt import blockinfo

from holdfast_nova.keeper import Keeper
from holdfast_nova.serial_ports import release_ports

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.network.model import NetworkInfo
    from nova.objects.instance import Instance
    from nova.objects.share_mapping import ShareMappingList
    from nova.virt.driver import BlockDeviceInfo
    from nova.virt.libvirt.driver import LibvirtDriver

CONF = nova.conf.CONF


def reconnect(
    driver: LibvirtDriver,
    keeper: Keeper,
    context: RequestContext,
    instance: Instance,
    network_info: NetworkInfo,
    block_device_info: BlockDeviceInfo | None,
    share_info: ShareMappingList | None,
) -> None:
    """Connect the volumes, and let the domain know where they are now."""
    image = instance.image_meta
    document = driver._get_guest_xml(
        context,
        instance,
        network_info,
        blockinfo.get_disk_info(CONF.libvirt.virt_type, instance, image, block_device_info),
        image,
        block_device_info=block_device_info,
        mdevs=list(driver._get_all_assigned_mediated_devices(instance)),
        share_info=share_info,
        old_guest=driver._get_existing_guest_config(instance),
    )
    try:
        keeper.follow(instance, document)
    finally:
        release_ports(driver, document, driver._host.get_guest(instance))
