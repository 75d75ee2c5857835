from nova.context import RequestContext
from nova.network.model import NetworkInfo
from nova.objects.flavor import Flavor
from nova.objects.image_meta import ImageMeta

class Instance:
    uuid: str
    flavor: Flavor
    old_flavor: Flavor | None
    new_flavor: Flavor | None
    image_meta: ImageMeta
    migration_context: object | None
    system_metadata: dict[str, str]
    vcpu_model: object
    os_type: str | None
    kernel_id: str
    ramdisk_id: str
    vm_state: str
    task_state: str | None
    def __init__(self, **fields: object) -> None: ...
    def __contains__(self, name: str) -> bool: ...
    def get_network_info(self) -> NetworkInfo: ...
    def revert_migration_context(self) -> None: ...

class InstanceList:
    @classmethod
    def get_by_host(
        cls, context: RequestContext, host: str, expected_attrs: list[str] | None = None, use_slave: bool = False
    ) -> list[Instance]: ...
