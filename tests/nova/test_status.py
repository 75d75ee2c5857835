"""``holdfast-nova-status``: what it says of a compute node with a real libvirt, in states that operators meet."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nova_judge.install import environment, install
from tests.nova.in_nova import in_nova

STATES = Path(__file__).with_name("node_states.py")
Told = dict[str, tuple[int, dict[str, list[Any]]]]

SUCCESS, WARNING, FAILURE = range(3)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """State of the node → exit code and results."""
    enclosed = [sys.executable, "-m", "holdfast_lab.enclosure", "--emulate"]
    command = [*enclosed, str(install()), str(STATES), str(tmp_path_factory.mktemp("node"))]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {state: (code, results) for state, code, results in map(json.loads, done.stdout.splitlines())}


def test_an_empty_node_can_be_switched(told: Told) -> None:
    code, results = told["empty"]
    assert {check: each for check, each in results.items() if each[0] != SUCCESS} == {}
    assert code == SUCCESS
    assert results["libvirt"][1].startswith("libvirt ")
    assert results["Locks"][1].endswith("/locks")


def test_instances_that_can_be_sealed_are_counted(told: Told) -> None:
    """What else is said of it is this host's: Debian 13's QEMU has queues that the next one has not."""
    code, results = told["with an instance"]
    assert results["Instances can be sealed"] == [SUCCESS, "1 here"]
    assert code == max(result for result, _ in results.values())


def test_an_instance_that_stays_open_is_named_with_what_is_open(told: Told) -> None:
    code, results = told["with one that stays open"]
    result, details = results["Instances can be sealed"]
    assert (code, result) == (WARNING, WARNING)
    assert details.startswith("instance-00000002: ")
    assert "CPU" in details


def test_what_was_left_unfinished_is_named(told: Told) -> None:
    code, results = told["with one that is unfinished"]
    result, details = results["Leftovers"]
    assert (code, result) == (WARNING, WARNING)
    assert details.startswith("instance-00000003: ")
    assert details.endswith("('holdfast audit' has all)")


def test_a_hypervisor_that_the_driver_is_not_for_is_a_failure(told: Told) -> None:
    code, results = told["for containers"]
    assert (code, results["Hypervisor"][0]) == (FAILURE, FAILURE)


def test_without_libvirt_it_says_what_could_not_be_looked_at(told: Told) -> None:
    code, results = told["without libvirt"]
    assert (code, results["libvirt"][0]) == (FAILURE, FAILURE)
    assert results["Instances can be sealed"] == results["Leftovers"] == [WARNING, "libvirt could not be asked"]


def test_settings_that_are_not_there_are_a_sentence() -> None:
    code = "import sys; from holdfast_nova.status import check_node; sys.exit(check_node())"
    done = in_nova("-c", code, "--config-file", "/nothing/nova.conf", "upgrade", "check")
    assert (done.returncode, done.stdout) == (255, "")
    assert done.stderr == "error: Failed to find some config files: /nothing/nova.conf\n"
