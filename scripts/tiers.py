"""Run the tiers of the test suite one after another, say how long each took, and fail if one failed.

Called by scripts/test, which has installed what is needed. The tiers that start a libvirt run inside an enclosure
(holdfast_lab.enclosure) and need root: through sudo where we are not, asked for once.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

NO_TESTS = 5
"""pytest's exit status when it found or selected no test."""


@dataclass(frozen=True)
class Tier:
    """One folder of tests: whether it needs an enclosure, in how many processes, and whether in the lab's Python."""

    name: str
    enclosed: bool = True
    processes: int = 1
    in_lab: bool = False

    @property
    def folder(self) -> Path:
        """Where its tests are."""
        return Path("tests", self.name)

    def command(self, options: list[str]) -> list[str]:
        """The command line that runs it."""
        if self.in_lab:
            as_root = [] if os.geteuid() == 0 else ["sudo", "env", f"HOME={Path.home()}"]
            return [*as_root, "scripts/nova-lab", "test", str(self.folder), *options]
        pytest = [sys.executable, "-m", "pytest", "-q", str(self.folder)]
        if self.processes > 1:
            pytest += ["-n", str(self.processes), "--dist", "worksteal"]
        if not self.enclosed:
            return [*pytest, *options]
        if os.geteuid() == 0:
            # It ends also when we are killed.
            die_with_us = ["setpriv", "--pdeathsig", "TERM"]
            return [*die_with_us, sys.executable, "-m", "holdfast_lab.enclosure", "--emulate", *pytest, *options]
        # Root's caches would lie in the user's tree.
        passed = [f"{name}={os.environ.get(name, '')}" for name in ("CI", "HOLDFAST_WHOLE_CORPUS")]
        sudo = ["sudo", "env", "PYTHONDONTWRITEBYTECODE=1", *passed]
        return [
            *sudo,
            sys.executable,
            "-m",
            "holdfast_lab.enclosure",
            "--emulate",
            *pytest,
            "-p",
            "no:cacheprovider",
            *options,
        ]


SAFE = [
    Tier("rules", enclosed=False, processes=2),
    Tier("xml", enclosed=False, processes=2),
    Tier("libvirt", processes=3),
    Tier("faults", processes=2),
    Tier("guest", processes=2),
]
"""What is safe on anybody's machine."""

ALL = [*SAFE, Tier("hosts", processes=2), Tier("nova", in_lab=True)]

TIERS = [*ALL, Tier("lab", in_lab=True)]
"""Also what takes too long for every change: a whole OpenStack, in forty minutes."""


def parse_arguments() -> tuple[list[Tier], list[str]]:
    """The tiers to run and the options for pytest."""
    arguments: list[str] = sys.argv[1:]
    options: list[str] = []
    if "--" in arguments:
        split = arguments.index("--")
        arguments, options = arguments[:split], arguments[split + 1 :]
    parser = argparse.ArgumentParser(prog="scripts/test", usage="scripts/test [--all] [TIER ...] [-- PYTEST OPTIONS]")
    parser.add_argument("--all", action="store_true", help="also the tiers hosts and nova")
    parser.add_argument("tiers", nargs="*", metavar="TIER", help=", ".join(tier.name for tier in TIERS))
    parsed = parser.parse_args(arguments)
    unknown = set(parsed.tiers) - {tier.name for tier in TIERS}
    if unknown:
        parser.error(f"no such tier: {', '.join(sorted(unknown))}")
    if parsed.tiers:
        return [tier for tier in TIERS if tier.name in parsed.tiers], options
    return (ALL if parsed.all else SAFE), options


def ask_for_root_once() -> None:
    """Ask for sudo's password now and keep the answer alive until we end."""
    if subprocess.run(["sudo", "-v"]).returncode != 0:
        sys.exit("the tiers with a libvirt of their own need root; 'scripts/test rules xml' does not")

    def keep() -> None:
        while subprocess.run(["sudo", "-n", "-v"], stderr=subprocess.DEVNULL).returncode == 0:
            time.sleep(60)

    threading.Thread(target=keep, daemon=True).start()


def run(command: list[str]) -> int:
    """Run one tier. Whatever interrupts us, the tier has ended (and cleaned up) when we go on."""
    child = subprocess.Popen(command)
    try:
        return child.wait()
    except KeyboardInterrupt:
        # Ctrl-C reached the tier too. A signal to us alone did not.
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(20)
        raise
    finally:
        if child.poll() is None:
            kill = ["kill", str(child.pid)]
            subprocess.run(kill if os.geteuid() == 0 or command[0] != "sudo" else ["sudo", "-n", *kill])
            child.wait()


def describe(status: int, selecting: bool) -> str:
    """The outcome in words; a tier in which the user's own options select no test has not failed."""
    if status == NO_TESTS and selecting:
        return "none selected"
    return "passed" if status == 0 else f"FAILED ({status})"


def terminated(*_: object) -> None:
    """SIGTERM ends us as Ctrl-C does."""
    raise SystemExit(143)


def main() -> int:
    """Run the tiers and print the summary; 0 when no tier failed."""
    tiers, options = parse_arguments()
    signal.signal(signal.SIGTERM, terminated)
    if os.geteuid() != 0 and any(tier.enclosed and tier.folder.exists() for tier in tiers):
        ask_for_root_once()
    results: list[tuple[str, str, float]] = []
    try:
        for tier in tiers:
            print(f"== {tier.name}", flush=True)
            started = time.monotonic()
            outcome = "interrupted"
            try:
                if not list(tier.folder.rglob("test_*.py")):
                    outcome = "no tests yet"
                else:
                    outcome = describe(run(tier.command(options)), selecting=bool(options))
            finally:
                results.append((tier.name, outcome, time.monotonic() - started))
    except KeyboardInterrupt:
        return 130
    finally:
        print("== summary")
        for name, outcome, seconds in results:
            print(f"{name:<8} {outcome:<14} {seconds:6.1f} s")
    outcomes = {outcome.split()[0] for _, outcome, _ in results}
    if not outcomes & {"passed", "FAILED"}:
        print("no test was run")
        return NO_TESTS
    return 1 if "FAILED" in outcomes else 0


if __name__ == "__main__":
    sys.exit(main())
