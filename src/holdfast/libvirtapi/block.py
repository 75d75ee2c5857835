"""What is behind one disk of a domain: how large it is, and the job that copies it while the guest runs.

``target`` is the disk's target in the document ("vda"). No decisions here.
"""

from __future__ import annotations

import libvirt
from holdfast.libvirtapi.domain import Domain, changes_domain, changes_guest
from holdfast.libvirtapi.translate import translated


@translated
def capacity(domain: Domain, target: str) -> int:
    """The size of the disk in bytes, as the guest has or would have it (virDomainGetBlockInfo).

    Raises LibvirtRefused for an empty drive, and for an image on the network while the domain is shut off.
    """
    return domain._handle.blockInfo(target)[0]


@changes_domain
def resize(domain: Domain, target: str, size: int) -> None:
    """Make the image of a running domain's disk ``size`` bytes large, and tell the guest (virDomainBlockResize).

    libvirt 9.0 makes it smaller as readily as larger.
    """
    domain._handle.blockResize(target, size, libvirt.VIR_DOMAIN_BLOCK_RESIZE_BYTES)


@changes_guest
def start_block_copy(domain: Domain, target: str, destination: str) -> None:
    """Start to copy the disk onto the existing image of the ``<disk>`` element ``destination`` (virDomainBlockCopy).

    The guest's own writes go to both (libvirt ≥ 8.0), so that the copy always catches up. The job ends with QEMU.
    """
    domain._handle.blockCopy(
        target,
        destination,
        None,
        libvirt.VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB
        | libvirt.VIR_DOMAIN_BLOCK_COPY_REUSE_EXT
        | libvirt.VIR_DOMAIN_BLOCK_COPY_SYNCHRONOUS_WRITES,
    )


@translated
def copy_progress(domain: Domain, target: str) -> tuple[int, int] | None:
    """How much of how much is copied, in bytes; None when no job is at work on the disk (virDomainGetBlockJobInfo)."""
    info = domain._handle.blockJobInfo(target, 0)
    return (info["cur"], info["end"]) if info else None


@changes_domain
def pivot(domain: Domain, target: str) -> None:
    """Let the disk go on with its copy, in live and config; returns when it does (virDomainBlockJobAbort, PIVOT)."""
    domain._handle.blockJobAbort(target, libvirt.VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT)


@changes_domain
def cancel(domain: Domain, target: str) -> None:
    """Let the disk stay where it is; the copy is left as it is (virDomainBlockJobAbort)."""
    domain._handle.blockJobAbort(target, 0)
