"""``scripts/nova-lab bench``: what a step takes through the real stack, under both drivers in one run.

The servers boot from an empty disk: firmware that finds nothing is all that runs in them, and no step waits for it.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from nova_lab.cloud import empty_image
from nova_lab.lab import Lab
from nova_lab.server import Server

AIMS = {"hard reboot": 0.9}
"""Step → the ratio of ours to stock that it should not exceed."""

IMAGE = "empty"
ROUNDS = ("stock", "holdfast", "holdfast", "stock")
"""The drivers in their turns: what disturbs the machine disturbs both."""

Times = dict[str, dict[str, list[float]]]
"""Step → driver → seconds."""


def bench(lab: Lab, counts: list[int], repetitions: int) -> None:
    """Measure with each number of servers, print a table, write JSON; ``repetitions`` in each of a driver's rounds."""
    figures = []
    print(f"{'servers':>7} {'':<20}{'stock s':>9}{'ours s':>9}{'ratio':>7}  aim")
    with empty_image(lab.openstack, IMAGE), _servers(lab) as servers:
        for count in sorted(counts):
            servers.up_to(count)
            times: Times = {}
            for driver in ROUNDS:
                lab.use_driver(driver)
                measured = [*_alone(servers.all[0], repetitions), *(_together(servers.all) if count > 1 else ())]
                for step, seconds in measured:
                    times.setdefault(step, {}).setdefault(driver, []).append(seconds)
            for step, by_driver in times.items():
                _print(count, step, *(statistics.median(by_driver[driver]) for driver in ("stock", "holdfast")))
                figures.append({"servers": count, "step": step, "seconds": by_driver})
    record = Path("build/nova-bench.json")
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(figures, indent=2) + "\n")


def _print(count: int, step: str, stock: float, ours: float) -> None:
    aim, ratio = AIMS.get(step), ours / stock
    verdict = "" if aim is None else f"≤ {aim:g} {'reached' if ratio <= aim else 'MISSED'}"
    print(f"{count:>7} {step:<20}{stock:>9.2f}{ours:>9.2f}{ratio:>7.2f}  {verdict}".rstrip(), flush=True)


def _alone(server: Server, repetitions: int) -> Iterator[tuple[str, float]]:
    for _ in range(repetitions):
        yield "hard reboot", _timed(server, lambda: server.cloud.compute.reboot_server(server.id, "HARD"), "ACTIVE")
        yield "stop", _timed(server, lambda: server.cloud.compute.stop_server(server.id), "SHUTOFF")
        yield "start", _timed(server, lambda: server.cloud.compute.start_server(server.id), "ACTIVE")
        another = Server(server.lab, f"{server.name}-boot")
        began = time.monotonic()
        another.create(IMAGE, networks=(), poll=0.05)
        yield "boot", time.monotonic() - began
        another.remove()


def _together(servers: list[Server]) -> Iterator[tuple[str, float]]:
    with ThreadPoolExecutor(len(servers)) as pool:
        began = time.monotonic()
        list(pool.map(lambda server: server.cloud.compute.reboot_server(server.id, "HARD"), servers))
        for server in servers:
            server.wait("ACTIVE")
        yield "hard reboot of all", time.monotonic() - began


def _timed(server: Server, begin: Callable[[], object], status: str) -> float:
    began = time.monotonic()
    begin()
    server.wait(status, poll=0.05)
    return time.monotonic() - began


class _Servers:
    """Servers with an interface each."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.all: list[Server] = []

    def up_to(self, count: int) -> None:
        """Create servers until there are so many."""
        for number in range(len(self.all), count):
            self.all.append(Server(self.lab, f"bench-{number}"))
            self.all[-1].create(IMAGE, networks=("neta",))


@contextmanager
def _servers(lab: Lab) -> Iterator[_Servers]:
    """No server yet; those that there will be are gone afterwards."""
    servers = _Servers(lab)
    try:
        yield servers
    finally:
        for server in servers.all:
            server.remove()
