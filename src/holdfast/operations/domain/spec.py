"""What a user can say of a domain to be created, as typed values."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.places.root_ports import MOST, SPARE
from holdfast.domainxml.platform import has_root_ports
from holdfast.errors import UsageError
from holdfast.errors.changes import NO_ROOT_PORTS, TOO_MANY_ROOT_PORTS
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec


@dataclass(frozen=True, kw_only=True)
class DomainSpec:
    """A domain to be created; ``memory`` in bytes.

    ``machine`` is q35, pc or a versioned type; ``cpu`` host-model (made concrete), host-passthrough, maximum or a
    model; ``firmware`` bios, uefi or uefi-secure; ``graphics`` vnc, spice (both on the loopback address) or none;
    ``video`` None takes what suits ``os`` (linux, windows). ``cdroms`` are paths of ISO images, ``user_data`` the path
    of a file for cloud-init. ``root_ports`` is how many are to stay free for hot-plug, None takes 16 where the machine
    has any. ``virt_type`` None takes libvirt's default: kvm where it has it, else qemu.
    """

    memory: int
    vcpus: int = 1
    disks: tuple[DiskSpec, ...] = ()
    interfaces: tuple[InterfaceSpec, ...] = ()
    machine: str = "q35"
    cpu: str = "host-model"
    firmware: str = "bios"
    tpm: bool = False
    cdroms: tuple[str, ...] = ()
    graphics: str = "vnc"
    video: str | None = None
    os: str = "linux"
    user_data: str | None = None
    root_ports: int | None = None
    virt_type: str | None = None

    def __post_init__(self) -> None:
        if self.memory < 1024 * 1024:
            raise UsageError("a domain needs at least 1 MiB of memory", "--memory 2GiB")
        if self.vcpus < 1:
            raise UsageError("a domain needs at least one vCPU", "--vcpus 1")
        if any(not path.startswith("/") for path in self.cdroms):
            raise UsageError("the path of a CD image must be absolute")

    @property
    def spare_root_ports(self) -> int:
        """How many root ports are to stay free."""
        return SPARE if self.root_ports is None else self.root_ports


def check_root_ports(machine: str, ports: int) -> None:
    """Raise NO_ROOT_PORTS or TOO_MANY_ROOT_PORTS where ``machine`` cannot have ``ports`` of them free."""
    if not has_root_ports(machine):
        raise NO_ROOT_PORTS(machine=machine)
    if not 0 <= ports <= MOST:
        raise TOO_MANY_ROOT_PORTS(most=MOST, ports=ports)
