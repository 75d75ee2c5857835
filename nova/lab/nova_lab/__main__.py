"""``scripts/nova-lab``: up, down, status, driver, run, compare, bench, tempest, test."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from dataclasses import asdict
from pathlib import Path

from holdfast_lab.script_exit import leave
from nova_lab import config
from nova_lab.install import LATEST, RELEASES
from nova_lab.lab import Lab
from nova_lab.world import LabError


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/nova-lab", description="A real OpenStack on this machine.")
    parser.add_argument("--dir", type=Path, help="folder of the lab's state (default: below ~/.cache/holdfast)")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="bring up what does not run; from nothing in one to five minutes")
    up.add_argument("--driver", choices=config.CANDIDATES, default="stock", help="compute driver of a new node")
    up.add_argument("--release", type=int, choices=RELEASES, help=f"of Nova, of a new lab (default: {LATEST})")
    _add_setup(up)
    commands.add_parser("down", help="end and remove everything but the installed environments")
    commands.add_parser("status", help="say what runs")
    driver = commands.add_parser("driver", help="install this checkout's wheels and restart nova-compute with a driver")
    driver.add_argument("name", choices=config.CANDIDATES)
    _add_setup(driver)
    compare = commands.add_parser(
        "compare", help="the scenario under both drivers, as a table; 1 if ours lost something"
    )
    compare.add_argument("--driver", choices=config.CANDIDATES, action="append", help="only under this one")
    compare.add_argument("--write", type=Path, metavar="PAGE", help="put the table into this page, between its marks")
    compare.add_argument("--boots-from-volume", action="store_true", help="the server's root disk is a volume")
    compare.add_argument("--short", action="store_true", help="only the steps that switch the guest off or copy")
    _add_setup(compare)
    bench = commands.add_parser("bench", help="what a step takes under both drivers")
    bench.add_argument("--servers", default="1,20", help="with how many (%(default)s)")
    bench.add_argument("--repetitions", type=int, default=3, help="in each of two rounds a driver (%(default)s)")
    tempest = commands.add_parser(
        "tempest", help="OpenStack's own tests of a cloud; 1 if they end otherwise than listed"
    )
    tempest.add_argument("name", nargs="?", choices=config.CANDIDATES, help="only with this driver")
    test = commands.add_parser("test", help="run pytest where the lab's tests run")
    test.add_argument("argument", nargs=argparse.REMAINDER)
    run = commands.add_parser("run", help="run a command with OS_* and LIBVIRT_DEFAULT_URI set")
    run.add_argument("argument", nargs=argparse.REMAINDER)
    return parser.parse_args()


def _add_setup(command: argparse.ArgumentParser) -> None:
    """What else of a node's setup may be chosen; without these it stays as it is."""
    command.add_argument("--user", choices=config.USERS, help="who runs nova-compute (at first: nova)")
    command.add_argument("--images", choices=config.IMAGE_TYPES, help="what keeps instances' disks (at first: qcow2)")
    command.add_argument(
        "--concurrency", choices=config.CONCURRENCIES, help="nova-compute's threads (at first those of its release)"
    )


def _changes(arguments: argparse.Namespace) -> dict[str, str]:
    chosen = {name: getattr(arguments, name) for name in ("user", "images", "concurrency")}
    return {name: value for name, value in chosen.items() if value is not None}


_PYTEST = ["-q", "-o", "filterwarnings=ignore\nerror:::(holdfast|nova_|tests)", "-o", "faulthandler_timeout=10800"]
"""Warnings of our own code are errors here too, OpenStack's are not ours to mend; a whole scenario is one fixture."""


def _environment(lab: Lab) -> dict[str, str]:
    return {
        "OS_AUTH_URL": f"{config.url('keystone')}/v3",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": config.PASSWORD,
        "OS_PROJECT_NAME": "admin",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
        "OS_REGION_NAME": config.REGION,
        "LIBVIRT_DEFAULT_URI": lab.libvirt_uri,
    }


def _status(lab: Lab) -> int:
    running = lab.status()
    for world, processes in running.items():
        print(f"{world}: {'up' if processes else 'down'}")
        for name in ("mariadb", "rabbitmq", *config.PORTS, "nova-api", "nova-conductor", "nova-scheduler"):
            if name in processes and not processes[name]:
                print(f"  {name} has ended")
    if not running[lab.node.name]:
        return 1
    print(f"Nova {lab.release}, {', '.join(f'{name}: {value}' for name, value in asdict(lab.setup).items())}")
    print(f"logs: {lab.cloud.folder}/log {lab.node.folder}/log\n")
    print("".join(f"export {key}={shlex.quote(value)}\n" for key, value in _environment(lab).items()), end="")
    return 0


def main() -> int:
    """Carry out one command; the exit status."""
    arguments = _arguments()
    lab = Lab(arguments.dir)
    started = time.monotonic()
    try:
        if arguments.command == "up":
            lab.up(config.Setup(driver=arguments.driver, **_changes(arguments)), arguments.release)
        elif arguments.command == "down":
            lab.down()
        elif arguments.command == "driver":
            lab.use_driver(arguments.name, **_changes(arguments))
        elif arguments.command == "compare":
            from nova_lab.compare import Shape, compare

            lab.up()
            shape = Shape(arguments.boots_from_volume, arguments.short)
            return compare(lab, arguments.driver or config.CANDIDATES, arguments.write, shape, _changes(arguments))
        elif arguments.command == "tempest":
            from nova_lab.tempest import tempest

            lab.up()
            return tempest(lab, (arguments.name,) if arguments.name else tuple(config.CANDIDATES))
        elif arguments.command == "bench":
            from nova_lab.bench import bench

            lab.up()
            bench(lab, [int(count) for count in arguments.servers.split(",")], arguments.repetitions)
            return 0
        elif arguments.command == "test":
            environment = {**os.environ, "HOLDFAST_NOVA_LAB": str(lab.folder)}
            pytest = [sys.executable, "-m", "pytest", *_PYTEST]
            os.execve(sys.executable, [*pytest, *arguments.argument], environment)
        elif arguments.command == "run":
            os.execvpe(arguments.argument[0], arguments.argument, {**os.environ, **_environment(lab)})
    except LabError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    status = _status(lab) if arguments.command != "down" else 0
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return status


if __name__ == "__main__":
    leave(main)
