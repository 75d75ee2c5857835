"""What Nova's driver makes of a guest that answers no detach, stock and ours, on a real libvirt (device_stories.py)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nova_judge.install import environment, install

STORIES = Path(__file__).with_name("device_stories.py")
MAC = "fa:16:3e:00:00:01"

Told = dict[str, tuple[str, dict[str, str], dict[str, str]]]
"""Step → what came of it, and where each device is in live and in config."""


def start(driver: str, folder: Path, **variables: str) -> subprocess.Popen[str]:
    folder.mkdir()
    enclosed = [sys.executable, "-m", "holdfast_lab.enclosure", "--emulate"]
    command = [*enclosed, str(install()), str(STORIES), driver, str(folder)]
    return subprocess.Popen(
        command, env=environment() | variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def told_by(story: subprocess.Popen[str]) -> Told:
    out, errors = story.communicate()
    assert story.returncode == 0, errors
    return {step: (came, live, config) for step, came, live, config in map(json.loads, out.splitlines())}


@pytest.fixture(scope="module")
def all_told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """By the stock driver, and by ours with both of Nova's ways to run at once; mostly they wait for libvirt."""
    folder = tmp_path_factory.mktemp("devices")
    running = {
        "stock": start("stock", folder / "stock"),
        "eventlet": start("holdfast", folder / "eventlet"),
        "threading": start("holdfast", folder / "threading", OS_NOVA_DISABLE_EVENTLET_PATCHING="yes"),
    }
    return {name: told_by(story) for name, story in running.items()}


@pytest.fixture(params=["eventlet", "threading"])
def told(request: pytest.FixtureRequest, all_told: dict[str, Told]) -> Told:
    return all_told[request.param]


@pytest.fixture
def stock(all_told: dict[str, Told]) -> Told:
    return all_told["stock"]


def test_detach_that_is_not_answered_fails_as_in_nova_and_leaves_the_device_where_it_was(
    told: Told, stock: Told
) -> None:
    came, live, config = told["unanswered"]
    assert came == stock["unanswered"][0] == "DeviceDetachFailed"
    assert live == config == told["attached"][1]


def test_stock_takes_it_out_of_config_alone(stock: Told) -> None:
    _, live, config = stock["unanswered"]
    assert live.keys() - config.keys() == {"vdc"}


def test_next_device_has_one_address_and_all_stay_at_a_restart(told: Told) -> None:
    _, live, config = told["another"]
    assert live == config
    assert told["restarted"][1:] == (live, live)


def test_stock_gives_it_two_and_loses_the_undetached_one_at_a_restart(stock: Told) -> None:
    _, live, config = stock["another"]
    assert live["vde"] != config["vde"] == live["vdc"]
    assert stock["restarted"][1] == config


def test_device_that_the_guest_has_let_go_of_late_is_detached_by_repeating(told: Told) -> None:
    came, live, config = told["late"]
    assert came == "detached"
    assert live == config
    assert "vdd" not in config


def test_port_that_is_taken_from_the_guest_to_suspend_it_comes_back_at_its_place(told: Told) -> None:
    _, live, config = told["resumed"]
    assert live == config
    assert live[MAC] == told["port"][1][MAC]


def test_stock_gives_it_to_the_running_guest_alone_and_elsewhere(stock: Told) -> None:
    _, live, config = stock["resumed"]
    assert live[MAC] != stock["port"][1][MAC]
    assert MAC not in config


def test_device_that_somebody_attached_at_two_addresses_stays_where_the_guest_has_it(told: Told) -> None:
    _, live, config = told["apart"]
    assert live["vdg"] != config["vdg"]
    _, after, defined = told["restarted again"]
    assert after == defined
    assert {name: after[name] for name in live} == live
    assert after.keys() - live.keys() == {"vdf"}


def test_stock_moves_it(stock: Told) -> None:
    assert stock["restarted again"][1] == stock["apart"][2]
