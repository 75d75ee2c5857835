"""Following the documents that a manager generates: what of them a domain takes over. Libvirt does not come in here."""
