"""How much of Nova's driver is no longer reached under ours: a count, in markdown.

A static call graph: every mention of ``self.NAME`` in a method counts as a call, resolved in our class first, and
``super().NAME`` in the class above. The roots are the public methods of ComputeDriver, the class's constructor, and
what Nova calls of the driver besides (public methods of LibvirtDriver). Branches that are never taken count as reached.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from nova_judge.in_tree import code_lines, could_go, span
from nova_judge.sources import OURS, PACKAGE, driver_members, members

Method = tuple[int, str]
"""The index of a class in the order of inheritance, and a name in it."""


@dataclass(frozen=True)
class Class:
    """A class: its methods."""

    name: str
    methods: dict[str, ast.FunctionDef]


def source(*names: str) -> str:
    """The source of a file of the Nova that is installed."""
    spec = importlib.util.find_spec("nova")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent.joinpath(*names).read_text()


def classes() -> list[Class]:
    """Ours, LibvirtDriver and ComputeDriver, in the order in which a name is looked up."""
    libvirt_driver = ast.parse(source("virt", "libvirt", "driver.py"))
    compute_driver = ast.parse(source("virt", "driver.py"))
    trees = {"LibvirtDriver": libvirt_driver, "ComputeDriver": compute_driver}
    of = {OURS: driver_members(), **{name: members(tree, name) for name, tree in trees.items()}}
    return [
        Class(name, {key: node for key, node in found.items() if isinstance(node, ast.FunctionDef)})
        for name, found in of.items()
    ]


def reached(chain: list[Class]) -> set[tuple[str, str]]:
    """The methods, by class and name, that are reached from outside of an object of the first class of ``chain``."""
    public = {name for each in chain for name in each.methods if not name.startswith("_")}
    todo = [_look_up(chain, name, 0) for name in {*public, "__init__"}]
    found: set[Method] = set()
    while todo:
        method = todo.pop()
        if method is None or method in found:
            continue
        found.add(method)
        index, name = method
        for node in ast.walk(chain[index].methods[name]):
            if isinstance(node, ast.Attribute):
                above = isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "super"
                if above or ast.unparse(node.value) in ("self", "cls", "LibvirtDriver", "self.__class__"):
                    todo.append(_look_up(chain, node.attr, index + 1 if above else 0))
    return {(chain[index].name, name) for index, name in found}


def _look_up(chain: list[Class], name: str, start: int) -> Method | None:
    return next(((index, name) for index in range(start, len(chain)) if name in chain[index].methods), None)


def functions(texts: list[str]) -> int:
    """How many functions there are in ``texts``."""
    return sum(isinstance(node, ast.FunctionDef) for text in texts for node in ast.walk(ast.parse(text)))


def loaded() -> list[str]:
    """The texts of the modules of ``holdfast`` that are loaded with the driver."""
    importlib.import_module(f"{PACKAGE.name}.driver")
    files = {module.__file__ for name, module in sys.modules.items() if name.split(".")[0] == "holdfast"}
    return [Path(file).read_text() for file in files if file is not None]


def table() -> str:
    """The count. A line is one of code: neither empty, nor a comment, nor of a docstring."""
    ours, libvirt_driver, compute_driver = classes()
    stock = reached([libvirt_driver, compute_driver])
    holdfast = reached([ours, libvirt_driver, compute_driver])
    gone = sorted(name for owner, name in stock - holdfast if owner == "LibvirtDriver")
    methods, code = libvirt_driver.methods, code_lines(source("virt", "libvirt", "driver.py"))
    added, below = [path.read_text() for path in PACKAGE.glob("*.py")], loaded()
    goes = could_go(methods, source("virt", "libvirt", "driver.py"), code)

    def size(names: Iterable[str]) -> int:
        return sum(len(code & span(methods[name])) for name in names)

    rows = [
        ("`LibvirtDriver` of Nova " + version("nova"), len(methods), size(methods)),
        ("of these no longer reached", len(gone), size(gone)),
        ("overridden", len(ours.methods.keys() & (methods.keys() | compute_driver.methods.keys())), None),
        ("added by `holdfast_nova`", functions(added), sum(map(len, map(code_lines, added)))),
        ("of `holdfast`, what is loaded with it", functions(below), sum(map(len, map(code_lines, below)))),
        ("could go from Nova, were it Nova's own way", None, goes["on one host"]),
        ("and where the document travels with the instance", None, sum(goes.values())),
    ]
    text = ["| | functions | lines of code |", "|---|--:|--:|"]
    text += [f"| {what} | {_cell(count)} | {_cell(lines)} |" for what, count, lines in rows]
    return "\n".join([*text, "", "No longer reached: " + ", ".join(f"`{name}`" for name in gone) + ".", ""])


def _cell(number: int | None) -> str:
    return "" if number is None else f"{number:,}"


if __name__ == "__main__":
    print(table(), end="")
