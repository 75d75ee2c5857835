"""The calls of libvirt's QEMU binding that Holdfast uses; see libvirt.pyi."""

from libvirt import virDomain

def qemuAgentCommand(domain: virDomain, cmd: str, timeout: int, flags: int) -> str: ...

# What only tests call.

def qemuMonitorCommand(domain: virDomain, cmd: str, flags: int) -> str: ...
