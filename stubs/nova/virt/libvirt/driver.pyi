from collections.abc import Callable, Collection, Iterable
from typing import Protocol

from nova.context import RequestContext
from nova.network.model import NetworkInfo
from nova.objects import ImageMeta, Instance, Migration, ShareMappingList
from nova.virt.driver import BlockDeviceInfo, InstanceDriverMetadata
from nova.virt.libvirt.config import (
    LibvirtConfigGuest,
    LibvirtConfigGuestDevice,
    LibvirtConfigGuestDisk,
    LibvirtConfigGuestMetaNovaInstance,
)
from nova.virt.libvirt.cpu.api import API
from nova.virt.libvirt.event import DeviceRemovedEvent
from nova.virt.libvirt.guest import Guest
from nova.virt.libvirt.host import Host
from nova.virt.virtapi import VirtAPI

import libvirt as libvirt

REGISTER_IMAGE_PROPERTY_DEFAULTS: list[str]

class _HasDocument(Protocol):
    """What a guest is asked for its ports: Nova wants no more of it."""

    def get_xml_desc(self) -> str: ...

class GetDeviceConfFunction(Protocol):
    def __call__(self, from_persistent_config: bool = False) -> LibvirtConfigGuestDevice | None: ...

class AsyncDeviceEventsHandler:
    def notify_waiters(self, event: DeviceRemovedEvent) -> bool: ...

