"""Holdfast's driver in the place of Nova's, for Nova's tests."""

from __future__ import annotations

from nova.virt import libvirt as package
from nova.virt.libvirt import driver as stock


def swap() -> None:
    """From now on the name ``LibvirtDriver`` means Holdfast's driver; to be called before Nova's tests are imported.

    The tests take the class by that name, in three ways: ``nova.virt.libvirt.driver.LibvirtDriver``,
    ``nova.virt.libvirt.LibvirtDriver`` and ``compute_driver = libvirt.LibvirtDriver``. What they patch on it they patch
    on Holdfast's class. It gets Nova's static methods as its own, because what puts a patched one back looks there.
    """
    from holdfast_nova.driver import HoldfastLibvirtDriver  # its base is the class of that name, which is Nova's yet

    for name, member in vars(stock.LibvirtDriver).items():
        if isinstance(member, staticmethod | classmethod) and name not in vars(HoldfastLibvirtDriver):
            setattr(HoldfastLibvirtDriver, name, member)
    for module in (stock, package):
        vars(module)["LibvirtDriver"] = HoldfastLibvirtDriver
