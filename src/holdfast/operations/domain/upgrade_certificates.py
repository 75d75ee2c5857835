"""Microsoft's certificates of 2023 for a guest whose Secure Boot has those of 2011 only, which have expired."""

from __future__ import annotations

from dataclasses import replace

from holdfast.domainxml.document import Element
from holdfast.errors import firmware as errors
from holdfast.hostfiles.firmware.nvram_file import read_nvram
from holdfast.hostfiles.firmware.virt_firmware import Nvram, missing_successors, nvram_from, with_successors
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.domain.nvram_upgrade import (
    NvramUpgrade,
    nothing_to_upgrade,
    opened_nvram,
    replace_nvram,
    take_back_upgrade,
)


def upgrade_certificates(
    connection: Connection, name: str, *, accept: bool = False, dry_run: bool = False
) -> NvramUpgrade:
    """Add to KEK and db of the domain ``name`` each certificate of 2023 whose predecessor of 2011 is there.

    PK and dbx stay as they are. The domain must be shut off; its NVRAM of before is kept. ``accept`` takes that a disk
    sealed with the TPM asks for its recovery key.

    Raises NO_VIRT_FIRMWARE, NO_CERTIFICATES, VIRT_FIRMWARE_FAILED, VARIABLES_UNCLEAR, WANTS_RECOVERY_KEY, and what
    :func:`.nvram_upgrade.opened_nvram` and the proved edit do; then nothing was changed.
    """
    with opened_nvram(connection, name, dry_run=dry_run) as opened:
        content = opened.content
        if content is None:  # the first start would begin from the template
            content = read_nvram(opened.flash.template) if opened.flash.template else None
        if content is None:
            raise errors.NO_NVRAM_YET(name=opened.domain.name)
        nvram = nvram_from(content)
        lacking = missing_successors(nvram)
        if not lacking:
            return nothing_to_upgrade(opened, "certificates", dry_run, nvram)
        made = with_successors(nvram, lacking)
        done = replace_nvram(opened, "certificates", made, _nothing, accept=accept, dry_run=dry_run)
        return replace(done, added=tuple(each.of_2023 for each in lacking))


def take_back_certificates(
    connection: Connection, name: str, *, accept: bool = False, dry_run: bool = False
) -> NvramUpgrade:
    """Take back :func:`upgrade_certificates`, as :func:`.nvram_upgrade.take_back_upgrade` does."""

    def again(before: Nvram) -> Nvram:
        lacking = missing_successors(before)
        return with_successors(before, lacking) if lacking else before

    return take_back_upgrade(connection, name, "certificates", again, accept=accept, dry_run=dry_run)


def _nothing(document: Element) -> None:
    """Nothing but the NVRAM is replaced."""
