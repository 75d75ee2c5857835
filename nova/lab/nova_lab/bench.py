"""``scripts/nova-lab bench``: what a step takes through the real stack, under both drivers in one run.

The servers boot from an empty disk: firmware that finds nothing is all that runs in them, and no step waits for it.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from nova_lab.lab import Lab
from nova_lab.server import Server

AIMS = {"hard reboot": 0.9}
"""Step → the ratio of ours to stock that it should not exceed."""

IMAGE = "empty"
ROUNDS = ("stock", "holdfast") * 2
"""The drivers in their turns: what disturbs the machine disturbs both."""

Times = dict[str, dict[str, list[float]]]
"""Step → driver → seconds."""


def bench(lab: Lab, servers: int, repetitions: int) -> None:
    """Measure with one server and with ``servers``, print a table, write JSON. Medians of ``repetitions`` a round."""
    times: Times = {}
    with _empty_image(lab), _servers(lab, "first", 1) as (first,):
        _rounds(lab, lambda: _alone(first, repetitions), times, "")
        with _servers(lab, "more", servers - 1) as more:
            many = f", {servers} servers"
            _rounds(lab, lambda: _alone(first, repetitions), times, many)
            _rounds(lab, lambda: _together([first, *more]), times, f", all {servers} at once")
    print(f"{'':<36}{'stock s':>9}{'ours s':>9}{'ratio':>7}  aim")
    figures = []
    for step, by_driver in times.items():
        stock, ours = (statistics.median(by_driver[driver]) for driver in ("stock", "holdfast"))
        aim = AIMS.get(step)
        verdict = "" if aim is None else f"≤ {aim:g} {'reached' if ours / stock <= aim else 'MISSED'}"
        print(f"{step:<36}{stock:>9.2f}{ours:>9.2f}{ours / stock:>7.2f}  {verdict}".rstrip())
        figures.append({"step": step, "stock": stock, "ours": ours, "ratio": ours / stock, "times": by_driver})
    record = Path("build/nova-bench.json")
    record.parent.mkdir(exist_ok=True)
    record.write_text(json.dumps(figures, indent=2) + "\n")


def _rounds(lab: Lab, measure: Callable[[], Iterator[tuple[str, float]]], times: Times, suffix: str) -> None:
    for driver in ROUNDS:
        lab.use_driver(driver)
        for step, seconds in measure():
            times.setdefault(step + suffix, {}).setdefault(driver, []).append(seconds)


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
        yield "hard reboot", time.monotonic() - began


def _timed(server: Server, begin: Callable[[], object], status: str) -> float:
    began = time.monotonic()
    begin()
    server.wait(status, poll=0.05)
    return time.monotonic() - began


@contextmanager
def _servers(lab: Lab, name: str, count: int) -> Iterator[list[Server]]:
    """So many servers, one after another, with an interface each; they are gone afterwards."""
    made = []
    try:
        for number in range(count):
            made.append(Server(lab, f"bench-{name}-{number}"))
            made[-1].create(IMAGE, networks=("neta",))
        yield made
    finally:
        for server in made:
            server.remove()


@contextmanager
def _empty_image(lab: Lab) -> Iterator[None]:
    """An image without anything, of servers that are switched off without being asked."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 20)
        image = lab.openstack.create_image(
            IMAGE,
            filename=file.name,
            disk_format="raw",
            container_format="bare",
            wait=True,
            os_shutdown_timeout="0",
        )
    try:
        yield
    finally:
        lab.openstack.image.delete_image(image.id)
