"""Cables between private hosts: the network over which guests move from one to the other."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from holdfast_lab.daemon import Host, private_host

_DEVICE = "cable1"
_ADDRESSES = ("203.0.113.1", "203.0.113.2")


@dataclass(frozen=True)
class Cable:
    """The cable of two hosts, which are in ``hosts``. It can be pulled."""

    hosts: tuple[Host, Host]

    def pull(self) -> None:
        """Pull it: nothing goes from one to the other any more."""
        _ip(self.hosts[0], "link", "set", _DEVICE, "down")

    def plug(self) -> None:
        """Put it in again."""
        _ip(self.hosts[0], "link", "set", _DEVICE, "up")


@contextlib.contextmanager
def two_hosts(*names: str, systems: tuple[Path, Path] = (Path("/"), Path("/"))) -> Iterator[Cable]:
    """Two private hosts of these names, and a cable between them; libvirt and QEMU are those of ``systems``."""
    with (
        private_host(names[0], systems[0], address=_ADDRESSES[0]) as one,
        private_host(names[1], systems[1], address=_ADDRESSES[1]) as other,
    ):
        yield _join(one, other)


def _join(one: Host, other: Host) -> Cable:
    ends = [str(host.inside) for host in (one, other)]
    here, there = (["name", _DEVICE, "netns", end] for end in ends)
    subprocess.run(["ip", "link", "add", *here, "type", "veth", "peer", *there], check=True)
    for host, address in zip((one, other), _ADDRESSES, strict=True):
        _ip(host, "address", "add", f"{address}/24", "dev", _DEVICE)
        _ip(host, "link", "set", _DEVICE, "up")
    return Cable((one, other))


@contextlib.contextmanager
def joined_hosts(systems: Mapping[str, Path]) -> Iterator[dict[str, Host]]:
    """Private hosts by their names, each with a cable to every other; libvirt and QEMU are those of ``systems``."""
    addresses = {name: f"203.0.113.{number}" for number, name in enumerate(systems, 1)}
    with contextlib.ExitStack() as stack:
        hosts = {
            name: stack.enter_context(private_host(name, system, address=addresses[name]))
            for name, system in systems.items()
        }
        for pair in combinations(hosts, 2):
            here, there = (
                ["name", f"to-{name}", "netns", str(hosts[at].inside)]
                for name, at in zip(pair[::-1], pair, strict=True)
            )
            subprocess.run(["ip", "link", "add", *here, "type", "veth", "peer", *there], check=True)
            for at, to in (pair, pair[::-1]):
                _ip(hosts[at], "address", "add", addresses[at], "peer", addresses[to], "dev", f"to-{to}")
                _ip(hosts[at], "link", "set", f"to-{to}", "up")
        yield hosts


def _ip(host: Host, *words: str) -> None:
    subprocess.run(["nsenter", "--net", "--target", str(host.inside), "ip", *words], check=True)
