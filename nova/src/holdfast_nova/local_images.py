"""The images of an instance that are files or devices of this host, and no volumes."""

from __future__ import annotations

from typing import Any

from nova.virt import driver

from holdfast.operations.manager.instance import has_all_images


def has_all_local_images(guest_config: Any, block_device_info: Any) -> bool:
    """True when all that ``guest_config`` names are there, with what they are based on; volumes are not looked at."""
    mapping = driver.block_device_info_get_mapping(block_device_info)
    volumes = {volume["mount_device"].rpartition("/")[2] for volume in mapping}
    disks = [each for each in guest_config.devices if each.root_name == "disk" and each.target_dev not in volumes]
    return has_all_images((disk.source_path, disk.driver_format) for disk in disks if disk.source_type != "network")
