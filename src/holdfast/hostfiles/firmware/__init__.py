"""UEFI firmware: which a host has, which build a file is of, and what a guest has in its NVRAM."""
