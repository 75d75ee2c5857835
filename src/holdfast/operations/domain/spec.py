"""What a user can say of a domain to be created, as typed values."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.domainxml.places.root_ports import MOST, SPARE
from holdfast.domainxml.platform import has_root_ports
from holdfast.errors.changes import NO_ROOT_PORTS, TOO_MANY_ROOT_PORTS
from holdfast.errors.creation import NO_VCPUS, RELATIVE_CD, TOO_LITTLE_MEMORY
from holdfast.operations.disks.spec import DiskSpec, InterfaceSpec


@dataclass(frozen=True, kw_only=True)
class DomainSpec:
    """A domain to be created.

    ``memory``      in bytes
    ``vcpus``       how many, all of them online
    ``arch``        x86_64 or aarch64
    ``machine``     q35, pc, virt or a versioned type; None takes q35, and virt for aarch64
    ``cpu``         host-model (made concrete now), host-passthrough, maximum, or a model; None takes host-model, and
                    for aarch64 host-passthrough with KVM and cortex-a57 without
    ``firmware``    bios, uefi, or uefi-secure: with Secure Boot on, and Microsoft's keys; None takes bios, and uefi for
                    aarch64, which has no BIOS
    ``tpm``         whether it has an emulated TPM 2.0
    ``cdroms``      paths of ISO images
    ``graphics``    vnc, spice (both on the loopback address) or none
    ``video``       the display device; None takes what suits ``os``
    ``os``          linux or windows
    ``user_data``   the path of a file for cloud-init, which is given to it on a seed CD
    ``root_ports``  how many are to stay free for hot-plug; None takes 16 where the machine has any
    ``virt_type``   kvm or qemu (emulation); None takes kvm where there is one

    Raises TOO_LITTLE_MEMORY, NO_VCPUS, RELATIVE_CD.
    """

    memory: int
    vcpus: int = 1
    disks: tuple[DiskSpec, ...] = ()
    interfaces: tuple[InterfaceSpec, ...] = ()
    arch: str = "x86_64"
    machine: str | None = None
    cpu: str | None = None
    firmware: str | None = None
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
            raise TOO_LITTLE_MEMORY()
        if self.vcpus < 1:
            raise NO_VCPUS()
        for path in self.cdroms:
            if not path.startswith("/"):
                raise RELATIVE_CD(path=path)

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
