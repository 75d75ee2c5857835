"""What Nova asked for before: copies of an instance as it was, to generate the old side of a difference from.

Generating a document assigns fields of the instance and of its volumes: none of these copies is ever saved.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

from nova.virt.libvirt import driver as libvirt_driver
from oslo_log import log as logging

from holdfast.operations.manager.instance import NovaRequest

if TYPE_CHECKING:
    from nova.objects.flavor import Flavor
    from nova.objects.image_meta import ImageMeta, ImageMetaProps
    from nova.objects.instance import Instance
    from nova.virt.driver import BlockDeviceInfo

LOG = logging.getLogger(__name__)
_MACHINE = "hw_machine_type"
_SIZE = re.compile("[0-9]{1,9}")


@dataclass(frozen=True)
class Before:
    """An instance with what belongs to it as Nova had asked for it; all are copies.

    ``mdevs`` are the mediated devices that its domain has, None for those that the new side is given. ``machine`` is
    the machine type where that was another one of the same family, which Nova might refuse to generate by now.
    """

    instance: Instance
    image_meta: ImageMeta
    block_device_info: BlockDeviceInfo | None
    mdevs: list[str] | None = None
    machine: str | None = None


def before_resize(
    instance: Instance, image_meta: ImageMeta, mdevs: list[str], block_device_info: BlockDeviceInfo | None
) -> Before:
    """``instance`` under its old flavor and its old migration context, with the swap disk that flavor gave it."""
    old, disks = _copy(instance), _unsaved(block_device_info)
    if old.migration_context is not None:
        old.revert_migration_context()
    flavor, new = instance.old_flavor, instance.new_flavor
    assert flavor is not None and new is not None  # Nova has set both before it calls a driver
    if disks is not None and flavor.swap != new.swap:
        disks["swap"] = None
    old.flavor = copy.deepcopy(flavor)
    return Before(old, copy.deepcopy(image_meta), disks, mdevs)


def before_request(
    instance: Instance, image_meta: ImageMeta, request: NovaRequest, block_device_info: BlockDeviceInfo | None
) -> Before | None:
    """``instance`` as its domain was last made for it; None where that is what it is today.

    A flavor differs where a resize was interrupted, properties where an operator changed them, and those and the kind
    of the image where the instance is rebuilt of another one. What Nova fills in from its own defaults, and forgets at
    a rebuild of the same image, is no change; nor is what cannot be read back.
    """
    flavor, kernel, disk_format = _flavor(instance.flavor, request), {}, None
    is_same_image = "id" in image_meta and image_meta.id == request.image
    if "id" in image_meta and not is_same_image:
        kernel, disk_format = _kernel(instance, request), _disk_format(image_meta, request)
        if request.properties is None:
            LOG.warning(
                "The properties of the previous image are not recorded: the hardware that they asked for stays.",
                instance=instance,
            )
    now = {name: str(value) for name, value in image_meta.properties.to_dict().items()}
    recorded = now if request.properties is None else request.properties
    said = recorded.keys() & now.keys() if is_same_image else recorded.keys()
    filled_in = set(libvirt_driver.REGISTER_IMAGE_PROPERTY_DEFAULTS) - said
    changed = {name for name in now.keys() | recorded.keys() if now.get(name) != recorded.get(name)} - filled_in
    if flavor is None and disk_format is None and not kernel and not changed:
        return None
    machine = recorded.get(_MACHINE)
    if _MACHINE in changed and machine is not None and ("q35" in machine) == ("q35" in now.get(_MACHINE, "")):
        changed.remove(_MACHINE)
    else:
        machine = None
    old, image = _copy(instance), copy.deepcopy(image_meta)
    if flavor is not None:
        old.flavor = flavor
    for name in sorted(changed):
        _set(image.properties, name, recorded.get(name), instance)
    if "os_type" in changed:
        old.os_type = recorded.get("os_type")
    for name, value in kernel.items():
        setattr(old, name, value)
    if disk_format is not None:
        image.disk_format = disk_format
    return Before(old, image, _unsaved(block_device_info), machine=machine)


@contextmanager
def with_old_flavor(instance: Instance) -> Iterator[None]:
    """Within, ``instance`` has an old flavor: a revert in Nova 34 reads it, and a resize cut off early has set none."""
    if instance.old_flavor is not None:
        yield
        return
    instance.old_flavor = instance.flavor
    try:
        yield
    finally:
        instance.old_flavor = None


def _copy(instance: Instance) -> Instance:
    """A copy that shares nothing which generating a document writes to (a deep copy of Nova's shares its dicts)."""
    old = copy.deepcopy(instance)
    old.system_metadata = dict(instance.system_metadata)
    if "vcpu_model" in instance:
        old.vcpu_model = copy.deepcopy(instance.vcpu_model)
    return old


def _flavor(flavor: Flavor, request: NovaRequest) -> Flavor | None:
    """``flavor`` with the size that the domain was made with; None where it has that size."""
    specs = flavor.extra_specs if request.extra_specs is None else request.extra_specs
    was, now = (request.vcpus, request.memory, specs), (str(flavor.vcpus), str(flavor.memory_mb), flavor.extra_specs)
    if was == now or not all(_SIZE.fullmatch(size) for size in (request.vcpus, request.memory)):
        return None
    old = copy.deepcopy(flavor)
    old.vcpus, old.memory_mb, old.extra_specs = int(request.vcpus), int(request.memory), dict(specs)
    return old


def _kernel(instance: Instance, request: NovaRequest) -> dict[str, str]:
    """What to set in Nova's fields for kernel and ramdisk where the domain was made with others; any text does as an
    id.

    Nova keeps the two under these names in the folder of the instance. One that is elsewhere was put there by an
    operator.
    """
    found: dict[str, str] = {}
    for name, path in (("kernel", request.kernel), ("ramdisk", request.ramdisk)):
        file, field = PurePath(path or ""), f"{name}_id"
        had = file.name == name and file.parent.name == instance.uuid
        if had != bool(getattr(instance, field)):
            found[field] = name if had else ""
    return found


def _disk_format(image_meta: ImageMeta, request: NovaRequest) -> str | None:
    """The format of the previous image, where the root disk is another device because of it: a CD for an ISO."""
    now = image_meta.disk_format if "disk_format" in image_meta else ""
    return request.disk_format if request.disk_format and (request.disk_format == "iso") != (now == "iso") else None


def _unsaved(block_device_info: BlockDeviceInfo | None) -> BlockDeviceInfo | None:
    """A copy whose volumes write nothing to the database."""
    copied = copy.deepcopy(block_device_info)
    for volume in (copied or {}).get("block_device_mapping") or ():
        if hasattr(volume, "save"):
            volume.save = lambda: None
    return copied


def _set(properties: ImageMetaProps, name: str, text: str | None, instance: Instance) -> None:
    if text is None:
        if name in properties:
            delattr(properties, f"_obj_{name}")  # where oslo.versionedobjects keeps a field
        return
    try:
        setattr(properties, name, text)
    except (ValueError, AttributeError):
        LOG.warning("The recorded image property %s cannot be read back: %r", name, text, instance=instance)
