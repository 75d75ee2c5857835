"""The compute driver: Nova's own, with one difference. A domain is defined once, and never generated again.

Stock Nova makes a domain's document anew from its database at every hard reboot, power on, host boot, rescue, resize
and rebuild, and undefines the domain on the way. Here the domain's config document in libvirt is kept: while one of
these runs (:mod:`.keeper`), ``_undefine_domain`` leaves the domain alone, and ``_create_guest`` lets the kept document
follow what Nova generated instead of defining that: its host side, the disks and interfaces that Nova has attached or
taken away, and the change that somebody asked for. All of that is decided in ``holdfast.operations``.

Every override is listed in ``surface/RELEASE.toml`` with the source that it replaces (:mod:`.nova_at_hand`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING

import nova.conf
from nova import exception
from nova.compute import task_states
from nova.virt import driver
from nova.virt.libvirt import blockinfo
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging

from holdfast.operations.files import write_private
from holdfast.operations.manager.instance import last_request, with_machine_type
from holdfast_nova import conf
from holdfast_nova.adoption import AdoptsInstances, record_request
from holdfast_nova.attaching import AttachesDevices
from holdfast_nova.before import Before, before_request, before_resize, with_old_flavor
from holdfast_nova.connection import in_nova_terms
from holdfast_nova.deed_recorder import RecordsHistory
from holdfast_nova.disk_copy import CopiesRunningDisks
from holdfast_nova.keeper import AsBefore, Purpose, waits_for_revert
from holdfast_nova.local_images import has_all_local_images
from holdfast_nova.lost_state import MissesLostState
from holdfast_nova.mediated_devices import GivesMediatedDevicesAgain
from holdfast_nova.nova_at_hand import since_34
from holdfast_nova.reconnect import reconnect
from holdfast_nova.serial_ports import release_ports
from holdfast_nova.vtpm import vtpm_secret

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.network.model import NetworkInfo
    from nova.objects.image_meta import ImageMeta
    from nova.objects.instance import Instance
    from nova.objects.migration import Migration
    from nova.objects.share_mapping import ShareMappingList
    from nova.virt.driver import BlockDeviceInfo
    from nova.virt.libvirt.config import LibvirtConfigGuest
    from nova.virt.libvirt.guest import Guest
    from nova.virt.virtapi import VirtAPI

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF
conf.register(CONF)


class HoldfastLibvirtDriver(
    AdoptsInstances, AttachesDevices, CopiesRunningDisks, GivesMediatedDevicesAgain, MissesLostState, RecordsHistory
):
    """``compute_driver = holdfast.HoldfastLibvirtDriver``: see the module."""

    def __init__(self, virtapi: VirtAPI, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._rebuilding: set[str] = set()

    def _undefine_domain(self, instance: Instance, keep_vtpm: bool = False, keep_nvram: bool = False) -> None:
        if self._keeper.of(instance) is not None:
            LOG.debug("The domain is kept.", instance=instance)
            return
        super()._undefine_domain(instance, keep_vtpm=keep_vtpm, keep_nvram=keep_nvram)

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
    ) -> str:
        """As stock; where a change was asked for, the earlier document is generated too, with the same code."""
        generate = partial(
            super()._get_guest_xml,
            context,
            network_info=network_info,
            accel_info=accel_info,
            share_info=share_info,
            old_guest=old_guest,
        )
        kept = self._keeper.of(instance)
        before = None if kept is None or kept.before is None else kept.before(block_device_info)
        with ExitStack() as stack:
            if kept is not None and before is not None:
                for volume in driver.block_device_info_get_mapping(block_device_info):
                    self._connect_volume(context, volume["connection_info"], instance)
                stack.enter_context(self._keeper.connected())
                kept.old = self._generated_before(generate, before, mdevs)
            return generate(
                instance=instance,
                disk_info=disk_info,
                image_meta=image_meta,
                rescue=rescue,
                block_device_info=block_device_info,
                mdevs=mdevs,
            )

    def _generated_before(self, generate: Callable[..., str], before: Before, mdevs: list[str] | None) -> str:
        """What Nova would have generated before, with ``mdevs`` unless others are known."""
        old, image, disks = before.instance, before.image_meta, before.block_device_info
        document = generate(
            instance=old,
            disk_info=blockinfo.get_disk_info(CONF.libvirt.virt_type, old, image, disks),
            image_meta=image,
            block_device_info=disks,
            mdevs=mdevs if before.mdevs is None else before.mdevs,
        )
        release_ports(self, document)
        return document if before.machine is None else with_machine_type(document, before.machine)

    def _serial_ports_already_defined(self, instance: Instance) -> bool:
        """As stock; a domain that is kept has let go of its ports when it was stopped, and another may have them."""
        return self._keeper.of(instance) is None and super()._serial_ports_already_defined(instance)

    def _connect_volume(
        self, context: RequestContext, connection_info: dict[str, object], instance: Instance, encryption: object = None
    ) -> None:
        """As stock, but once where two documents are generated: not every encryptor can be attached twice."""
        if not self._keeper.is_connected:
            super()._connect_volume(context, connection_info, instance, encryption=encryption)

    def _create_guest(
        self,
        context: RequestContext,
        xml: str,
        instance: Instance,
        power_on: bool = True,
        pause: bool = False,
        post_xml_callback: Callable[[], None] | None = None,
    ) -> Guest:
        """Start the domain that is kept, or define a new one, sealed."""
        kept = self._keeper.of(instance)
        if kept is None:
            sealed = self._keeper.sealed(instance, xml)
            guest = super()._create_guest(context, sealed, instance, power_on, pause, post_xml_callback)
            if sealed is not xml:  # what is not sealed is adopted, and sealed then, when nova-compute starts
                self._keeper.record_new(instance)
            return guest
        guest = self._host.get_guest(instance)
        with vtpm_secret(self, context, instance):
            try:
                self._keeper.prepare(instance, xml, kept)
            finally:
                release_ports(self, xml, guest)
            if post_xml_callback is not None:
                post_xml_callback()
            if power_on or pause:
                self.cpu_api.power_up_for_instance(instance)
                if kept.purpose is Purpose.RESCUE:
                    self._keeper.rescue(instance, xml)
                else:
                    self._keeper.refuse_start(instance)
                    guest.launch(pause=pause)
                    self._keeper.record_start(instance)
            return guest

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
    ) -> None:
        """As stock, but a domain that is there already (a rebuild) is kept."""
        with ExitStack() as stack:
            if self._keeper.has_domain(instance):
                before = self._as_requested(instance, image_meta)
                stack.enter_context(self._keeper.keep(instance, Purpose.FOLLOW, before))
                stack.enter_context(self._given_again.allowed(self._get_all_assigned_mediated_devices(instance)))
            super().spawn(
                *(context, instance, image_meta, injected_files, admin_password, allocations),
                *(network_info, block_device_info, power_on, accel_info),
            )
        self._rebuilding.discard(instance.uuid)
        record_request(self, instance)

    def _as_requested(self, instance: Instance, image_meta: ImageMeta) -> AsBefore | None:
        """What the domain was last made for; Nova itself has recorded that in its metadata."""
        with in_nova_terms():
            request = last_request(self._keeper.connection(), instance.uuid)
        return None if request is None else partial(before_request, instance, image_meta, request)

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
    ) -> None:
        """Let the manager rebuild as it does for every driver, and know that this host's domain comes back."""
        if not evacuate:
            self._rebuilding.add(instance.uuid)
        raise NotImplementedError

    def _will_be_recreated(self, instance: Instance) -> bool:
        """True when Nova destroys the domain only to make it anew here: in a rebuild, and to revert a resize."""
        if instance.task_state == task_states.RESIZE_REVERTING:
            return waits_for_revert(instance)
        rebuilds = (task_states.REBUILDING, task_states.REBUILD_BLOCK_DEVICE_MAPPING, task_states.REBUILD_SPAWNING)
        return instance.uuid in self._rebuilding and instance.task_state in rebuilds

    def destroy(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """As stock; a domain that comes back is kept."""
        with ExitStack() as stack:
            if self._will_be_recreated(instance):
                stack.enter_context(self._keeper.keep(instance, Purpose.AS_IT_IS))
                self._keeper.refuse_start(instance, may_follow=True)
                self._keeper.keep_addresses(instance)
            super().destroy(context, instance, network_info, block_device_info, destroy_disks, destroy_secrets)

    def detach_volume(
        self,
        context: RequestContext,
        connection_info: dict[str, object],
        instance: Instance,
        mountpoint: str,
        encryption: object = None,
    ) -> None:
        """As stock; for a rebuild, which attaches it again, only the host lets go of the volume."""
        if self._will_be_recreated(instance) and self._keeper.has_domain(instance):
            self._disconnect_volume(context, connection_info, instance, encryption=encryption)
            return
        super().detach_volume(context, connection_info, instance, mountpoint, encryption=encryption)

    def _hard_reboot(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        share_info: ShareMappingList | None,
        block_device_info: BlockDeviceInfo | None = None,
        accel_info: object = None,
    ) -> None:
        """As stock, which also powers on and starts instances after a host boot by it; the domain is kept."""
        self._keeper.refuse_start(instance, may_follow=True)
        self._keeper.keep_addresses(instance)
        before = self._as_requested(instance, instance.image_meta) if self._keeper.has_domain(instance) else None
        with self._keeper.keep(instance, Purpose.FOLLOW, before):
            super()._hard_reboot(context, instance, network_info, share_info, block_device_info, accel_info)

    def _get_instance_disk_info_from_config(
        self, guest_config: LibvirtConfigGuest, block_device_info: BlockDeviceInfo | None
    ) -> list[dict[str, object]]:
        """As stock; a hard reboot asks it what images it could make again: none need be measured if none is missing."""
        if self._keeper.is_at_work and has_all_local_images(guest_config, block_device_info):
            return []
        return super()._get_instance_disk_info_from_config(guest_config, block_device_info)

    def resume(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        share_info: ShareMappingList | None = None,
    ) -> None:
        """As stock; the domain continues as it was saved."""
        with self._keeper.keep(instance, Purpose.AS_IT_IS):
            super().resume(context, instance, network_info, block_device_info, share_info)

    def _get_existing_domain_xml(
        self,
        instance: Instance,
        network_info: NetworkInfo,
        block_device_info: BlockDeviceInfo | None = None,
        share_info: ShareMappingList | None = None,
    ) -> str:
        """The config document, with what it keeps secret; stock Nova takes the live one of a running guest."""
        try:
            document = self._host.get_guest(instance).get_xml_desc(dump_inactive=True, dump_sensitive=True)
        except exception.InstanceNotFound:
            document = super()._get_existing_domain_xml(instance, network_info, block_device_info, share_info)
        return document

    def rescue(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        image_meta: ImageMeta,
        rescue_password: str,
        block_device_info: BlockDeviceInfo | None,
        share_info: ShareMappingList | None,
    ) -> None:
        """As stock, which writes ``unrescue.xml``; the rescue is started over the domain, which stays defined.

        It has all the disks of the instance: those of one that is off may have other names by now.
        """
        with self._keeper.keep(instance, Purpose.RESCUE):
            if self._keeper.of(instance) is not None and not self._host.get_guest(instance).is_active():
                reconnect(self, self._keeper, context, instance, network_info, block_device_info, share_info)
            # It may hold passwords. Nova opens the file that is there, and so leaves it its mode.
            with in_nova_terms():
                write_private(f"{libvirt_utils.get_instance_path(instance)}/unrescue.xml", "")
            super().rescue(context, instance, network_info, image_meta, rescue_password, block_device_info, share_info)

    def unrescue(self, context: RequestContext, instance: Instance) -> None:
        """As stock; also out of a rescue that the stock driver began."""
        with self._keeper.keep(instance, Purpose.UNRESCUE):
            self._keeper.refuse_start(instance)
            super().unrescue(context, instance)

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
    ) -> None:
        """As stock on another host; a resize on this one applies what the flavors differ in."""
        with ExitStack() as stack:
            if self._keeper.has_domain(instance):
                mdevs = list(self._get_all_assigned_mediated_devices(instance))
                before = partial(before_resize, instance, image_meta, mdevs)
                stack.enter_context(self._keeper.keep(instance, Purpose.RESIZE, before))
            super().finish_migration(
                *(context, migration, instance, disk_info, network_info, image_meta, resize_instance, allocations),
                block_device_info=block_device_info,
                power_on=power_on,
                **since_34(share_info),
            )

    def finish_revert_migration(
        self,
        context: RequestContext,
        instance: Instance,
        network_info: NetworkInfo,
        migration: Migration,
        block_device_info: BlockDeviceInfo | None = None,
        power_on: bool = True,
        share_info: ShareMappingList | None = None,
    ) -> None:
        """As stock; the document from before the resize comes back, or the one that the source of a move still has."""
        with self._keeper.keep(instance, Purpose.REVERT), with_old_flavor(instance):
            if self._keeper.of(instance) is not None:
                assigned = self._get_all_assigned_mediated_devices()
                self._keeper.restore_before(instance)
                self._replace_taken_mdevs(context, instance, assigned, self._keeper.connection())
            super().finish_revert_migration(
                context,
                instance,
                network_info,
                migration,
                block_device_info,
                power_on,
                **since_34(share_info),
            )
