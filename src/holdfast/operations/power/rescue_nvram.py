"""The NVRAM of a rescue: a copy of the guest's own, which is gone when the rescue is.

The firmware writes what it boots into the NVRAM, so a rescue on the guest's own would change it. libvirt makes the
copy at the start, with the guest's own file as the template.
"""

from __future__ import annotations

from collections.abc import Callable

from holdfast.domainxml.document import Element, serialize, value_at
from holdfast.domainxml.elements.firmware import (
    firmware_request,
    keep_to_loader,
    nvram_in_command,
    nvram_of,
    nvram_template,
    set_nvram,
    set_nvram_template,
)
from holdfast.domainxml.make.rescue import nvram_copy
from holdfast.domainxml.platform import Platform
from holdfast.errors import Failed, LibvirtRefused, NotFound, PartlyDone
from holdfast.errors.power import RESCUE_COPY_STAYS
from holdfast.hostfiles.images.chain import remove_image_file
from holdfast.libvirtapi.connection import Connection
from holdfast.operations.host.capabilities import host_capabilities
from holdfast.operations.host.name_firmware import name_firmware
from holdfast.operations.session import OpenDomain


class NvramCopy:
    """The copy for one rescue; nothing to do for a guest without NVRAM. ``notes`` say what is worth knowing about it,
    ``left`` is its path where it is not this user's to remove, and ``lacks`` is the error to raise in the end where it
    could not be removed.
    """

    def __init__(self, connection: Connection, config: Element, copy: Element) -> None:
        """Let the rescue document ``copy`` have a copy of the NVRAM of ``config``; nothing is made yet.

        Raises NotFound where the host has no firmware or machine type for the guest, Refused where that cannot be seen
        from here.
        """
        self.notes: tuple[str, ...] = ()
        self.left: str | None = None
        self.lacks: PartlyDone | None = None
        self._connection = connection
        self._copy = copy
        self._own = nvram_of(config)
        if firmware_request(config) is not None:
            # libvirt 9.0 keeps firmware='efi' in config, chooses the files at each start, and takes no template then.
            name_firmware(connection, copy, host_capabilities(connection, Platform.of(config)))
            if not connection.readonly:  # over a read-only connection libvirt does not say it
                self._own = self._own or nvram_in_command(connection.qemu_command(serialize(config)))
        self._template = nvram_template(copy), value_at(copy, "os/nvram@templateFormat")
        if self._own is not None:
            keep_to_loader(copy)
            set_nvram(copy, nvram_copy(self._own))
            set_nvram_template(copy, self._own)
        elif copy.find("os/nvram") is not None and not connection.readonly:
            self.notes = ("its NVRAM is not a file, so it is not copied: the rescue writes to it",)

    def start(self, start: Callable[[], None]) -> None:
        """Call ``start``, which starts the document. Before a guest's first start there is no NVRAM to copy yet."""
        try:
            start()
        except LibvirtRefused as error:
            if self._own is None or f"'{self._own}'" not in error.message:
                raise
            set_nvram_template(self._copy, *self._template)
            start()
        if self._own is not None:
            self._let_go_of(nvram_copy(self._own))

    def _let_go_of(self, path: str) -> None:
        """QEMU has the file open, and needs no name for it: so nothing is left, whatever ends the rescue."""
        error = _unlink(path) if self._connection.is_local else None
        if not self._connection.is_local or (error is not None and isinstance(error.__cause__, PermissionError)):
            self.left = path
            self.notes = (f"the copy of its NVRAM stays on libvirt's host, until the next rescue: {path}",)
        elif error is not None:
            self.lacks = RESCUE_COPY_STAYS(cause=error)


def remove_left_copy(domain: OpenDomain) -> None:
    """Remove what a killed rescue has left: the name of its NVRAM, of which a rescue that runs has no need."""
    live, config = domain.documents.live, domain.documents.config
    own = None if config is None else nvram_of(config)
    runs_with = None if live is None or domain.documents.rescue is None else nvram_of(live)
    for path in {runs_with, None if own is None else nvram_copy(own)}:
        if path is not None and path.endswith(nvram_copy("")) and domain.connection.is_local:
            _unlink(path)


def _unlink(path: str) -> Failed | None:
    """Remove the copy; returns why it stays."""
    try:
        remove_image_file(path)
    except NotFound:
        return None
    except Failed as error:
        return error
    return None
