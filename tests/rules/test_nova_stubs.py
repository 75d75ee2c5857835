"""The stubs of Nova say what the surface of Nova 34 says, which a test of the tier nova compares with Nova itself."""

from __future__ import annotations

import ast
import copy
import tomllib
from functools import cache

import pytest

from tests.rules.architecture import ROOT

STUBS = ROOT / "stubs"
SURFACE = tomllib.loads((ROOT / "nova/src/holdfast_nova/surface/34.toml").read_text())


@cache
def body_of(module: str) -> list[ast.stmt] | None:
    """The statements of the stub of ``module``; None where there is none."""
    folder = STUBS.joinpath(*module.split("."))
    for path in (folder.with_suffix(".pyi"), folder / "__init__.pyi"):
        if path.is_file():
            return ast.parse(path.read_text()).body
    return None


def declared(name: str) -> ast.stmt | None:
    """What the stubs declare by this dotted name."""
    module, _, rest = name.rpartition(".")
    while (body := body_of(module)) is None:
        module, _, last = module.rpartition(".")
        rest = f"{last}.{rest}"
    node: ast.stmt | None = None
    for part in rest.split("."):
        node = next((each for each in body if part in names(each)), None)
        body = node.body if isinstance(node, ast.ClassDef) else []
    return node


def names(node: ast.stmt) -> set[str]:
    """The names that a statement of a stub declares."""
    match node:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Import(names=imported):
            return {alias.asname or alias.name for alias in imported}
    return set()


def parameters(function: ast.FunctionDef) -> str:
    """Names and defaults, without types."""
    arguments = copy.deepcopy(function.args)
    for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
        argument.annotation = None
    return ast.unparse(arguments)


def test_names_are_read_from_the_surface() -> None:
    assert len(SURFACE) > 50
    assert declared("nova.virt.libvirt.driver.LibvirtDriver.rescue") is not None
    assert declared("nova.virt.libvirt.driver.LibvirtDriver.no_such_method") is None


@pytest.mark.parametrize("name", SURFACE)
def test_stub_agrees_with_the_surface(name: str) -> None:
    node, signature = declared(name), SURFACE[name]["signature"]
    assert node is not None, f"{name} has no stub"
    assert isinstance(node, ast.ClassDef) == signature.startswith("class ")
    if isinstance(node, ast.FunctionDef):
        (expected,) = ast.parse(f"def f{signature}: ...").body
        assert isinstance(expected, ast.FunctionDef)
        assert parameters(node) == parameters(expected)
