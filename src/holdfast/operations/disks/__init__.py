"""Disks and their images: described, made, copied, moved, recorded. Attaching is in ``devices``."""
