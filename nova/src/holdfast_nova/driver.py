"""The compute driver: Nova's own, with one difference. A domain is defined once, and never generated again.

Stock Nova makes a domain's document anew from its database at every hard reboot, power on, host boot, rescue, resize
and rebuild, and undefines the domain on the way. Here the domain's config document in libvirt is kept: while one of
these runs (:mod:`.keeper`), ``_undefine_domain`` leaves the domain alone, and ``_create_guest`` lets the kept document
follow what Nova generated instead of defining that: its host side, the disks and interfaces that Nova has attached or
taken away, and the difference that somebody asked for. All of that is decided in ``holdfast.operations``.

Every override is listed in ``surface.toml`` with the source that it replaces, and a test compares that with Nova's.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import nova.conf
from nova import exception
from nova.compute import task_states
from nova.virt import driver
from nova.virt.libvirt import blockinfo
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging

from holdfast.operations.files import make_private
from holdfast.operations.manager.instance import last_request, with_machine_type
from holdfast.operations.manager.mediated_devices import replace_mediated_devices
from holdfast_nova import conf
from holdfast_nova.adoption import adopt_instance, record_request
from holdfast_nova.before import before_request, before_resize, with_old_flavor
from holdfast_nova.connection import in_nova_terms
from holdfast_nova.disk_copy import copy_disk, move_to_volume, quiesced
from holdfast_nova.keeper import AsBefore, Keeper, Purpose, waits_for_revert
from holdfast_nova.local_images import has_all_local_images
from holdfast_nova.mediated_devices import GivenAgain
from holdfast_nova.reconnect import reconnect
from holdfast_nova.serial_ports import let_go
from holdfast_nova.vtpm import vtpm_secret

LOG = logging.getLogger(__name__)
CONF = nova.conf.CONF
conf.register(CONF)


class HoldfastLibvirtDriver(libvirt_driver.LibvirtDriver):  # type: ignore[misc]
    """``compute_driver = holdfast.HoldfastLibvirtDriver``: see the module."""

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        super().__init__(virtapi, read_only)
        self._keeper = Keeper(self._host)
        self._rebuilding: set[str] = set()
        self._given_again = GivenAgain()

    def _undefine_domain(self, instance: Any, keep_vtpm: bool = False, keep_nvram: bool = False) -> None:
        if self._keeper.of(instance) is not None:
            LOG.debug("The domain is kept.", instance=instance)
            return
        super()._undefine_domain(instance, keep_vtpm=keep_vtpm, keep_nvram=keep_nvram)

    def _get_guest_xml(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        disk_info: Any,
        image_meta: Any,
        rescue: Any = None,
        block_device_info: Any = None,
        **others: Any,
    ) -> str:
        """As stock; where a difference was asked for, the document from before is generated too, with the same code."""
        with ExitStack() as stack:
            kept = self._keeper.of(instance)
            if kept is not None and kept.before is not None and kept.before(block_device_info) is not None:
                for volume in driver.block_device_info_get_mapping(block_device_info):
                    self._connect_volume(context, volume["connection_info"], instance)
                stack.enter_context(self._keeper.connected())
                kept.old = self._generated_before(context, network_info, kept.before(block_device_info), others)
            document: str = super()._get_guest_xml(
                context, instance, network_info, disk_info, image_meta, rescue, block_device_info, **others
            )
        return document

    def _generated_before(self, context: Any, network_info: Any, before: Any, others: dict[str, Any]) -> str:
        """What Nova would have generated before."""
        mdevs = {} if before.mdevs is None else {"mdevs": before.mdevs}
        old, image, disks = before.instance, before.image_meta, before.block_device_info
        info = blockinfo.get_disk_info(CONF.libvirt.virt_type, old, image, disks)
        document: str = super()._get_guest_xml(
            context, old, network_info, info, image, block_device_info=disks, **{**others, **mdevs}
        )
        let_go(self, document)
        return document if before.machine is None else with_machine_type(document, before.machine)

    def _serial_ports_already_defined(self, instance: Any) -> bool:
        """As stock; a domain that is kept has let go of its ports when it was stopped, and another may have them."""
        return self._keeper.of(instance) is None and super()._serial_ports_already_defined(instance)

    def _connect_volume(self, context: Any, connection_info: Any, instance: Any, encryption: Any = None) -> None:
        """As stock, but once where two documents are generated: not every encryptor can be attached twice."""
        if not self._keeper.is_connected:
            super()._connect_volume(context, connection_info, instance, encryption=encryption)

    def _create_guest(
        self,
        context: Any,
        xml: str,
        instance: Any,
        power_on: bool = True,
        pause: bool = False,
        post_xml_callback: Callable[[], None] | None = None,
    ) -> Any:
        """Start the domain that is kept, or define a new one, sealed."""
        kept = self._keeper.of(instance)
        if kept is None:
            sealed = self._keeper.sealed(instance, xml)
            return super()._create_guest(context, sealed, instance, power_on, pause, post_xml_callback)
        guest = self._host.get_guest(instance)
        with vtpm_secret(self, context, instance):
            try:
                self._keeper.prepare(instance, xml, kept)
            finally:
                let_go(self, xml, guest)
            if post_xml_callback is not None:
                post_xml_callback()
            if power_on or pause:
                self.cpu_api.power_up_for_instance(instance)
                if kept.purpose is Purpose.RESCUE:
                    self._keeper.rescue(instance, xml)
                else:
                    guest.launch(pause=pause)
            return guest

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
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

    def _get_all_assigned_mediated_devices(self, instance: Any = None) -> dict[str, str]:
        """As stock; asked for what is not free, it leaves out what this thread gives to its domain again."""
        assigned: dict[str, str] = super()._get_all_assigned_mediated_devices(instance)
        return {mdev: uuid for mdev, uuid in assigned.items() if instance or mdev not in self._given_again.uuids}

    def _get_existing_mdevs_not_assigned(self, parent: Any, requested_types: Any = None) -> Any:
        """As stock; what a domain is given again comes last, from where Nova takes the first."""
        free, own = super()._get_existing_mdevs_not_assigned(parent, requested_types), self._given_again.uuids
        return sorted(free, key=own.__contains__) if own else free

    def _as_requested(self, instance: Any, image_meta: Any) -> AsBefore | None:
        """What the domain was last made for; Nova itself has recorded that in its metadata."""
        with in_nova_terms():
            request = last_request(self._keeper.connection(), instance.uuid)
        return None if request is None else partial(before_request, instance, image_meta, request)

    def rebuild(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        bdms: Any,
        detach_block_devices: Any,
        attach_block_devices: Any,
        network_info: Any = None,
        evacuate: bool = False,
        block_device_info: Any = None,
        preserve_ephemeral: bool = False,
        accel_uuids: Any = None,
        reimage_boot_volume: bool = False,
    ) -> None:
        """Let the manager rebuild as it does for every driver, and know that this host's domain comes back."""
        if not evacuate:
            self._rebuilding.add(instance.uuid)
        raise NotImplementedError

    def _will_be_recreated(self, instance: Any) -> bool:
        """True when Nova destroys the domain only to make it anew here: in a rebuild, and to revert a resize."""
        if instance.task_state == task_states.RESIZE_REVERTING:
            return waits_for_revert(instance)
        rebuilds = (task_states.REBUILDING, task_states.REBUILD_BLOCK_DEVICE_MAPPING, task_states.REBUILD_SPAWNING)
        return instance.uuid in self._rebuilding and instance.task_state in rebuilds

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """As stock; a domain that comes back is kept."""
        with ExitStack() as stack:
            if self._will_be_recreated(instance):
                stack.enter_context(self._keeper.keep(instance, Purpose.AS_IT_IS))
            super().destroy(context, instance, network_info, block_device_info, destroy_disks, destroy_secrets)

    def detach_volume(
        self, context: Any, connection_info: Any, instance: Any, mountpoint: str, encryption: Any = None
    ) -> None:
        """As stock; for a rebuild, which attaches it again, only the host lets go of the volume."""
        if self._will_be_recreated(instance) and self._keeper.has_domain(instance):
            self._disconnect_volume(context, connection_info, instance, encryption=encryption)
            return
        super().detach_volume(context, connection_info, instance, mountpoint, encryption=encryption)

    def _hard_reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        share_info: Any,
        block_device_info: Any = None,
        accel_info: Any = None,
    ) -> None:
        """As stock, which also powers on and starts instances after a host boot by it; the domain is kept."""
        before = None
        if self._keeper.has_domain(instance):
            before = self._as_requested(instance, instance.image_meta)
        with self._keeper.keep(instance, Purpose.FOLLOW, before):
            super()._hard_reboot(context, instance, network_info, share_info, block_device_info, accel_info)

    def _get_instance_disk_info_from_config(self, guest_config: Any, block_device_info: Any) -> Any:
        """As stock; a hard reboot asks it what images it could make again, which need not be measured if none lacks."""
        if self._keeper.is_at_work and has_all_local_images(guest_config, block_device_info):
            return []
        return super()._get_instance_disk_info_from_config(guest_config, block_device_info)

    def resume(
        self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None, share_info: Any = None
    ) -> None:
        """As stock; the domain continues as it was saved."""
        with self._keeper.keep(instance, Purpose.AS_IT_IS):
            super().resume(context, instance, network_info, block_device_info, share_info)

    def _get_existing_domain_xml(
        self, instance: Any, network_info: Any, block_device_info: Any = None, share_info: Any = None
    ) -> str:
        """The config document, with what it keeps secret; stock Nova takes the live one of a running guest."""
        try:
            document: str = self._host.get_guest(instance).get_xml_desc(dump_inactive=True, dump_sensitive=True)
        except exception.InstanceNotFound:
            document = super()._get_existing_domain_xml(instance, network_info, block_device_info, share_info)
        return document

    def rescue(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        image_meta: Any,
        rescue_password: Any,
        block_device_info: Any,
        share_info: Any,
    ) -> None:
        """As stock, which leaves ``unrescue.xml``; the rescue is started over the domain, which stays defined.

        It has all the disks of the instance: those of one that is off may be called otherwise by now.
        """
        with self._keeper.keep(instance, Purpose.RESCUE):
            if self._keeper.of(instance) is not None and not self._host.get_guest(instance).is_active():
                reconnect(self, self._keeper, context, instance, network_info, block_device_info, share_info)
            try:
                super().rescue(
                    context, instance, network_info, image_meta, rescue_password, block_device_info, share_info
                )
            finally:
                make_private(f"{libvirt_utils.get_instance_path(instance)}/unrescue.xml")  # it may hold passwords

    def unrescue(self, context: Any, instance: Any) -> None:
        """As stock; also out of a rescue that the stock driver began."""
        with self._keeper.keep(instance, Purpose.UNRESCUE):
            super().unrescue(context, instance)

    def finish_migration(
        self,
        context: Any,
        migration: Any,
        instance: Any,
        disk_info: Any,
        network_info: Any,
        image_meta: Any,
        resize_instance: bool,
        allocations: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
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
                share_info=share_info,
            )

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        """As stock; the document from before the resize comes back, or the one that the source of a move still has."""
        with self._keeper.keep(instance, Purpose.REVERT), with_old_flavor(instance):
            if self._keeper.of(instance) is not None:
                assigned = self._get_all_assigned_mediated_devices()
                self._keeper.restore_before(instance)
                self._replace_taken_mdevs(context, instance, assigned)
            super().finish_revert_migration(
                context, instance, network_info, migration, block_device_info, power_on, share_info
            )

    def _replace_taken_mdevs(self, context: Any, instance: Any, assigned: dict[str, str]) -> None:
        """Since the resize another instance may have a mediated device of the document from before; see ``assigned``.

        Raises ComputeResourcesUnavailable where there is no other.
        """
        own = self._get_all_assigned_mediated_devices(instance).keys()
        taken = [mdev for mdev in own if assigned.get(mdev, instance.uuid) != instance.uuid]
        if taken:
            allocations = self.virtapi.reportclient.get_allocations_for_consumer(context, instance.uuid)
            with self._given_again.allowed(own - set(taken)):
                others = [mdev for mdev in self._allocate_mdevs(allocations) if mdev not in own]
            with in_nova_terms():
                replace_mediated_devices(
                    self._keeper.connection(), instance.uuid, dict(zip(taken, others, strict=True))
                )

    def process_instances_at_startup(self, context: Any, instances: Any) -> Any:
        """As stock; then the domains that the stock driver made are adopted, as they stand."""
        instances = super().process_instances_at_startup(context, instances)
        for instance in instances:
            try:
                if self._keeper.has_domain(instance):
                    adopt_instance(self, self._keeper, instance)
            except Exception:
                # One domain must not keep the compute service from starting.
                LOG.exception("The domain could not be adopted; it is kept all the same.", instance=instance)
        return instances

    def _live_snapshot(
        self,
        context: Any,
        instance: Any,
        guest: Any,
        disk_path: str,
        out_path: str,
        source_format: str,
        image_format: str,
        image_meta: Any,
    ) -> None:
        """A copy of the root disk of a running guest; stock Nova undefines the domain for the time of the copy."""
        if self._requires_quiesce(image_meta):
            self._can_quiesce(instance, image_meta)
        quiet = quiesced(self, context, instance, image_meta)
        copy_disk(guest, disk_path, source_format, out_path, image_format, quiet)

    def _swap_volume(self, guest: Any, disk_dev: str, conf: Any, resize_to: int) -> None:
        """A disk goes on on another volume, in both documents; stock Nova undefines the domain for that time, too."""
        move_to_volume(guest, disk_dev, conf, resize_to)
