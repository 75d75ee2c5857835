"""Nova's own tests, run with Nova's libvirt driver and with Holdfast's in its place. See ``scripts/nova-judge``."""
