"""``<driver>`` of virtio devices: the options that all of them share, which the guest's driver negotiates."""

from __future__ import annotations

OPTIONS = "driver@iommu=off driver@ats=off driver@packed=off driver@page_per_vq=off"
"""Guest side of each virtio device (libvirt's "Virtio-related options"); all are off by default in QEMU 7.2."""
