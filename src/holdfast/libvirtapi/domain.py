"""One domain as libvirt offers it: its two documents, its devices, its power. Strings in, strings out, no decisions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from typing import Concatenate, ParamSpec, TypeVar

import libvirt
from holdfast.libvirtapi import events
from holdfast.libvirtapi.translate import code_of, translated

DomainHandle = libvirt.virDomain
"""The binding's virDomain."""


class Definition(Enum):
    """Which of a domain's two documents a call speaks of: what the guest runs with, or what the next start uses."""

    LIVE = "live"
    CONFIG = "config"

    def __str__(self) -> str:
        return self.value


_AFFECT = {
    Definition.LIVE: libvirt.VIR_DOMAIN_AFFECT_LIVE,
    Definition.CONFIG: libvirt.VIR_DOMAIN_AFFECT_CONFIG,
}

_UNDEFINE_TPM: int = getattr(libvirt, "VIR_DOMAIN_UNDEFINE_TPM", 0)  # libvirt ≥ 8.9
_KEEP_TPM: int = getattr(libvirt, "VIR_DOMAIN_UNDEFINE_KEEP_TPM", 0)  # libvirt ≥ 8.9

RUNNING, PAUSED, SHUT_OFF = "running", "paused", "shut off"
"""The states in which an operation can leave a domain."""

STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: "no state",
    libvirt.VIR_DOMAIN_RUNNING: RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: "idle",
    libvirt.VIR_DOMAIN_PAUSED: PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: "in shutdown",
    libvirt.VIR_DOMAIN_SHUTOFF: SHUT_OFF,
    libvirt.VIR_DOMAIN_CRASHED: "crashed",
    libvirt.VIR_DOMAIN_PMSUSPENDED: "pmsuspended",
}
"""libvirt's virDomainState in the words of ``virsh list``."""


P = ParamSpec("P")
R = TypeVar("R")


