"""``scripts/nova-lab tempest``: OpenStack's own tests of a running cloud, with either driver.

Which tests, which of them Tempest skips here and why, and which are expected to end otherwise with our driver is in
``nova/lab/tempest``, one line each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from nova_judge.compare import Suite, complaints, read_expected, read_outcomes, summary, unknown
from nova_lab import config
from nova_lab.cloud import FLAVORS, empty_image
from nova_lab.install import install_tempest
from nova_lab.lab import Lab
from nova_lab.world import CHECKOUT, LabError

LISTS = CHECKOUT / "nova/lab/tempest"
RESULTS = CHECKOUT / "build/nova-tempest"
WORKERS = 2
NAME = "tempest.api.compute"
LIMIT = "1200"
"""Seconds for a test."""


def tempest(lab: Lab, drivers: tuple[str, ...]) -> int:
    """Run the tests with these drivers, and compare with what the other did last; 1 where something is unexpected."""
    names = [line for line in (LISTS / "tests.txt").read_text().splitlines() if line and not line.startswith("#")]
    python = install_tempest() / "bin/python"
    for driver in drivers:
        lab.use_driver(driver)
        _with_images(lab, python, driver, names)
    outcomes = {driver: read_outcomes((RESULTS / driver).glob("[0-9].txt")) for driver in config.CANDIDATES}
    suite = Suite(NAME, **outcomes)
    skips, expected = (read_expected(LISTS / f"{name}.txt") for name in ("skips", "expected"))
    skipped = {test for tests in outcomes.values() for test, outcome in tests.items() if outcome == "skipped"}
    problems = [f"skipped, and no reason is given: {test}" for test in sorted(skipped - skips.keys())]
    problems += [f"expected to be skipped, and was run: {test}" for test in sorted(skips.keys() - skipped)]
    if all(outcomes.values()):
        problems += [*complaints(suite, expected), *unknown(expected, [suite])]
    print(summary([suite], expected))
    print("".join(f"{problem}\n" for problem in problems), end="")
    return 1 if problems else 0


def _with_images(lab: Lab, python: Path, driver: str, names: list[str]) -> None:
    """The servers boot from an empty disk: nothing looks into them, and firmware that finds nothing takes no time."""
    one = empty_image(lab.openstack, "tempest-1", hw_machine_type="q35")
    other = empty_image(lab.openstack, "tempest-2", hw_machine_type="q35")
    with one as image, other as alternative:
        _run(lab, python, driver, names, (image, alternative))


def _run(lab: Lab, python: Path, driver: str, names: list[str], images: tuple[str, str]) -> None:
    folder = RESULTS / driver
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    config.write(folder / "tempest.conf", _settings(lab, folder, images))
    environment = {
        **os.environ,
        "TEMPEST_CONFIG_DIR": str(folder),
        "TEMPEST_CONFIG": "tempest.conf",
        "OS_TEST_TIMEOUT": LIMIT,
        "PYTHONWARNINGS": "ignore",
    }
    environment.pop("PYTHONPATH", None)  # ours
    began = time.monotonic()
    program = Path(__file__).with_name("tempest_run.py")
    workers = []
    for number in range(WORKERS):
        command = [str(python), str(program), str(folder), f"{number}/{WORKERS}", *names]
        command = ["setpriv", "--pdeathsig", "TERM", *command]
        with (folder / f"{number}.log").open("w") as log:
            workers.append(subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder))
    ended = [worker.wait() for worker in workers]
    if any(ended):
        raise LabError(f"Tempest ended early: see {folder}/*.log")
    print(f"{driver}: {time.monotonic() - began:.0f} s", flush=True)


def _settings(lab: Lab, folder: Path, images: tuple[str, str]) -> config.Sections:
    small, large = (lab.openstack.compute.find_flavor(name, ignore_missing=False).id for name in FLAVORS)
    no = (
        "live_migration",
        "cold_migration",
        "change_password",
        "vnc_console",
        "ide_bus",
        "personality",
        "console_output",
    )
    yes = ("resize", "suspend", "pause", "shelve", "snapshot", "rescue", "stable_rescue", "swap_volume")
    return {
        "DEFAULT": {"log_file": folder / "tempest.log", "debug": True},
        "oslo_concurrency": {"lock_path": folder / "lock"},
        "auth": {
            "admin_username": "admin",
            "admin_password": config.PASSWORD,
            "admin_project_name": "admin",
            "admin_domain_name": "Default",
            "create_isolated_networks": False,
        },
        "identity": {"uri_v3": f"{config.url('keystone')}/v3", "auth_version": "v3", "region": config.REGION},
        "service_available": {"cinder": True, "glance": True, "nova": True, "neutron": True, "swift": False},
        "compute": {
            "image_ref": images[0],
            "image_ref_alt": images[1],
            "flavor_ref": small,
            "flavor_ref_alt": large,
            "fixed_network_name": config.NETWORKS[0],
            "max_microversion": "latest",
            "build_timeout": 600,
        },
        "compute-feature-enabled": {**dict.fromkeys(no, False), **dict.fromkeys(yes, True)},
        "network": {"floating_network_name": ""},
        "network-feature-enabled": {"floating_ips": False},
        "validation": {"run_validation": False},
        "volume": {"catalog_type": "block-storage", "max_microversion": "3.70", "build_timeout": 600},
        "volume-feature-enabled": {"backup": False},
    }
