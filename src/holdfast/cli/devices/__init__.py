"""The commands for disks, interfaces and other devices, and how their options are read."""
