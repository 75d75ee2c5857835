"""The stubs of libvirt's binding: they agree with the installed one, and name exactly what is called."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from tests.rules.architecture import ROOT, modules

STUBS = ROOT / "stubs"


def test_stubs_agree_with_the_installed_binding() -> None:
    options = ["--ignore-missing-stub", "--allowlist", str(STUBS / "not-compared.txt")]
    run = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", *options, "libvirt", "libvirt_qemu"],
        env={**os.environ, "MYPYPATH": str(STUBS)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def declared(stub: Path) -> tuple[set[str], set[str]]:
    """The functions and constants of a stub: those of the product, and those below the comment "What only tests"."""
    text = stub.read_text()
    first = text[: text.index("# What only tests")].count("\n")
    ours: set[str] = set()
    others: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            name = node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        else:
            continue
        if not name.startswith("_"):
            (ours if node.lineno <= first else others).add(name)
    return ours, others


def named(*folders: str) -> set[str]:
    """Every attribute that the sources of these packages name."""
    return {
        node.attr
        for module in modules()
        if module.name.startswith(folders)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute)
    }


def test_every_call_in_the_stubs_is_made() -> None:
    product = named("holdfast.libvirtapi.")
    elsewhere = "".join(
        path.read_text() for folder in ("tests", "bench", "nova") for path in (ROOT / folder).rglob("*.py")
    )
    for stub in STUBS.glob("*.pyi"):
        ours, others = declared(stub)
        assert ours - product == set()
        assert {name for name in others if name not in elsewhere} == set()


def test_the_product_makes_no_call_that_is_there_for_tests() -> None:
    for stub in STUBS.glob("*.pyi"):
        ours, others = declared(stub)
        assert (others - ours) & named("holdfast.libvirtapi.") == set()