def changes_domain(call: Callable[Concatenate[Domain, P], R]) -> Callable[Concatenate[Domain, P], R]:
    """Decorate a call that may change the documents of a domain: all, or the one that is an argument of the call.

    :meth:`Domain.changed` learns of it, whether the call succeeds or not.
    """
    asks_libvirt = translated(call)

    @functools.wraps(call)
    def wrapper(domain: Domain, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return asks_libvirt(domain, *args, **kwargs)
        finally:
            named = [each for each in (*args, *kwargs.values()) if isinstance(each, Definition)]
            domain.changed(*(named or Definition))

    return wrapper


def changes_guest(call: Callable[Concatenate[Domain, P], R]) -> Callable[Concatenate[Domain, P], R]:
    """Decorate a call that starts, stops or resumes the guest, and leaves the config document alone."""
    asks_libvirt = translated(call)

    @functools.wraps(call)
    def wrapper(domain: Domain, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return asks_libvirt(domain, *args, **kwargs)
        finally:
            domain.changed(Definition.LIVE)

    return wrapper


class Domain:
    """A domain of one connection. Every method reads or acts now; nothing is cached but name and UUID."""

    def __init__(self, handle: libvirt.virDomain) -> None:
        self._handle = handle
        self.name = handle.name()
        self.uuid = handle.UUIDString()

    def __repr__(self) -> str:
        return f"<Domain {self.name} {self.uuid}>"

    def changed(self, *definitions: Definition) -> None:
        """Called after a call that may have changed these documents; for a subclass that remembers what it has read."""

    @translated
    def state(self) -> str:
        """The state in virsh's words: "running", "shut off", "paused" … (virDomainGetState)."""
        return STATES.get(self._handle.state()[0], "unknown")

    @translated
    def was_switched_off(self) -> bool:
        """True when it is off because it was shut down, from inside or outside, or destroyed (virDomainGetState).

        libvirt forgets why a domain is off when the daemon starts anew (9.0): then this is False.
        """
        return self._is_off_for(libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN, libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED)

    @translated
    def was_destroyed(self) -> bool:
        """True when it is off because somebody pulled the plug (virDomainGetState); else as was_switched_off."""
        return self._is_off_for(libvirt.VIR_DOMAIN_SHUTOFF_DESTROYED)

    def _is_off_for(self, *reasons: int) -> bool:
        state, reason = self._handle.state()[:2]
        return state == libvirt.VIR_DOMAIN_SHUTOFF and reason in reasons

    @translated
    def is_active(self) -> bool:
        """True while a QEMU runs, paused or not (virDomainIsActive)."""
        return bool(self._handle.isActive())

    @translated
    def is_persistent(self) -> bool:
        """True when it has a config document (virDomainIsPersistent)."""
        return bool(self._handle.isPersistent())

    @translated
    def has_managed_save(self) -> bool:
        """True when the next start would restore saved memory (virDomainHasManagedSaveImage)."""
        return bool(self._handle.hasManagedSaveImage(0))

    @translated
    def managed_save_xml(self) -> str:
        """The document inside the managed-save image: the hardware that restoring it brings back.

        (virDomainManagedSaveGetXMLDesc)
        """
        return self._handle.managedSaveGetXMLDesc(0)

    @changes_guest
    def managed_save(self) -> None:
        """Write memory and live document to a file of libvirt's own, and stop (virDomainManagedSave); blocks."""
        self._handle.managedSave(0)

    @changes_guest
    def discard_managed_save(self) -> None:
        """Remove the managed-save image (virDomainManagedSaveRemove)."""
        self._handle.managedSaveRemove(0)

    @translated
    def snapshot_count(self) -> int:
        """How many snapshots libvirt knows of it (virDomainSnapshotNum)."""
        return self._handle.snapshotNum(0)

    @translated
    def xml(self, definition: Definition, secure: bool = False) -> str:
        """The live or the config document (virDomainGetXMLDesc).

        ``secure`` includes passwords: for a document that is edited and defined again, never for one that is kept.
        Asking for LIVE of a domain that is shut off returns what libvirt has, its config: ask ``is_active`` first.
        """
        flags = libvirt.VIR_DOMAIN_XML_INACTIVE if definition is Definition.CONFIG else 0
        return self._handle.XMLDesc(flags | (libvirt.VIR_DOMAIN_XML_SECURE if secure else 0))

    @changes_domain
    def attach(self, device: str, definition: Definition) -> None:
        """Attach the device element ``device`` to one of the two documents (virDomainAttachDeviceFlags)."""
        self._handle.attachDeviceFlags(device, _AFFECT[definition])

    @changes_domain
    def detach(self, device: str, definition: Definition) -> None:
        """Detach from one document. From LIVE this only asks the guest; see :meth:`device_removal`.

        (virDomainDetachDeviceFlags)
        """
        self._handle.detachDeviceFlags(device, _AFFECT[definition])

    @changes_guest
    def ask_release(self, alias: str) -> None:
        """Ask the guest to release the device ``alias``; returns at once, and never waits for the answer.

        (virDomainDetachDeviceAlias; the same with an element blocks for five seconds where the guest is silent, 9.0)
        """
        self._handle.detachDeviceAlias(alias, libvirt.VIR_DOMAIN_AFFECT_LIVE)

    @changes_domain
    def update(self, device: str, definition: Definition, force: bool = False) -> None:
        """Update a device in place in one document (virDomainUpdateDeviceFlags).

        ``force`` changes a medium also while the guest has locked the tray.
        """
        flags = libvirt.VIR_DOMAIN_DEVICE_MODIFY_FORCE if force else 0
        self._handle.updateDeviceFlags(device, _AFFECT[definition] | flags)

    @changes_domain
    def set_vcpus(self, count: int, definition: Definition) -> None:
        """Have ``count`` vCPUs online (virDomainSetVcpusFlags).

        In live this waits up to five seconds for the guest to release one; raises DetachPending when it does not.
        """
        self._handle.setVcpusFlags(count, _AFFECT[definition])

    @changes_domain
    def set_max_vcpus(self, count: int) -> None:
        """Have ``count`` vCPUs at most, in config (virDomainSetVcpusFlags, MAXIMUM)."""
        self._handle.setVcpusFlags(count, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_VCPU_MAXIMUM)

    @changes_domain
    def set_memory(self, kib: int, definition: Definition) -> None:
        """Set the balloon's target, in KiB; live returns at once, and the guest follows (virDomainSetMemoryFlags)."""
        self._handle.setMemoryFlags(kib, _AFFECT[definition])

    @changes_domain
    def set_max_memory(self, kib: int) -> None:
        """Set the memory in config, in KiB (virDomainSetMemoryFlags, MAXIMUM)."""
        self._handle.setMemoryFlags(kib, libvirt.VIR_DOMAIN_AFFECT_CONFIG | libvirt.VIR_DOMAIN_MEM_MAXIMUM)

    @changes_domain
    def set_title(self, text: str, definition: Definition) -> None:
        """Set ``<title>``, which an empty text removes (virDomainSetMetadata, TITLE)."""
        self._handle.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, text or None, None, None, _AFFECT[definition])

    @changes_domain
    def set_description(self, text: str, definition: Definition) -> None:
        """Set ``<description>``, which an empty text removes (virDomainSetMetadata, DESCRIPTION)."""
        self._handle.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, text or None, None, None, _AFFECT[definition])

    @translated
    def autostart(self) -> bool:
        """True when libvirt starts it with the host (virDomainGetAutostart)."""
        return bool(self._handle.autostart())

    @translated
    def set_autostart(self, wanted: bool) -> None:
        """Have libvirt start it with the host, or not (virDomainSetAutostart).

        Where libvirt (9.0) cannot write to the folder of its links for that, it does nothing, and raises nothing.
        """
        self._handle.setAutostart(wanted)

    @changes_domain
    def set_scheduler(self, parameters: dict[str, int], definition: Definition) -> None:
        """Set "cpu_shares", "vcpu_period" and the like (virDomainSetSchedulerParametersFlags)."""
        self._handle.setSchedulerParametersFlags(parameters, _AFFECT[definition])

    @changes_domain
    def set_io_limits(self, target: str, parameters: dict[str, int], definition: Definition) -> None:
        """Limit the disk ``target``; of a group of limits that is named in part the rest is dropped, 9.0.

        (virDomainSetBlockIoTune)
        """
        self._handle.setBlockIoTune(target, parameters, _AFFECT[definition])

    def device_removal(self, alias: str) -> AbstractContextManager[events.Wait]:
        """Listen for the guest's answer to a detach of ``alias``; enter before calling :meth:`detach`."""
        return events.device_removal(self._handle, alias)

    def stopped(self) -> AbstractContextManager[events.Wait]:
        """Listen for the domain to stop; enter before calling :meth:`shutdown`."""
        return events.domain_stop(self._handle)

    @changes_guest
    def start(self, paused: bool = False) -> None:
        """Start from the config document, or from a managed-save image where one exists (virDomainCreateWithFlags)."""
        self._handle.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)

    @changes_guest
    def shutdown(self) -> None:
        """Press the power button (virDomainShutdownFlags); returns at once."""
        self._handle.shutdownFlags(0)

    @changes_guest
    def reboot(self) -> None:
        """Ask the guest to reboot (virDomainReboot); returns at once."""
        self._handle.reboot(0)

    @changes_guest
    def reset(self) -> None:
        """Press the reset button (virDomainReset): no new document, the same QEMU."""
        self._handle.reset(0)

    @changes_guest
    def destroy(self) -> None:
        """Pull the plug (virDomainDestroyFlags)."""
        self._handle.destroyFlags(0)

    @changes_guest
    def suspend(self) -> None:
        """Pause the vCPUs (virDomainSuspend)."""
        self._handle.suspend()

    @changes_guest
    def resume(self) -> None:
        """Let the vCPUs run again (virDomainResume)."""
        self._handle.resume()

    @changes_domain
    def rename(self, name: str) -> None:
        """Give it another name, while it is shut off (virDomainRename)."""
        self._handle.rename(name)
        self.name = name

    @changes_domain
    def undefine(self, *, keep_nvram: bool = False, keep_tpm: bool = False) -> None:
        """Remove the config document with NVRAM, TPM state, managed save, snapshot and checkpoint metadata.

        ``keep_nvram`` and ``keep_tpm`` leave these where they are. (virDomainUndefineFlags.) For delete and the source
        of a completed move only.
        """
        self._handle.undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | (libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM if keep_nvram else libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
            | (_KEEP_TPM if keep_tpm else _UNDEFINE_TPM)
        )

    @translated
    def metadata(self, uri: str, definition: Definition) -> str | None:
        """The element of namespace ``uri`` in ``<metadata>`` (virDomainGetMetadata).

        None where there is none, and of LIVE while the domain is shut off.
        """
        try:
            return self._handle.metadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, uri, _AFFECT[definition])
        except libvirt.libvirtError as error:
            if code_of(error) in (libvirt.VIR_ERR_NO_DOMAIN_METADATA, libvirt.VIR_ERR_OPERATION_INVALID):
                return None
            raise

    @changes_domain
    def set_metadata(self, element: str | None, prefix: str, uri: str, definition: Definition) -> None:
        """Write (or with None remove) the element of namespace ``uri`` in ``<metadata>`` (virDomainSetMetadata)."""
        self._handle.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, element, prefix, uri, _AFFECT[definition])
