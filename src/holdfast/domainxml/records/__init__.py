"""What is recorded of a domain in its ``<metadata>``: Holdfast's records of its disks, and who made the domain.

Each record is a *fact* of :mod:`holdfast.domainxml.metadata`, which reads and writes them one by one. Documents only:
nothing here looks at a host, and nothing writes to libvirt.
"""
