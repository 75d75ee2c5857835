"""Who may use whom: the contracts in pyproject.toml hold, and each of them can be broken."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.rules.architecture import ROOT

SOURCES = ("src", "lab/src", "nova/src")

NO_CIRCLE = "no modules of one room need each other"

BREAKS = {
    "the layers of holdfast point down": [
        "holdfast.errors -> holdfast.operations.connect",
        "holdfast.text -> holdfast.domainxml.document",
        "holdfast.domainxml.document -> holdfast.libvirtapi.domain",
        "holdfast.libvirtapi.domain -> holdfast.hostfiles.lock",
        "holdfast.hostfiles.lock -> holdfast.cli.main",
        "holdfast.hostfiles.lock -> holdfast.history.entry",
        "holdfast.operations.connect -> holdfast.cli.main",
        "holdfast.attic",
    ],
    "the rooms of the command line point down": [
        "holdfast.cli.columns -> holdfast.cli.look.show",
        "holdfast.cli.look.show -> holdfast.cli.devices.disk",
        "holdfast.cli.attic",
    ],
    "the rooms of operations point down": [
        "holdfast.operations.disks.new -> holdfast.operations.devices.list",
        "holdfast.operations.look.show -> holdfast.operations.settings.device",
        "holdfast.operations.connect -> holdfast.operations.look.diff",
        "holdfast.operations.attic",
    ],
    "the rooms of domainxml point down": [
        "holdfast.domainxml.elements.disk -> holdfast.domainxml.make.seal",
        "holdfast.domainxml.document -> holdfast.domainxml.elements.os",
        "holdfast.domainxml.attic",
    ],
    NO_CIRCLE: ["holdfast.libvirtapi.domain -> holdfast.libvirtapi.snapshot"],
    "the command line and the Nova driver do not know each other": ["holdfast.cli.power.save -> holdfast_nova.driver"],
    "the command line and the Nova driver reach operations, and nothing below": [
        "holdfast.cli.common -> holdfast.libvirtapi.connection",
        "holdfast_nova.driver -> holdfast.hostfiles.images.image",
    ],
    "libvirt belongs to libvirtapi": [
        "holdfast.operations.connect -> libvirt",
        "holdfast_nova.driver -> libvirt_qemu",
    ],
    "lxml belongs to domainxml": ["holdfast.operations.connect -> lxml"],
    "the history knows no documents and no libvirt": ["holdfast.history.entry -> holdfast.domainxml.document"],
    "dulwich belongs to the history": ["holdfast.operations.connect -> dulwich"],
    "click and rich belong to the command line": [
        "holdfast.operations.connect -> click",
        "holdfast.operations.look.show -> rich",
    ],
    "nobody uses the standard library's XML, which loses comments and namespaces": [
        "holdfast.domainxml.document -> xml"
    ],
    "the lab is for the demo and the tests": ["holdfast.cli.domain.create -> holdfast_lab.embedded"],
    "nova and oslo belong to the Nova driver, which nothing else uses": [
        "holdfast.operations.connect -> nova",
        "holdfast_lab.guest -> oslo_log",
        "holdfast.operations.connect -> holdfast_nova",
    ],
}
"""Contract → imports that break it; a single name is a module that stands in no list."""

IMPORT = """
def imports() -> None:
    if TYPE_CHECKING:
        import {}
"""
"""Where an import is least easily seen."""


def lint(tree: Path) -> str:
    """What import-linter says of the sources below ``tree``."""
    linter = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", linter, "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(tree / source) for source in SOURCES), "COLUMNS": "200"},
        capture_output=True,
        text=True,
    )
    return run.stdout + run.stderr


def add(tree: Path, module: str, text: str) -> None:
    """Add ``text`` at the end of a module below ``tree``."""
    source = next(tree / each for each in SOURCES if (tree / each / module.partition(".")[0]).is_dir())
    with source.joinpath(*module.split(".")).with_suffix(".py").open("a") as file:
        file.write(text)


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Contract → what is said of it, of a copy of all sources with all that BREAKS lists."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for source in SOURCES:
        shutil.copytree(ROOT / source, tree / source, ignore=shutil.ignore_patterns("__pycache__"))
    for line in (line for lines in BREAKS.values() for line in lines):
        importer, _, imported = line.partition(" -> ")
        add(tree, importer, IMPORT.format(imported) if imported else "")
    _, _, report = lint(tree).partition("Broken contracts\n")
    report = re.sub(r"^- +(.+?)(?: \(l\..+\))?$", r"- \1", report, flags=re.MULTILINE)  # without the number of the line
    parts = re.split(r"^(.+)\n-+\n", report, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_contract_holds() -> None:
    report = lint(ROOT)
    assert ", 0 broken" in report, report


@pytest.mark.parametrize(
    ("contract", "line"), [(contract, line) for contract, lines in BREAKS.items() for line in lines]
)
def test_contract_finds_what_breaks_it(said: dict[str, str], contract: str, line: str) -> None:
    room = line.partition(" -> ")[0].rpartition(".")[0]
    expected = f"No cycles are allowed in {room}." if contract == NO_CIRCLE else f"- {line}"
    assert expected in said[contract].splitlines()


def test_every_contract_has_an_import_that_breaks_it() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    assert [contract["name"] for contract in linter["contracts"]] == list(BREAKS)
