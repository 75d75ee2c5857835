"""The volumes of an instance that is off: where they are on the host is known once they are connected."""

from __future__ import annotations

from typing import Any

import nova.conf
from nova.virt.libvirt import blockinfo

from holdfast_nova.keeper import Keeper
from holdfast_nova.serial_ports import let_go

CONF = nova.conf.CONF


def reconnect(
    driver: Any,
    keeper: Keeper,
    context: Any,
    instance: Any,
    network_info: Any,
    block_device_info: Any,
    share_info: Any,
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
        let_go(driver, document, driver._host.get_guest(instance))
