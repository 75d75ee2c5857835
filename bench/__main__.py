"""``python -m bench``: measure over a private libvirtd, print a table, write JSON. As root (``scripts/bench``)."""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import sys
import time
from dataclasses import asdict
from pathlib import Path

import libvirt
from bench.cases import Bench
from bench.measure import Case, Figure, measure
from holdfast_lab.daemon import private_host
from holdfast_lab.enclosure import acceleration, enclose, enclosed
from holdfast_lab.script_exit import leave

MEMORY_AIM = 80.0
"""MiB for ``holdfast list`` of 5,000 domains."""


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Holdfast beside the bare libvirt calls.")
    parser.add_argument("--domains", default="10,1000,5000", help="how many domains are defined (%(default)s)")
    parser.add_argument("--only", default="", help="only cases whose name contains this")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), help="where to write (%(default)s)")
    return parser.parse_args()


def print_figure(figure: Figure) -> None:
    """One line of the table."""
    aim = "" if figure.aim is None else f"≤ {figure.aim:<5g} {'reached' if figure.met else 'MISSED'}"
    line = f"{figure.domains:>7} {figure.name:<20} {figure.bare_ms:>10.2f} {figure.ours_ms:>10.2f}"
    print(f"{line} {figure.ratio:>7.2f}  {aim}".rstrip(), flush=True)


def main() -> int:
    """Measure everything asked for; 0 whether or not the aims were reached: figures are for people to judge."""
    arguments = parse_arguments()
    if not enclosed():
        return enclose([sys.executable, "-m", "bench", *sys.argv[1:]])
    figures: list[Figure] = []
    memory: dict[int, dict[str, float]] = {}
    with private_host("bench") as host:
        bench = Bench(host)
        print(f"{'domains':>7} {'':<20} {'bare ms':>10} {'ours ms':>10} {'ratio':>7}  aim")

        def take(case: Case | Figure) -> None:
            if arguments.only in case.name:
                figures.append(case if isinstance(case, Figure) else measure(case, bench.defined))
                print_figure(figures[-1])

        for count in sorted(int(number) for number in arguments.domains.split(",")):
            begun, before = time.monotonic(), bench.defined
            bench.define_up_to(count)
            print(f"{count - before} domains more defined in {time.monotonic() - begun:.1f} s")
            for case in itertools.chain(bench.process_cases(), bench.cases()):
                take(case)
            memory[count] = {command: bench.memory(command) for command in ("list", "audit")}
            print(
                f"{count:>7} memory of holdfast list: {memory[count]['list']:.0f} MiB (aim: under {MEMORY_AIM:.0f}), "
                f"of holdfast audit: {memory[count]['audit']:.0f} MiB"
            )
    result = {
        "libvirt": libvirt.getVersion(),
        "python": platform.python_version(),
        "guests": acceleration(),
        "figures": [{**asdict(figure), "ratio": figure.ratio, "met": figure.met} for figure in figures],
        "memory_mib": memory,
    }
    arguments.json.parent.mkdir(parents=True, exist_ok=True)
    arguments.json.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {arguments.json}")
    return 0


if __name__ == "__main__":
    leave(main)
