"""A document beside a host: what it needs there (files, secrets, a CPU), and what the host's capabilities offer.

The host's own documents come in as text; nothing here asks libvirt or opens a file.
"""
