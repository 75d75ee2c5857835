"""The variables that a server's guest keeps in its UEFI firmware."""

from __future__ import annotations

from nova_lab.server import Server

IMAGE = "probe-uefi"
VARIABLES = "/sys/firmware/efi/efivars"
OURS = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
"""The GUID of the variables of these tests."""


def variables(server: Server) -> list[str]:
    """The names of our variables in the guest's firmware."""
    mount = f"mount -t efivarfs efivarfs {VARIABLES} 2>/dev/null"
    names = server.guest.run(f"{mount}; cd {VARIABLES}; ls | grep {OURS}; cd /").split()
    return [name.removesuffix(f"-{OURS}") for name in names]


def write_variable(server: Server, name: str) -> None:
    """Let the guest write a variable that lasts."""
    before = variables(server)
    server.guest.run(f"printf '\\007\\000\\000\\000x' >{VARIABLES}/{name}-{OURS}")
    assert variables(server) == [*before, name]
