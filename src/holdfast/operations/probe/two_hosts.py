"""A domain probed on two hosts: under the QEMU of the host that it is on, and under that of another one."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator

from holdfast.domainxml.document import Element, serialize
from holdfast.domainxml.elements.firmware import code_in_command, firmware_request, set_firmware
from holdfast.domainxml.elements.memory import total_memory
from holdfast.domainxml.host.outlook import Effect, Outlook
from holdfast.domainxml.host.security import security_models
from holdfast.domainxml.make.probe import probe_document
from holdfast.domainxml.platform import Platform
from holdfast.errors import Failed, LibvirtRefused, NotFound
from holdfast.errors.hosts import NO_MEMORY_TO_PROBE
from holdfast.libvirtapi.connection import Connection
from holdfast.libvirtapi.monitor import free_memory
from holdfast.operations.probe.compare import probe_changes
from holdfast.operations.probe.observe import ProbeView, observe

_PREFIX = "holdfast-probe-"
_BESIDE = 256 << 20
"""Bytes that a QEMU takes beside its guest's memory, generously."""


def probe_outlook(config: Element, here: Connection, there: Connection) -> Iterator[Outlook]:
    """What a start of ``config`` on ``there`` changes against one on ``here``, as a QEMU started on each shows it.

    What is not probed is among it, as unknown. Raises NO_MEMORY_TO_PROBE before anything is started.
    """
    if reason := _why_not(config):
        yield _unknown(f"not probed: the domain: {reason}")
        return
    for connection in (here, there):
        _refuse_without_memory(connection, config)
    own = uuid.uuid4()
    seen: list[ProbeView] = []
    for connection in (there, here):  # the one that may not be able to start it is asked first
        labelled = security_models(connection.capabilities())
        try:
            named = _with_named_firmware(connection, config)
            if reason := _why_not(named):
                yield _unknown(f"not probed: the domain: {reason}")
                return
            document, left_out = probe_document(named, labelled, name=f"{_PREFIX}{own.hex[:8]}", uuid=str(own))
            seen.append(observe(connection, document))
        except (Failed, LibvirtRefused, NotFound) as error:
            yield _unknown(f"the probe at {connection.uri} failed: {error.message}")
            return
    yield from probe_changes(*reversed(seen))
    for what in left_out:
        yield _unknown(f"not probed: {what}")


def _with_named_firmware(connection: Connection, config: Element) -> Element:
    """``config`` with the code that libvirt at ``connection`` would choose for ``firmware='efi'`` today."""
    if firmware_request(config) is None:
        return config
    code, secure = code_in_command(connection.qemu_command(serialize(config)))
    if code is None:
        return config
    named = copy.deepcopy(config)
    set_firmware(named, loader=code, template="", smm=secure)
    return named


def _why_not(config: Element) -> str | None:
    if not Platform.of(config).is_x86:
        return "what firmware leaves in memory is known of a PC alone"
    if config.find("os/loader[@secure='yes']") is not None:
        return "its firmware (Secure Boot) does not run without UEFI variables that nobody else can change"
    return None


def _refuse_without_memory(connection: Connection, config: Element) -> None:
    needed, free = total_memory(config) + _BESIDE, free_memory(connection) * 1024
    if free < needed:
        raise NO_MEMORY_TO_PROBE(uri=connection.uri, needed=needed >> 20, free=free >> 20)


def _unknown(sentence: str) -> Outlook:
    return Outlook(Effect.UNKNOWN, "probe", sentence)
