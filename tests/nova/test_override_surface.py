"""What our driver overrides and uses of Nova is in each release of Nova what it was when the driver was written.

Needs Nova with what it imports (the judge's environment, which is made when it isn't there), and no stack.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from holdfast_nova.nova_at_hand import SURFACES, Pinned, pinned, releases
from nova_judge.install import EARLIER, LATEST
from nova_judge.sources import DRIVER, driver_members, strangers
from tests.nova.in_nova import in_nova

HARD_REBOOT = f"{DRIVER}._hard_reboot"
TABLE = SURFACES / f"{LATEST}.toml"
OUR_OWN = next(
    name
    for each in driver_members()
    if not each.startswith("__") and (name := f"{DRIVER}.{each}") not in TABLE.read_text()
)
"""What our driver has and Nova's has not."""

RELEASES = (LATEST, *EARLIER)


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
    run = in_nova("-m", "nova_judge.surface", "--check", *(str(folder / name) for name in tables))
    assert run.returncode == 1, run.stderr
    lines = [line.partition(": ") for line in run.stdout.splitlines()]
    return {name: [sentence for table, _, sentence in lines if table == name] for name in tables}


@pytest.mark.parametrize("release", RELEASES)
def test_nova_is_the_one_that_the_driver_was_written_for(release: int) -> None:
    run = in_nova("-m", "nova_judge.surface", "--check", str(SURFACES / f"{release}.toml"), release=release)
    assert (run.stdout, run.returncode) == ("", 0), run.stderr


def test_each_release_that_the_driver_is_for_is_tried() -> None:
    assert sorted(RELEASES) == releases()


@pytest.mark.parametrize("release", RELEASES)
def test_each_method_can_be_called_as_nova_calls_the_one_that_it_overrides(release: int) -> None:
    surface, tried = pinned(release), 0
    for name, ours in driver_members().items():
        nova = surface.get(f"{DRIVER}.{name}")
        if nova is not None and isinstance(ours, ast.FunctionDef):
            assert takes_all(ours.args, nova), f"{name}{nova.signature}"
            tried += 1
    assert tried > 15


def takes_all(ours: ast.arguments, nova: Pinned) -> bool:
    """True where ``ours`` has the same parameters, and maybe more that Nova need not give."""
    (stub,) = ast.parse(f"def f{nova.signature}: ...").body
    assert isinstance(stub, ast.FunctionDef)
    given, names = ([argument.arg for argument in each.args] for each in (stub.args, ours))
    return names[: len(given)] == given and len(names) - len(given) <= len(ours.defaults)


def test_each_private_attribute_is_of_an_object_whose_class_is_known() -> None:
    assert strangers() == []


def test_a_changed_body_of_an_overridden_method_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["body"]
    assert sentence.startswith(f"{HARD_REBOOT}, which the driver overrides, has another source in Nova 34.")


def test_a_changed_signature_is_told_with_both(told: dict[str, list[str]]) -> None:
    (sentence,) = told["signature"]
    assert sentence.startswith(f"{HARD_REBOOT}, which the driver overrides, is (self, context, instance, ")
    assert ": it was (self, instance, " in sentence


def test_a_method_that_is_gone_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["gone"]
    assert sentence.startswith(f"{OUR_OWN}, which the driver overrides, is gone in Nova 34.")


def test_an_override_that_is_not_in_the_table_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["missing"]
    assert sentence.startswith(f"{HARD_REBOOT}: our driver overrides it, and the table does not have it")


def test_a_name_that_our_driver_does_not_use_any_more_is_told(told: dict[str, list[str]]) -> None:
    (sentence,) = told["unused"]
    assert sentence.startswith(f"{DRIVER}._of_yesterday: the table has it")
