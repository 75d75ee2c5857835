"""A connection to one libvirt, and what belongs to the host rather than to one domain. Strings in, strings out."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import libvirt
from holdfast.errors import domains, hosts
from holdfast.errors.libvirt import CANNOT_CONNECT
from holdfast.libvirtapi.domain import STATES, Domain, DomainHandle
from holdfast.libvirtapi.events import ensure_event_loop, stop_listening
from holdfast.libvirtapi.translate import code_of, sentence, translated

if TYPE_CHECKING:
    from urllib.parse import SplitResult


D = TypeVar("D", bound=Domain)

_UUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_BOOTED = (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED)
_ALL_CPU_FEATURES = 1 << 1 | 1 << 2
"""VIR_CONNECT_GET_DOMAIN_CAPABILITIES_EXPAND_CPU_FEATURES (12.2) and SUPPORTED_CPU_FEATURES (12.5)."""
_START_RESET_NVRAM: int = getattr(libvirt, "VIR_DOMAIN_START_RESET_NVRAM", 0)  # libvirt ≥ 8.1


@dataclass(frozen=True)
class DomainState:
    """One line of the bulk listing.

    ``name``, ``uuid``  the domain's
    ``state``           in virsh's words
    ``in_rescue``       True where it runs as a rescue
    ``managed_save``    True when the next start restores saved memory
    """

    name: str
    uuid: str
    state: str
    in_rescue: bool = False
    managed_save: bool = False


class Connection:
    """An open connection. ``uri`` is libvirt's own name for it. Use it as a context manager, or close it.

    ``lock_timeout`` is how many seconds operations over it wait for another one on the same domain. ``command`` are
    the words of the command line that asks for what is done over it; the history of the domains tells them.
    ``records_changes`` is False where whoever has it records in the history himself what is done over it.
    """

    def __init__(self, handle: libvirt.virConnect, readonly: bool, lock_timeout: float = 60.0) -> None:
        self._handle = handle
        self.readonly = readonly
        self.lock_timeout = lock_timeout
        self.command: tuple[str, ...] = ()
        self.records_changes = True
        self.uri = handle.getURI()
        self._version: tuple[int, int, int] | None = None

    def __repr__(self) -> str:
        return f"<Connection {self.uri}>"

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def is_local(self) -> bool:
        """True when this libvirt runs on this machine, so that its files are ours to read: the URI names no host."""
        return self._url().hostname is None

    @property
    def is_of_host(self) -> bool:
        """True for the one libvirt of a host, which its users share, not one that a user or a process has alone."""
        return self._url().path == "/system"

    @property
    def is_of_user(self) -> bool:
        """True for the one libvirt that a user has alone, on this machine."""
        return self._url().path == "/session" and self.is_local and self.is_usual

    @property
    def is_qemu(self) -> bool:
        """True for libvirt's driver of QEMU, false for those of other hypervisors."""
        return self._url().scheme.partition("+")[0] == "qemu"

    @property
    def state_folders(self) -> tuple[str, str] | None:
        """Where this libvirt's QEMU driver keeps the NVRAMs and the states of TPMs that it names itself.

        None where nobody can tell from here. (libvirt's virQEMUDriverConfigNew, 5.6 to 12.8; no setting changes it)
        """
        url = self._url()
        if not self.is_qemu:
            return None
        if url.path == "/system":
            return "/var/lib/libvirt/qemu/nvram", "/var/lib/libvirt/swtpm"
        if url.path == "/embed":
            root = self._said("root")
            return f"{root}/lib/qemu/nvram", f"{root}/lib/swtpm"
        if url.path == "/session" and self.is_local:
            from pathlib import Path  # imports urllib, as above

            own = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
            return f"{own}/libvirt/qemu/nvram", f"{own}/libvirt/qemu/swtpm"
        return None

    @property
    def run_folder(self) -> str | None:
        """Where this libvirt's QEMU driver has the pid files of its QEMUs; None where nobody can tell from here.

        (libvirt's virQEMUDriverConfigNew, 5.6 to 12.8; no setting changes it)
        """
        url = self._url()
        if not (self.is_qemu and self.is_local):
            return None
        if url.path == "/embed":
            return f"{self._said('root')}/run/qemu"
        if url.path == "/system":
            named = self._said("socket")
            return f"{named.rpartition('/')[0]}/qemu" if named else "/run/libvirt/qemu"
        own = os.environ.get("XDG_RUNTIME_DIR")
        return f"{own}/libvirt/qemu/run" if own and url.path == "/session" and self.is_usual else None

    @property
    def history_folder(self) -> str | None:
        """Where the history of its domains is, if one is kept; None where that is not on this machine.

        The one libvirt of a host has it in a place that all its users know, one behind a socket that is named beside
        that socket.
        """
        url = self._url()
        if not self.is_local:
            return None
        if url.path == "/embed":
            return f"{self._said('root')}/holdfast/history.git"
        if not self.is_usual:
            return f"{self.socket.rpartition('/')[0]}/holdfast/history.git"
        if url.path == "/session":
            from pathlib import Path  # imports urllib, as above

            own = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
            return f"{own}/holdfast/history.git"
        return "/var/lib/holdfast/history.git" if self.is_of_host else None

    @property
    def history_settings_file(self) -> str | None:
        """Where it is set what becomes of that history; None where that is not on this machine."""
        folder, url = self.history_folder, self._url()
        if folder is None:
            return None
        if self.is_usual and url.path == "/system":
            return "/etc/holdfast/history.toml"
        if self.is_usual and url.path == "/session":
            from pathlib import Path  # imports urllib, as above

            own = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
            return f"{own}/holdfast/history.toml"
        return f"{folder.rpartition('/')[0]}/history.toml"

    @property
    def is_usual(self) -> bool:
        """True where it is the libvirt that this kind of URI means here, and not one behind a socket that is named."""
        return "socket=" not in self._url().query

    @property
    def socket(self) -> str:
        """The socket that the URI names; "" where it names none."""
        return self._said("socket")

    def _said(self, parameter: str) -> str:
        """A parameter of the URI; "" where it has none of this name."""
        return self._url().query.partition(f"{parameter}=")[2].partition("&")[0]

    def _url(self) -> SplitResult:
        from urllib.parse import urlsplit  # 2 ms, which ``holdfast list`` need not spend

        return urlsplit(self.uri)

    @translated
    def close(self) -> None:
        """Close the connection (virConnectClose)."""
        stop_listening(self._handle)
        self._handle.close()

    @translated
    def domain_states(
        self, running: bool = False, is_rescue: Callable[[Domain], bool] = lambda domain: False
    ) -> list[DomainState]:
        """All domains with their state, sorted by name, in two calls whatever their number.

        (virConnectGetAllDomainStats, STATE; virConnectListAllDomains, MANAGEDSAVE.)
        ``running`` leaves out those without a QEMU; a paused domain has one. ``is_rescue`` is asked about the few that
        can be a rescue: those that run since they were paused (or saved, migrated …), not since they were started.
        """
        which = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE if running else 0
        stats = self._handle.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE, which)
        with_memory = self._handle.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
        saved = {handle.UUIDString() for handle in with_memory}
        found = []
        for handle, values in stats:
            uuid = handle.UUIDString()
            state, reason = _number(values, "state.state"), _number(values, "state.reason")
            ordinary = state == libvirt.VIR_DOMAIN_SHUTOFF or (state, reason) == _BOOTED
            rescue = not ordinary and is_rescue(Domain(handle))
            found.append(DomainState(handle.name(), uuid, STATES.get(state, "unknown"), rescue, uuid in saved))
        return sorted(found, key=lambda domain: domain.name)

    def find_domain(self, name: str) -> Domain:
        """The domain of this name or UUID; see :meth:`find`."""
        return self.find(name, Domain)

    def find(self, name: str, make: Callable[[DomainHandle], D]) -> D:
        """What ``make`` makes of the handle of the domain ``name``, which is its UUID or its name, in this order.

        Raises NO_DOMAIN. (virDomainLookupByUUIDString, virDomainLookupByName)
        """
        lookups = (self._lookup_uuid, self._lookup_name) if _UUID.fullmatch(name) else (self._lookup_name,)
        for lookup in lookups:
            handle = lookup(name)
            if handle is not None:
                return make(handle)
        raise domains.NO_DOMAIN(name=name, uri=self.uri)

    @translated
    def _lookup_name(self, name: str) -> libvirt.virDomain | None:
        try:
            return self._handle.lookupByName(name)
        except libvirt.libvirtError as error:
            if code_of(error) == libvirt.VIR_ERR_NO_DOMAIN:
                return None
            raise

    @translated
    def _lookup_uuid(self, text: str) -> libvirt.virDomain | None:
        try:
            return self._handle.lookupByUUIDString(text)
        except libvirt.libvirtError as error:
            if code_of(error) in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_INVALID_ARG):
                return None
            raise

    @translated
    def domains(self) -> list[Domain]:
        """All domains, sorted by name (virConnectListAllDomains)."""
        return sorted((Domain(h) for h in self._handle.listAllDomains(0)), key=lambda domain: domain.name)

    @translated
    def images(self) -> list[tuple[Domain, list[str]]]:
        """Every domain with the paths of its disks' images, in live while it runs, else in config.

        One bulk call for all domains, which waits for none that is busy (virConnectGetAllDomainStats, BLOCK, NOWAIT).
        """
        stats = self._handle.getAllDomainStats(
            libvirt.VIR_DOMAIN_STATS_BLOCK, libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
        )
        return [
            (
                Domain(handle),
                [str(path) for n in range(_number(values, "block.count")) if (path := values.get(f"block.{n}.path"))],
            )
            for handle, values in stats
        ]

    @translated
    def host_name(self) -> str:
        """What the host calls itself (virConnectGetHostname)."""
        return self._handle.getHostname()

    @translated
    def define(self, document: str) -> Domain:
        """Define a whole document, validated against libvirt's schema (virDomainDefineXMLFlags).

        libvirt accepts changed hardware silently: only create, arrive and edit may come here (DESIGN rule 2).
        """
        return Domain(self._handle.defineXMLFlags(document, libvirt.VIR_DOMAIN_DEFINE_VALIDATE))

    @translated
    def start_from(self, document: str) -> Domain:
        """Start a domain that is shut off from ``document`` instead of its config, paused (virDomainCreateXML).

        Config stays as it is. The file of the NVRAM that ``document`` names is written anew from its template.
        """
        return Domain(self._handle.createXML(document, libvirt.VIR_DOMAIN_START_PAUSED | _START_RESET_NVRAM))

    @translated
    def qemu_command(self, document: str) -> str:
        """The command line with which libvirt would start QEMU for ``document`` now (virConnectDomainXMLToNative)."""
        return self._handle.domainXMLToNative("qemu-argv", document, 0)

    @translated
    def check_network(self, name: str) -> None:
        """Raise NO_NETWORK when there is none of this name (virNetworkLookupByName).

        ``qemu:///embed`` has no networks, and is not asked.
        """
        if self._url().path == "/embed":
            return
        try:
            self._handle.networkLookupByName(name)
        except libvirt.libvirtError as error:
            if code_of(error) == libvirt.VIR_ERR_NO_NETWORK:
                raise hosts.NO_NETWORK(network=name, uri=self.uri) from error
            raise

    @translated
    def libvirt_version(self) -> tuple[int, int, int]:
        """The version of the libvirt that answers: (9, 0, 0); asked once (virConnectGetLibVersion)."""
        if self._version is None:
            self._version = _version(self._handle.getLibVersion())
        return self._version

    @translated
    def hypervisor_version(self) -> tuple[int, int, int]:
        """The version of the QEMU that libvirt would start now by itself: (7, 2, 22) (virConnectGetVersion)."""
        return _version(self._handle.getVersion())

    @translated
    def capabilities(self) -> str:
        """The host's capabilities document (virConnectGetCapabilities)."""
        return self._handle.getCapabilities()

    @translated
    def domain_capabilities(
        self,
        emulator: str | None = None,
        arch: str | None = None,
        machine: str | None = None,
        virttype: str | None = None,
        *,
        all_cpu_features: bool = False,
    ) -> str:
        """What a domain with these can have here (virConnectGetDomainCapabilities).

        None, or an empty text, takes libvirt's default. ``all_cpu_features`` (libvirt ≥ 12.5): as host-model all that
        the host can give, with what host-model leaves out.
        """
        asked = (emulator or None, arch or None, machine or None, virttype or None)
        return self._handle.getDomainCapabilities(*asked, _ALL_CPU_FEATURES if all_cpu_features else 0)

    @translated
    def baseline_cpu(
        self, cpus: Sequence[str], emulator: str | None, arch: str, machine: str | None, virttype: str | None
    ) -> str:
        """The ``<cpu>`` that libvirt here makes of what all ``cpus`` have, and a guest can migrate with.

        (virConnectBaselineHypervisorCPU, MIGRATABLE.) Raises LibvirtRefused for a model or feature that it does not
        know, and where there is no such CPU.
        """
        flags = libvirt.VIR_CONNECT_BASELINE_CPU_MIGRATABLE
        return self._handle.baselineHypervisorCPU(emulator or None, arch, machine, virttype, list(cpus), flags)

    @translated
    def cpu_shortfall(
        self, cpu: str, emulator: str | None, arch: str | None, machine: str | None, virttype: str | None
    ) -> str:
        """What this host cannot give to the ``<cpu>`` element ``cpu``: "vme, rdseed"; "" when it can run it.

        (virConnectCompareHypervisorCPU.) Raises LibvirtRefused for a model or feature that libvirt here does not
        know, and where it cannot compare CPUs (9.0: all but x86 and s390).
        """
        flags = libvirt.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE
        try:
            self._handle.compareHypervisorCPU(emulator or None, arch, machine, virttype, cpu, flags)
        except libvirt.libvirtError as error:
            if code_of(error) != libvirt.VIR_ERR_CPU_INCOMPATIBLE:
                raise
            return sentence(error).rpartition(": ")[2]
        return ""


def open_connection(uri: str | None = None, readonly: bool = False, lock_timeout: float = 60.0) -> Connection:
    """Open ``uri``; None means libvirt's own default, LIBVIRT_DEFAULT_URI included (virConnectOpen).

    ``lock_timeout`` is that of :class:`Connection`. Raises CANNOT_CONNECT.
    """
    ensure_event_loop()
    opener = libvirt.openReadOnly if readonly else libvirt.open
    try:
        return Connection(opener(uri), readonly, lock_timeout)
    except libvirt.libvirtError as error:
        raise CANNOT_CONNECT(uri=uri or "the default libvirt", reason=sentence(error)) from error


def _version(number: int) -> tuple[int, int, int]:
    return number // 1_000_000, number // 1000 % 1000, number % 1000


def _number(statistics: dict[str, int | str], name: str) -> int:
    return int(statistics.get(name, 0))
