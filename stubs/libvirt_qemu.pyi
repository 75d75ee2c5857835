"""The calls of libvirt's QEMU binding that Holdfast uses; see libvirt.pyi."""

from libvirt import virDomain

VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP: int

def qemuAgentCommand(domain: virDomain, cmd: str, timeout: int, flags: int) -> str: ...
def qemuMonitorCommand(domain: virDomain, cmd: str, flags: int) -> str: ...

# What only tests call: nothing.
