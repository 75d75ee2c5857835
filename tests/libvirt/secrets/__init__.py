"""Secrets of a domain: in no output, and in libvirt whatever is done."""
