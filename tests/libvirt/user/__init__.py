"""What somebody can do who is not root: with the group libvirt as the only right, and with none at all."""
