"""Copying the disks of a running guest while its domain stays defined.

libvirt copies a disk of a persistent domain only with a job that it forgets together with the guest
(virDomainBlockCopy, TRANSIENT_JOB; libvirt 6.0). Such a job ends with QEMU, and the source stays what it is.

These are Nova's calls in Nova's order but for that flag, and not :mod:`holdfast.operations.disks.copy`: a snapshot
leaves the disk where it is, and of a volume that Cinder has made nova-compute may not even read the size.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

import nova.privsep.path
from nova import exception
from nova.virt.libvirt import config as vconfig
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging
from oslo_utils import fileutils, units

if TYPE_CHECKING:
    from nova.context import RequestContext
    from nova.objects.image_meta import ImageMeta
    from nova.objects.instance import Instance
    from nova.virt.libvirt.config import LibvirtConfigGuestDisk
    from nova.virt.libvirt.driver import LibvirtDriver
    from nova.virt.libvirt.guest import BlockDevice, Guest

LOG = logging.getLogger(__name__)


def copy_disk(
    guest: Guest, path: str, source_format: str, out_path: str, out_format: str, quiet: AbstractContextManager[None]
) -> None:
    """Copy the disk whose image is ``path`` to ``out_path``.

    It ends within ``quiet``, which keeps the guest from writing; all but that end is done while it writes on. Raises
    libvirtError where the copy fails.
    """
    delta = f"{out_path}.delta"
    size = libvirt_utils.get_disk_size(path, format=source_format)
    backing = libvirt_utils.get_disk_backing_file(path, format=source_format, basename=False)
    libvirt_utils.create_image(delta, "qcow2", size, backing_file=backing)
    target = vconfig.LibvirtConfigGuestDisk()
    target.source_type, target.source_path, target.driver_format = "file", delta, "qcow2"
    target.target_dev, target.target_bus = "vda", "virtio"  # the element needs them, and nobody reads them
    device = guest.get_block_device(path)
    with _job(device):
        device.copy(target.to_xml(), shallow=True, reuse_ext=True, transient=True)
        _wait_for(device)
        with quiet:
            device.abort_job()
    nova.privsep.path.chown(delta, uid=os.getuid())
    libvirt_utils.extract_snapshot(delta, "qcow2", out_path, out_format)
    fileutils.delete_if_exists(delta)


@contextmanager
def quiesced(
    driver: LibvirtDriver, context: RequestContext, instance: Instance, image_meta: ImageMeta
) -> Iterator[None]:
    """The guest's file systems are frozen meanwhile, where it has an agent that does it."""
    try:
        driver.quiesce(context, instance, image_meta)
    except exception.NovaException as error:
        LOG.info("The guest is not quiesced: %s", error, instance=instance)
        yield
        return
    try:
        yield
    finally:
        driver.unquiesce(context, instance, image_meta)


def move_to_volume(guest: Guest, target: str, conf: LibvirtConfigGuestDisk, resize_to: int) -> None:
    """Copy the disk ``target`` to the volume of ``conf`` and go on there; libvirt writes that into both documents.

    ``resize_to`` is in GiB, 0 for as it is. Raises VolumeRebaseFailed. (virDomainBlockCopy, virDomainBlockJobAbort)
    """
    device = guest.get_block_device(target)
    try:
        with _job(device):
            device.copy(conf.to_xml(), reuse_ext=True, transient=True)
            _wait_for(device)
            device.abort_job(pivot=True)
    except Exception as error:
        raise exception.VolumeRebaseFailed(reason=str(error)) from error
    if resize_to:
        device.resize(resize_to * units.Gi)


@contextmanager
def _job(device: BlockDevice) -> Iterator[None]:
    """Abort leftovers of an earlier attempt first, and this job if it fails."""
    _abort(device)
    try:
        yield
    except BaseException:
        _abort(device)
        raise


def _abort(device: BlockDevice) -> None:
    try:
        device.abort_job()
    except libvirt_driver.libvirt.libvirtError as error:
        LOG.debug("There is no block job to abort: %s", error)


def _wait_for(device: BlockDevice) -> None:
    while not device.is_job_complete():
        time.sleep(0.5)


class CopiesRunningDisks(libvirt_driver.LibvirtDriver):
    """The part of the driver that copies disks of running guests, for which stock Nova undefines the domain."""

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
    ) -> None:
        """A copy of the root disk of a running guest; stock Nova undefines the domain for the time of the copy."""
        if self._requires_quiesce(image_meta):
            self._can_quiesce(instance, image_meta)
        quiet = quiesced(self, context, instance, image_meta)
        copy_disk(guest, disk_path, source_format, out_path, image_format, quiet)

    def _swap_volume(self, guest: Guest, disk_dev: str, conf: LibvirtConfigGuestDisk, resize_to: int) -> None:
        """A disk continues on another volume, in both documents; stock Nova undefines the domain for that time, too."""
        move_to_volume(guest, disk_dev, conf, resize_to)
