"""Nova's own tests of what our driver overrides, with either driver. All of them: scripts/nova-judge --all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from nova_judge.compare import Suite, complaints, read_expected
from nova_judge.install import environment


def test_novas_own_tests_end_with_our_driver_as_with_novas_but_for_the_differences_we_list() -> None:
    run = subprocess.run([sys.executable, "-m", "nova_judge"], env=environment(), capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("stock", "holdfast", "expected", "told"),
    [
        ("passed", "passed", {}, []),
        ("passed", "failed", {"test": "why"}, []),
        ("passed", "failed", {}, ["failed with ours, passed with the stock driver: test"]),
        ("passed", "not run", {}, ["not run with ours, passed with the stock driver: test"]),
        ("passed", "passed", {"test": "why"}, ["passed with both drivers, and yet a difference is expected: test"]),
        ("failed", "failed", {}, ["failed with the stock driver: test"]),
    ],
)
def test_a_difference_that_is_not_listed_is_told_and_so_is_a_listed_one_that_is_none(
    stock: str, holdfast: str, expected: dict[str, str], told: list[str]
) -> None:
    ours = {} if holdfast == "not run" else {"test": holdfast}
    assert complaints(Suite("suite", {"test": stock}, ours), expected) == told


def test_an_expected_difference_without_a_reason_is_refused(tmp_path: Path) -> None:
    listed = tmp_path / "expected.txt"
    listed.write_text("# those\nnova.tests.a  because\nnova.tests.b\n")
    with pytest.raises(ValueError, match=r"no reason.*nova\.tests\.b"):
        read_expected(listed)
