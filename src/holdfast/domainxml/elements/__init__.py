"""One libvirt element, one file, which declares what of it belongs to the guest side and what to the host side."""
