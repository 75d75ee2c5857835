"""libvirt's ``<domainsnapshot>`` documents: reading one, asking for one, and which disks can be part of it.

What is done with snapshots, and in which order, belongs in operations.
"""
