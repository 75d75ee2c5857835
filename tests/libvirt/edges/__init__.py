"""The edges of a process: its streams, its locale, its limits, and a libvirt or a domain that goes meanwhile."""
