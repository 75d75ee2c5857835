"""Findings about UEFI firmware: files that are gone or go, variables that do not fit, certificates that expire.

Files are looked at on this machine only; those that many domains name, once.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from holdfast.domainxml.elements.firmware import Flash
from holdfast.domainxml.host.state_files import StateFile, StateKind
from holdfast.hostfiles.firmware.flash import OLD_BUILD, loader_build, missing_2023_certificates
from holdfast.hostfiles.images.new_image import file_exists
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.audit.judge import Judgement
from holdfast.operations.audit.report import Finding, FindingKind
from holdfast.operations.own_state import why_unfit
from holdfast.text import plural


class FirmwareLook:
    """The firmware of the domains of one host, as they come by. Threads may share it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._build = cache(loader_build)
        self._exists = cache(file_exists)
        self._unread = 0

    def findings(self, verdict: Judgement) -> Iterator[Finding]:
        """What is found about the firmware of the domain with this verdict."""
        if verdict.flash is None or not (self._connection.is_local and self._connection.is_usual):
            return
        yield from self._files(verdict.flash)
        for nvram in (file for file in verdict.state if file.kind is StateKind.NVRAM):
            if why := why_unfit(self._connection, verdict.flash, nvram):
                yield Finding(FindingKind.WOULD_NOT_START, why)
            else:  # Debian's OVMF does Secure Boot also where it is not secure='yes'
                yield from self._certificates(nvram)

    def _files(self, flash: Flash) -> Iterator[Finding]:
        if self._build(flash.loader) == OLD_BUILD:
            sentence = (
                f"its firmware {flash.loader} is a {OLD_BUILD} build, which newer distributions no longer have: "
                "Debian 13, Ubuntu 24.04"
            )
            yield Finding(FindingKind.EXPIRING_FIRMWARE, sentence)
        if flash.template and self._exists(flash.template) is False:
            sentence = f"{flash.template}, from which a lost NVRAM would be made anew, is gone"
            yield Finding(FindingKind.EXPIRING_FIRMWARE, sentence)

    def _certificates(self, nvram: StateFile) -> Iterator[Finding]:
        lacks = missing_2023_certificates(nvram.path) if self._exists_now(nvram) else []
        if lacks is None:
            self._unread += 1
        elif lacks:
            sentence = f"its NVRAM has Microsoft's certificates of 2011, which have expired, but not {lacks[0]}"
            more = f" (and {len(lacks) - 1} more of 2023)" if len(lacks) > 1 else ""
            yield Finding(FindingKind.EXPIRING_CERTIFICATES, sentence + more)

    @staticmethod
    def _exists_now(nvram: StateFile) -> bool:
        return file_exists(nvram.path) is not False

    def notes(self) -> Iterator[str]:
        """What was not looked at."""
        if self._unread:
            files = f"the NVRAM of {self._unread} {plural(self._unread, 'domain')}"
            yield f"{files} could not be read, so the certificates in it are unknown"
