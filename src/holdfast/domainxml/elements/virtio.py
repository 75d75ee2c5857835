"""What every virtio device has in its ``<driver>``: how it negotiates with the guest."""

from __future__ import annotations

OPTIONS = "driver@iommu=off driver@ats=off driver@packed=off driver@page_per_vq=off"
"""Guest side of all virtio devices (libvirt's "Virtio-related options"); QEMU 7.2 has all of them off by default."""
