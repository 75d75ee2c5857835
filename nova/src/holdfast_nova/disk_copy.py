"""Copying the disks of a running guest while its domain stays defined.

libvirt copies a disk of a persistent domain only with a job that it forgets together with the guest
(virDomainBlockCopy, TRANSIENT_JOB; libvirt 6.0). Such a job ends with QEMU, and the source stays what it is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import nova.privsep.path
from nova import exception
from nova.virt.libvirt import config as vconfig
from nova.virt.libvirt import driver as libvirt_driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_log import log as logging
from oslo_utils import fileutils, units

LOG = logging.getLogger(__name__)


def copy_disk(
    guest: Any, path: str, source_format: str, out_path: str, out_format: str, quiet: AbstractContextManager[None]
) -> None:
    """Copy the disk whose image is ``path`` to ``out_path``.

    It ends inside of ``quiet``, which keeps the guest from writing; all but that end is done while it writes on. Raises
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
def quiesced(driver: Any, context: Any, instance: Any, image_meta: Any) -> Iterator[None]:
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


def move_to_volume(guest: Any, target: str, conf: Any, resize_to: int) -> None:
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
def _job(device: Any) -> Iterator[None]:
    """No job of an earlier attempt is left before, none of this one after a failure."""
    _abort(device)
    try:
        yield
    except BaseException:
        _abort(device)
        raise


def _abort(device: Any) -> None:
    try:
        device.abort_job()
    except libvirt_driver.libvirt.libvirtError as error:
        LOG.debug("There is no block job to abort: %s", error)


def _wait_for(device: Any) -> None:
    while not device.is_job_complete():
        time.sleep(0.5)
