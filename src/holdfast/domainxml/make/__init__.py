"""Documents that are made once: of a new domain, a clone, a rescue, a device to attach; and what seals them.

Changing a document that a domain already has is for libvirt's calls and the proved edit, not for this room.
"""
