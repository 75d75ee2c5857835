"""A UEFI firmware that this host has, for a guest whose own is gone or goes, with the variables of its NVRAM."""

from __future__ import annotations

from holdfast.domainxml.document import Element
from holdfast.domainxml.elements.firmware import nvram_format, set_firmware, set_nvram_format
from holdfast.domainxml.platform import Platform
from holdfast.errors import NotFound, files
from holdfast.hostfiles.firmware.descriptors import Firmware, choose_firmware
from holdfast.hostfiles.firmware.flash import OLD_BUILD, loader_build
from holdfast.hostfiles.firmware.nvram_file import read_nvram
from holdfast.hostfiles.firmware.virt_firmware import move_variables, nvram_from
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.nvram_upgrade import (
    NvramUpgrade,
    OpenedNvram,
    nothing_to_upgrade,
    opened_nvram,
    replace_nvram,
    take_back_upgrade,
)
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.name_firmware import firmware_formats
from holdfast.operations.own_state import unfit_nvram


def upgrade_firmware(connection: Connection, name: str, *, accept: bool = False, dry_run: bool = False) -> NvramUpgrade:
    """Move the domain ``name`` to a UEFI firmware of this host, where its own is a 2 MB build, or is not here any more.

    All variables go along: boot entries, Secure Boot keys, what the guest has written. The domain must be shut off; its
    NVRAM of before is kept. ``accept`` takes that a disk sealed with the TPM asks for its recovery key.

    Raises NO_FIRMWARE and the like where the host has none that fits, NO_VIRT_FIRMWARE,
    VIRT_FIRMWARE_FAILED, VARIABLES_UNCLEAR, WANTS_RECOVERY_KEY, and what :func:`.nvram_upgrade.opened_nvram` and the
    proved edit do; then nothing was changed.
    """
    with opened_nvram(connection, name, dry_run=dry_run) as opened:
        if not _is_needed(opened):
            return nothing_to_upgrade(opened, "firmware", dry_run)
        nvram = None if opened.content is None else nvram_from(opened.content)
        firmware = _choose(opened, nvram is not None and "PK" in nvram.names)
        if nvram is not None:
            nvram = move_variables(nvram, _template(firmware))

        def touch(document: Element) -> None:
            set_firmware(
                document,
                loader=firmware.loader,
                template=firmware.template,
                smm=opened.flash.secure,
                format=firmware.format,
                template_format=firmware.template_format,
            )
            if nvram_format(opened.config) != "raw":
                set_nvram_format(document, nvram_format(opened.config))

        return replace_nvram(opened, "firmware", nvram, touch, accept=accept, dry_run=dry_run)


def take_back_firmware(
    connection: Connection, name: str, *, accept: bool = False, dry_run: bool = False
) -> NvramUpgrade:
    """Take back :func:`upgrade_firmware`, as :func:`.nvram_upgrade.take_back_upgrade` does."""
    return take_back_upgrade(connection, name, "firmware", lambda before: before, accept=accept, dry_run=dry_run)


def _is_needed(opened: OpenedNvram) -> bool:
    loader = opened.flash.loader
    if file_exists(loader) is False or loader_build(loader) == OLD_BUILD:
        return True
    return unfit_nvram(opened.domain.connection, opened.config) is not None


def _choose(opened: OpenedNvram, has_keys: bool) -> Firmware:
    """The firmware of this host that is like the one of before: with Secure Boot or without, keys enrolled or not."""
    capabilities = host_capabilities(opened.domain.connection, Platform.of(opened.config))

    def choose(enrolled: bool | None) -> Firmware:
        return choose_firmware(
            arch=capabilities.arch,
            machine=capabilities.machine,
            secure_boot=opened.flash.secure,
            enrolled_keys=enrolled,
            loaders=capabilities.loaders,
            formats=firmware_formats(opened.domain.connection),
            is_upgrade=True,
        )

    try:
        return choose(has_keys)
    except NotFound:
        return choose(None)


def _template(firmware: Firmware) -> bytes:
    content = read_nvram(firmware.template)
    if content is None:
        raise files.NO_FILE(path=firmware.template)
    return content