class LibvirtDriver:
    _host: Host
    cpu_api: API
    virtapi: VirtAPI

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None: ...
    def _allocate_mdevs(self, allocations: dict[str, object]) -> list[str]: ...
    def _can_quiesce(self, instance: Instance, image_meta: ImageMeta) -> None: ...
    def _connect_volume(
        self,
        context: RequestContext,
        connection_info: dict[str, object],
        instance: Instance,
        encryption: object = None,
    ) -> None: ...
    def _create_guest(
        self,
        context: RequestContext,
        xml: str,
        instance: Instance,
        power_on: bool = True,
        pause: bool = False,
        post_xml_callback: Callable[[], None] | None = None,
    ) -> Guest: ...
    def _detach_from_live_with_retry(
        self,
        guest: Guest,
        instance_uuid: str,
        live_dev: LibvirtConfigGuestDevice,
        get_device_conf_func: GetDeviceConfFunction,
        device_name: str,
    ) -> None: ...
    def _detach_from_persistent(
        self,
        guest: Guest,
        instance_uuid: str,
        persistent_dev: LibvirtConfigGuestDevice,
        get_device_conf_func: GetDeviceConfFunction,
        device_name: str,
    ) -> None: ...
    def _detach_with_retry(
        self, guest: Guest, instance_uuid: str, get_device_conf_func: GetDeviceConfFunction, device_name: str
    ) -> None: ...
    def _disconnect_volume(
        self,
        context: RequestContext,
        connection_info: dict[str, object],
        instance: Instance,
        encryption: object = None,
        destroy_secrets: bool = True,
        force: bool = False,
    ) -> None: ...
    def _get_all_assigned_mediated_devices(self, instance: Instance | None = None) -> dict[str, str]: ...
    def _get_existing_domain_xml(
        self,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        share_info: ShareMappingList | None = None,
    ) -> str: ...
    def _get_existing_guest_config(self, instance: Instance) -> LibvirtConfigGuest | None: ...
    def _get_existing_mdevs_not_assigned(self, parent: str, requested_types: object = None) -> Collection[str]: ...
    def _get_guest_config_meta(self, dmeta: InstanceDriverMetadata) -> LibvirtConfigGuestMetaNovaInstance: ...
    def _get_guest_xml(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        disk_info: dict[str, object],
        image_meta: ImageMeta,
        rescue: object = None,
        block_device_info: BlockDeviceInfo | None = None,
        mdevs: list[str] | None = None,
        accel_info: object = None,
        share_info: ShareMappingList | None = None,
        old_guest: LibvirtConfigGuest | None = None,
    ) -> str: ...
    def _get_instance_disk_info_from_config(
        self, guest_config: LibvirtConfigGuest, block_device_info: BlockDeviceInfo | None
    ) -> list[dict[str, object]]: ...
    def _get_or_create_secret_for_vtpm(
        self, context: RequestContext, instance: Instance
    ) -> tuple[libvirt.virSecret, str | None]: ...
    def _get_serial_ports_from_guest(
        self, guest: _HasDocument, mode: str | None = None
    ) -> Iterable[tuple[str, int]]: ...
    def _hard_reboot(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        share_info: ShareMappingList | None,
        block_device_info: BlockDeviceInfo | None = None,
        accel_info: object = None,
    ) -> None: ...
    def _live_snapshot(
        self,
        context: RequestContext,
        instance: Instance,
        guest: Guest,
        disk_path: str,
        out_path: str,
        source_format: str,
        image_format: str,
        image_meta: ImageMeta,
    ) -> None: ...
    def _requires_quiesce(self, image_meta: ImageMeta) -> bool: ...
    def _serial_ports_already_defined(self, instance: Instance) -> bool: ...
    def _soft_reboot(self, instance: Instance) -> bool: ...
    def _swap_volume(self, guest: Guest, disk_dev: str, conf: LibvirtConfigGuestDisk, resize_to: int) -> None: ...
    def _undefine_domain(self, instance: Instance, keep_vtpm: bool = False, keep_nvram: bool = False) -> None: ...
    def attach_interface(
        self, context: RequestContext, instance: Instance, image_meta: ImageMeta, vif: object
    ) -> None: ...
    def attach_volume(
        self,
        context: RequestContext,
        connection_info: dict[str, object],
        instance: Instance,
        mountpoint: str,
        disk_bus: object = None,
        device_type: object = None,
        encryption: object = None,
    ) -> None: ...
    def cleanup(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        destroy_disks: bool = True,
        migrate_data: object = None,
        destroy_vifs: bool = True,
        destroy_secrets: bool = True,
    ) -> None: ...
    def confirm_migration(
        self, context: RequestContext, migration: Migration, instance: Instance, network_info: NetworkInfo
    ) -> None: ...
    def detach_interface(self, context: RequestContext, instance: Instance, vif: object) -> None: ...
    def post_live_migration_at_destination(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_migration: bool = False,
        block_device_info: BlockDeviceInfo | None = None,
    ) -> None: ...
    def power_on(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        accel_info: object = None,
        share_info: ShareMappingList | None = None,
    ) -> None: ...
    def reboot(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        reboot_type: str,
        block_device_info: BlockDeviceInfo | None = None,
        bad_volumes_callback: object = None,
        accel_info: object = None,
        share_info: ShareMappingList | None = None,
    ) -> None: ...
    def resume_state_on_host_boot(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        share_info: ShareMappingList | None,
        block_device_info: BlockDeviceInfo | None = None,
    ) -> None: ...
    def suspend(self, context: RequestContext, instance: Instance) -> None: ...
    def swap_volume(
        self,
        context: RequestContext,
        old_connection_info: dict[str, object],
        new_connection_info: dict[str, object],
        instance: Instance,
        mountpoint: str,
        resize_to: int,
    ) -> None: ...
    def volume_snapshot_create(
        self, context: RequestContext, instance: Instance, volume_id: object, create_info: object
    ) -> None: ...
    def volume_snapshot_delete(
        self, context: RequestContext, instance: Instance, volume_id: object, snapshot_id: object, delete_info: object
    ) -> None: ...
    def destroy(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None: ...
    def detach_volume(
        self,
        context: RequestContext,
        connection_info: dict[str, object],
        instance: Instance,
        mountpoint: str,
        encryption: object = None,
    ) -> None: ...
    def finish_migration(
        self,
        context: RequestContext,
        migration: Migration,
        instance: Instance,
        disk_info: str,
        network_info: NetworkInfo,
        image_meta: ImageMeta,
        resize_instance: bool,
        allocations: dict[str, object],
        block_device_info: BlockDeviceInfo | None = None,
        power_on: bool = True,
        share_info: ShareMappingList | None = None,
    ) -> None: ...
    def finish_revert_migration(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        migration: Migration,
        block_device_info: BlockDeviceInfo | None = None,
        power_on: bool = True,
        share_info: ShareMappingList | None = None,
    ) -> None: ...
    @classmethod
    def get_instance_driver_metadata(cls, instance: Instance, network_info: NetworkInfo) -> InstanceDriverMetadata: ...
    def init_host(self, host: str) -> None: ...
    def power_off(self, instance: Instance, timeout: int = 0, retry_interval: int = 0) -> None: ...
    def process_instances_at_startup(self, context: RequestContext, instances: list[Instance]) -> list[Instance]: ...
    def quiesce(self, context: RequestContext, instance: Instance, image_meta: ImageMeta) -> None: ...
    def rebuild(
        self,
        context: RequestContext,
        instance: Instance,
        image_meta: ImageMeta,
        injected_files: object,
        admin_password: object,
        allocations: dict[str, object],
        bdms: object,
        detach_block_devices: object,
        attach_block_devices: object,
        network_info: NetworkInfo | None = None,
        evacuate: bool = False,
        block_device_info: BlockDeviceInfo | None = None,
        preserve_ephemeral: bool = False,
        accel_uuids: object = None,
        reimage_boot_volume: bool = False,
    ) -> None: ...
    def rescue(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        image_meta: ImageMeta,
        rescue_password: str,
        block_device_info: BlockDeviceInfo | None,
        share_info: ShareMappingList | None,
    ) -> None: ...
    def resume(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        share_info: ShareMappingList | None = None,
    ) -> None: ...
    def spawn(
        self,
        context: RequestContext,
        instance: Instance,
        image_meta: ImageMeta,
        injected_files: object,
        admin_password: object,
        allocations: dict[str, object],
        network_info: NetworkInfo | None = None,
        block_device_info: BlockDeviceInfo | None = None,
        power_on: bool = True,
        accel_info: object = None,
    ) -> None: ...
    def unquiesce(self, context: RequestContext, instance: Instance, image_meta: ImageMeta) -> None: ...
    def unrescue(self, context: RequestContext, instance: Instance) -> None: ...
