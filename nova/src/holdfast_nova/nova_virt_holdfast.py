"""What Nova imports as ``nova.virt.holdfast``: ``compute_driver = holdfast.HoldfastLibvirtDriver``."""

from holdfast_nova.nova_at_hand import refuse_misfits

refuse_misfits()  # before the driver, which cannot even be imported beside some

from holdfast_nova.driver import HoldfastLibvirtDriver  # noqa: E402

__all__ = ["HoldfastLibvirtDriver"]
