from typing import TypedDict

from nova.virt.block_device import DriverVolumeBlockDevice

class BlockDeviceInfo(TypedDict, total=False):
    """A plain dict in Nova, which has no name for it."""

    block_device_mapping: list[DriverVolumeBlockDevice] | None
    swap: object

class InstanceDriverMetadata: ...

def block_device_info_get_mapping(block_device_info: BlockDeviceInfo | None) -> list[DriverVolumeBlockDevice]: ...
