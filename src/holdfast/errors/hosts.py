"""What a host, with its libvirt and its QEMU, cannot give to a domain."""

from __future__ import annotations

from holdfast.errors import Condition, Failed, LibvirtRefused, NotFound, Refused, UsageError

HOST_CANNOT = Condition(
    "host-cannot",
    LibvirtRefused,
    "the host cannot run domains of this kind: {reason}",
    "the host's capabilities list the kinds that it can run",
)
NO_MACHINE_TYPE = Condition(
    "no-machine-type", NotFound, "the host has no machine type {machine}", "possible: {possible}"
)
FIRMWARE_ELSEWHERE = Condition(
    "firmware-elsewhere",
    Refused,
    "which UEFI firmware the host has can be read only there, and {uri} is elsewhere",
    "do it on that host, or name <loader> and <nvram template> in the document",
)

UNKNOWN_CPU = Condition("unknown-cpu", UsageError, "libvirt knows no CPU model {cpu!r}", "possible here: {possible}")
CPU_NOT_HERE = Condition(
    "cpu-not-here", Failed, "this host cannot run the CPU model {cpu}", "possible here: {possible}"
)
CPU_MODE_NOT_HERE = Condition(
    "cpu-mode-not-here", Failed, "the CPU {cpu} is not possible here with {virt_type}", "possible here: {possible}"
)
NO_HOST_MODEL = Condition(
    "no-host-model",
    Failed,
    "libvirt cannot say which CPU host-model is here with {virt_type}",
    "possible here: {possible}",
)
TOO_MANY_VCPUS = Condition("too-many-vcpus", Failed, "{machine} cannot have {vcpus:vCPU} here: at most {most}")
NO_TPM = Condition(
    "no-tpm",
    Failed,
    "this host cannot emulate a TPM",
    "install swtpm (Debian, Ubuntu, Fedora: swtpm, swtpm-tools)",
)
GRAPHICS_NOT_HERE = Condition(
    "graphics-not-here", Failed, "this QEMU has no {graphics} graphics", "possible here: {possible}"
)
VIDEO_NOT_HERE = Condition(
    "video-not-here", Failed, "this QEMU has no video device {video!r}", "possible here: {possible}"
)

NO_NETWORK = Condition(
    "no-network", NotFound, "there is no network {network!r} at {uri}", "list the networks of that host"
)
NO_POOLS = Condition("no-pools", Failed, "there are no storage pools at {uri}", "give the path of an image")
NO_POOL = Condition(
    "no-pool", NotFound, "there is no storage pool {pool!r} at {uri}", "list the storage pools of that host"
)
POOL_NOT_ACTIVE = Condition("pool-not-active", Failed, "the storage pool {pool!r} is not active", "start the pool")
