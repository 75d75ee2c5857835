"""Attaching, detaching and listing devices of any kind. What is in a disk is in ``disks``."""
