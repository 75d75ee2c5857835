"""What our driver overrides and uses of Nova is in the installed Nova what it was when the driver was written.

Needs Nova with what it imports (the judge's environment, which is made when it isn't there), and no stack.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from nova_judge.install import environment, install
from nova_judge.sources import DRIVER, driver_members, strangers
from nova_judge.surface import TABLE

HARD_REBOOT = f"{DRIVER}._hard_reboot"
OUR_OWN = next(
    name
    for each in driver_members()
    if not each.startswith("__") and (name := f"{DRIVER}.{each}") not in TABLE.read_text()
)
"""What our driver has and Nova's has not."""


def entry(name: str) -> str:
    """The lines of the table for this name."""
    found = re.search(rf'^\["{re.escape(name)}"\]\n(.+\n)+', TABLE.read_text(), re.MULTILINE)
    assert found is not None, f"{name} is not in {TABLE.name}"
    return found.group()


def changed(old: str, new: str) -> str:
    """The table with another entry for the hard reboot."""
    there = entry(HARD_REBOOT)
    assert old in there
    return TABLE.read_text().replace(there, there.replace(old, new))


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What is told of the installed Nova beside our table, and beside tables of another one."""
    tables = {
        "as it is": TABLE.read_text(),
        "body": changed('sha256 = "', 'sha256 = "0'),
        "signature": changed("(self, context, ", "(self, "),
        "missing": TABLE.read_text().replace(entry(HARD_REBOOT), ""),
        "gone": TABLE.read_text() + f'\n["{OUR_OWN}"]\nhow = "overrides"\nsignature = "(self)"\n',
        "unused": TABLE.read_text() + f'\n["{DRIVER}._of_yesterday"]\nhow = "uses"\nsignature = "(self)"\n',
    }
    folder = tmp_path_factory.mktemp("tables")
    for name, text in tables.items():
        Path(folder, name).write_text(text)
    command = [str(install()), "-m", "nova_judge.surface", "--check", *(str(folder / name) for name in tables)]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    lines = [line.partition(": ") for line in run.stdout.splitlines()]
    return {name: [sentence for table, _, sentence in lines if table == name] for name in tables}


def test_nova_is_the_one_that_the_driver_was_written_for(told: dict[str, list[str]]) -> None:
    assert told["as it is"] == []


def test_each_private_attribute_is_of_an_object_whose_class_is_known() -> None:
    assert strangers() == []


def test_a_changed_body_of_an_overridden_method_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["body"]
    assert sentence.startswith(f"{HARD_REBOOT}, which our driver overrides, has another body in Nova 34.")


def test_a_changed_signature_is_told_with_both(told: dict[str, list[str]]) -> None:
    (sentence,) = told["signature"]
    assert sentence.startswith(f"{HARD_REBOOT}, which our driver overrides, is (self, context, instance, ")
    assert " and was (self, instance, " in sentence
    assert "its signature changed" in sentence


def test_a_method_that_is_gone_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["gone"]
    assert sentence.startswith(f"{OUR_OWN}, which our driver overrides, is gone in Nova 34.")


def test_an_override_that_is_not_in_the_table_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["missing"]
    assert sentence.startswith(f"{HARD_REBOOT}: our driver overrides it, and surface.toml does not have it")


def test_a_name_that_our_driver_does_not_use_any_more_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["unused"]
    assert sentence.startswith(f"{DRIVER}._of_yesterday: surface.toml has it")
