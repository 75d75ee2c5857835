"""Disk images: opened once and used by descriptor, what their headers say, and making new ones with qemu-img."""
