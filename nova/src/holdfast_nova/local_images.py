"""The images of an instance that are files or devices of this host, and no volumes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nova.virt import driver
from nova.virt.libvirt import config

from holdfast.operations.manager.instance import has_all_images

if TYPE_CHECKING:
    from nova.virt.driver import BlockDeviceInfo
    from nova.virt.libvirt.config import LibvirtConfigGuest


def has_all_local_images(guest_config: LibvirtConfigGuest, block_device_info: BlockDeviceInfo | None) -> bool:
    """True when all that ``guest_config`` names are there, with what they are based on; volumes are not looked at."""
    mapping = driver.block_device_info_get_mapping(block_device_info)
    volumes = {volume["mount_device"].rpartition("/")[2] for volume in mapping}
    disks = (device for device in guest_config.devices if isinstance(device, config.LibvirtConfigGuestDisk))
    own = (disk for disk in disks if disk.target_dev not in volumes and disk.source_type != "network")
    return has_all_images((disk.source_path, disk.driver_format) for disk in own)
