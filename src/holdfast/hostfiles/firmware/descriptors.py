"""Which UEFI firmware this host has: QEMU's firmware descriptors, read and chosen from as libvirt does.

docs/interop/firmware.json of QEMU describes them. A descriptor in /etc hides the one of the same file name in
/usr/share; an empty one only hides. In the order of their file names, the first that fits is taken.
"""

from __future__ import annotations

import fnmatch
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import files
from holdfast.hostfiles.firmware.flash import OLD_BUILD, loader_build
from holdfast.json_value import Json, as_list, as_object, as_text

FOLDERS = ("/usr/share/qemu/firmware", "/etc/qemu/firmware")
"""Where descriptors are, the later hiding the earlier."""

_NONE = {
    None: files.NO_FIRMWARE,
    True: files.NO_FIRMWARE_WITH_SECURE_BOOT,
    False: files.NO_FIRMWARE_WITHOUT_SECURE_BOOT,
}
"""What is wrong where nothing fits, by what was asked of Secure Boot."""


@dataclass(frozen=True)
class Firmware:
    """One UEFI build in flash: the file with its code, the template of its NVRAM, and what it can do.

    ``machines`` maps an architecture to patterns of machine types. The formats are those of the two files.
    """

    loader: str
    template: str
    machines: dict[str, tuple[str, ...]]
    features: frozenset[str]
    format: str = "raw"
    template_format: str = "raw"

    @property
    def secure_boot(self) -> bool:
        """True when it can do Secure Boot."""
        return "secure-boot" in self.features

    @property
    def enrolled_keys(self) -> bool:
        """True when its NVRAM template holds keys, so that Secure Boot is on."""
        return "enrolled-keys" in self.features

    @property
    def smm(self) -> bool:
        """True when it needs system management mode."""
        return "requires-smm" in self.features


def choose_firmware(
    *,
    arch: str,
    machine: str,
    secure_boot: bool | None = None,
    enrolled_keys: bool | None = None,
    smm: bool | None = None,
    loaders: Sequence[str] = (),
    formats: Collection[str] = ("raw",),
    is_upgrade: bool = False,
    folders: Sequence[str] = FOLDERS,
) -> Firmware:
    """The first firmware that fits; None means that nothing was said about it.

    ``machine`` is a versioned type, ``loaders`` the files libvirt names in its domain capabilities (none: no check).
    ``formats`` are those that libvirt can use; an ``is_upgrade`` leaves out old builds.
    Raises NO_FIRMWARE, or NO_FIRMWARE_WITH_SECURE_BOOT or NO_FIRMWARE_WITHOUT_SECURE_BOOT, where nothing fits.
    """
    for firmware in read_firmwares(folders):
        patterns = firmware.machines.get(arch, ())
        if (
            any(fnmatch.fnmatchcase(machine, pattern) for pattern in patterns)
            and secure_boot in (None, firmware.secure_boot)
            and enrolled_keys in (None, firmware.enrolled_keys)
            and not (smm is False and firmware.smm)
            and (not loaders or firmware.loader in loaders)
            and {firmware.format, firmware.template_format} <= {*formats}
            and not (is_upgrade and loader_build(firmware.loader) == OLD_BUILD)
            and Path(firmware.loader).exists()
            and Path(firmware.template).exists()
        ):
            return firmware
    raise _NONE[secure_boot](machine=machine)


def read_firmwares(folders: Sequence[str] = FOLDERS) -> list[Firmware]:
    """All UEFI firmwares in flash that the descriptors describe, in the order in which libvirt tries them.

    Raises UNREADABLE_DESCRIPTOR and DAMAGED_DESCRIPTOR. Those for other hypervisors, architectures' ROMs and formats
    but raw and qcow2 are left out.
    """
    descriptors: dict[str, Path] = {}
    for folder in folders:
        descriptors.update({file.name: file for file in Path(folder).glob("*.json")})
    found = []
    for _, file in sorted(descriptors.items()):
        try:
            text = file.read_text()
            firmware = _firmware(json.loads(text)) if text.strip() else None
        except OSError as error:
            raise files.UNREADABLE_DESCRIPTOR(path=file, reason=error.strerror) from error
        except (ValueError, KeyError, TypeError) as error:
            raise files.DAMAGED_DESCRIPTOR(path=file, reason=error) from error
        if firmware is not None:
            found.append(firmware)
    return found


def _firmware(descriptor: Json) -> Firmware | None:
    said = as_object(descriptor)
    mapping = as_object(said["mapping"])
    if "uefi" not in as_list(said["interface-types"]) or mapping["device"] != "flash":
        return None
    if mapping.get("mode", "split") != "split":
        return None
    code, template = as_object(mapping["executable"]), as_object(mapping["nvram-template"])
    formats = [as_text(each.get("format")) for each in (code, template)]
    if not {"raw", "qcow2"}.issuperset(formats):
        return None
    targets = [as_object(target) for target in as_list(said["targets"])]
    return Firmware(
        as_text(code["filename"]),
        as_text(template["filename"]),
        {as_text(target["architecture"]): tuple(map(as_text, as_list(target["machines"]))) for target in targets},
        frozenset(map(as_text, as_list(said["features"]))),
        *formats,
    )
