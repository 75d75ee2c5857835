"""What our driver overrides and uses of Nova is in the installed Nova what it was when the driver was written.

Needs Nova with what it imports (the judge's environment, which is made when it isn't there), and no stack.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nova_judge.install import environment, install
from nova_judge.sources import DRIVER, strangers
from nova_judge.surface import TABLE

HARD_REBOOT = f"{DRIVER}._hard_reboot"

Check = Callable[[str], str]


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python that has Nova."""
    return install()


@pytest.fixture
def check(python: Path, tmp_path: Path) -> Check:
    """Compares the installed Nova with a table of this text; "" when nothing is wrong."""

    def compare(table: str) -> str:
        pinned = tmp_path / "surface.toml"
        pinned.write_text(table)
        command = [str(python), "-m", "nova_judge.surface", "--check", str(pinned)]
        run = subprocess.run(command, env=environment(), capture_output=True, text=True)
        assert run.returncode == (1 if run.stdout else 0), run.stderr
        return str(run.stdout)

    return compare


def entry(name: str) -> str:
    """The lines of the table for this name."""
    found = re.search(rf'^\["{re.escape(name)}"\]\n(.+\n)+', TABLE.read_text(), re.MULTILINE)
    assert found is not None, f"{name} is not in {TABLE.name}"
    return found.group()


def test_nova_is_the_one_that_the_driver_was_written_for(check: Check) -> None:
    assert check(TABLE.read_text()) == ""


def test_each_private_attribute_is_of_an_object_whose_class_is_known() -> None:
    assert strangers() == []


def test_a_changed_body_of_an_overridden_method_is_told(check: Check) -> None:
    there = entry(HARD_REBOOT)
    told = check(TABLE.read_text().replace(there, re.sub('sha256 = "..', 'sha256 = "xx', there)))
    assert told.startswith(f"{HARD_REBOOT}, which our driver overrides, has another body in Nova 34.")
    assert told.count("\n") == 1


def test_a_changed_signature_is_told_with_both(check: Check) -> None:
    there = entry(HARD_REBOOT)
    told = check(TABLE.read_text().replace(there, there.replace("(self, context, ", "(self, ")))
    assert told.startswith(f"{HARD_REBOOT}, which our driver overrides, is (self, context, instance, ")
    assert " and was (self, instance, " in told
    assert "its signature changed" in told


def test_a_method_that_is_gone_is_told(check: Check) -> None:
    told = check(TABLE.read_text() + f'\n["{DRIVER}._keep"]\nhow = "overrides"\nsignature = "(self)"\n')
    assert told.startswith(f"{DRIVER}._keep, which our driver overrides, is gone in Nova 34.")


def test_a_name_that_our_driver_does_not_use_any_more_is_told(check: Check) -> None:
    told = check(TABLE.read_text() + f'\n["{DRIVER}._of_yesterday"]\nhow = "uses"\nsignature = "(self)"\n')
    assert told.startswith(f"{DRIVER}._of_yesterday: surface.toml has it")


def test_an_override_that_is_not_in_the_table_is_told(check: Check) -> None:
    told = check(TABLE.read_text().replace(entry(HARD_REBOOT), ""))
    assert told.startswith(f"{HARD_REBOOT}: our driver overrides it, and surface.toml does not have it")
