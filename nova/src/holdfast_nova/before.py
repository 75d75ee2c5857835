"""What Nova asked for before: copies of an instance as it was, to generate the old side of a difference from.

Generating a document assigns fields of the instance: nothing here is ever saved, and nothing is allocated.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from nova.virt.libvirt import driver as libvirt_driver
from oslo_log import log as logging

LOG = logging.getLogger(__name__)
_MACHINE = "hw_machine_type"


@dataclass(frozen=True)
class Before:
    """An instance with what belongs to it as Nova had asked for it; all are copies.

    ``mdevs`` are the mediated devices that its domain has, None for those that the new side is given. ``machine`` is
    the machine type where that was another one of the same family, which Nova might refuse to generate by now.
    """

    instance: Any
    image_meta: Any
    block_device_info: Any
    mdevs: list[str] | None = None
    machine: str | None = None


def before_resize(instance: Any, image_meta: Any, block_device_info: Any, mdevs: list[str]) -> Before:
    """``instance`` under its old flavor and its old migration context, with the swap disk that flavor gave it."""
    old, disks = copy.deepcopy(instance), copy.deepcopy(block_device_info)
    if old.migration_context is not None:
        old.revert_migration_context()
    if disks is not None and instance.old_flavor.swap != instance.new_flavor.swap:
        disks["swap"] = None
    old.flavor = copy.deepcopy(instance.old_flavor)
    return Before(old, copy.deepcopy(image_meta), disks, mdevs)


def before_properties(
    instance: Any, image_meta: Any, block_device_info: Any, recorded: dict[str, str]
) -> Before | None:
    """``instance`` with the image properties that its domain records; None where they are those of today.

    What Nova has filled in itself since, so that its own defaults do not move, is none; a property that cannot be read
    back from its text counts as unchanged.
    """
    now = {name: str(value) for name, value in image_meta.properties.to_dict().items()}
    filled_in = set(libvirt_driver.REGISTER_IMAGE_PROPERTY_DEFAULTS) - recorded.keys()
    changed = {name for name in now.keys() | recorded.keys() if now.get(name) != recorded.get(name)} - filled_in
    if not changed:
        return None
    machine = recorded.get(_MACHINE)
    if _MACHINE in changed and machine is not None and ("q35" in machine) == ("q35" in now.get(_MACHINE, "")):
        changed.remove(_MACHINE)
    else:
        machine = None
    old = copy.deepcopy(image_meta)
    for name in sorted(changed):
        _set(old.properties, name, recorded.get(name), instance)
    return Before(copy.deepcopy(instance), old, copy.deepcopy(block_device_info), machine=machine)


def _set(properties: Any, name: str, text: str | None, instance: Any) -> None:
    if text is None:
        if name in properties:
            delattr(properties, f"_obj_{name}")  # where oslo.versionedobjects keeps a field
        return
    try:
        setattr(properties, name, text)
    except (ValueError, AttributeError):
        LOG.warning("The recorded image property %s cannot be read back: %r", name, text, instance=instance)
