"""libvirt's ``<domainsnapshot>`` documents: reading one, asking for one, and which disks can be part of it."""
