"""Whether this machine has a network at all."""

from __future__ import annotations

from pathlib import Path

_ROUTES = (Path("/proc/net/route"), Path("/proc/net/ipv6_route"))


def has_network() -> bool:
    """True where a route leads out of this machine, as the kernel has them (proc_net_route: Iface; …)."""
    for routes in _ROUTES:
        try:
            lines = routes.read_text().splitlines()
        except OSError:
            continue
        of = {line.split()[-1 if routes.name == "ipv6_route" else 0] for line in lines if line.strip()}
        if of - {"Iface", "lo"}:
            return True
    return False
