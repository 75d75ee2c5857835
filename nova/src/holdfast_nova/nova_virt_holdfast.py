"""What Nova imports as ``nova.virt.holdfast``: ``compute_driver = holdfast.HoldfastLibvirtDriver``."""

from holdfast_nova.driver import HoldfastLibvirtDriver

__all__ = ["HoldfastLibvirtDriver"]
