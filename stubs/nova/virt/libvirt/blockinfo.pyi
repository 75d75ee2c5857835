from nova.objects import ImageMeta, Instance
from nova.virt.driver import BlockDeviceInfo

def get_disk_info(
    virt_type: str,
    instance: Instance,
    image_meta: ImageMeta,
    block_device_info: BlockDeviceInfo | None = None,
    rescue: bool = False,
    rescue_image_meta: ImageMeta | None = None,
) -> dict[str, object]: ...
