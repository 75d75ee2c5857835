"""What a new domain of each architecture is given where nobody says otherwise."""

from __future__ import annotations

from typing import NamedTuple

from holdfast.errors.elements import UNKNOWN_WORD


class Defaults(NamedTuple):
    """What suits an architecture.

    ``machine``        the machine type, as an alias
    ``firmwares``      those that it can have; the first is the default
    ``cpu``, ``kvm``   the CPU under emulation, and under KVM
    ``tpm``            the model of an emulated TPM
    ``windows_video``  a display that Windows can be installed on
    """

    machine: str
    firmwares: tuple[str, ...]
    cpu: str
    kvm: str
    tpm: str
    windows_video: str


_DEFAULTS = {
    "x86_64": Defaults("q35", ("bios", "uefi", "uefi-secure"), "host-model", "host-model", "tpm-crb", "vga"),
    # libvirt (9.0) has no host-model there, and KVM no other CPU than the host's own.
    "aarch64": Defaults("virt", ("uefi", "uefi-secure"), "cortex-a57", "host-passthrough", "tpm-tis", "ramfb"),
}


def defaults_of(arch: str) -> Defaults:
    """What suits ``arch``. Raises UNKNOWN_WORD."""
    if arch not in _DEFAULTS:
        raise UNKNOWN_WORD(what="architecture", word=arch, words=tuple(_DEFAULTS))
    return _DEFAULTS[arch]
