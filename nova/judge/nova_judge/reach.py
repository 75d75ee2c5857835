"""How much of Nova's driver is no longer reached under ours: a count, in markdown.

A static call graph: every mention of ``self.NAME`` in a method counts as a call, resolved in our class first, and
``super().NAME`` in the class above. The roots are the public methods of ComputeDriver, the class's constructor, and
what Nova calls of the driver besides (public methods of LibvirtDriver). Branches that are never taken count as reached.
"""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from nova_judge.sources import OURS, PACKAGE, driver_members, members

Method = tuple[int, str]
"""The index of a class in the order of inheritance, and a name in it."""


@dataclass(frozen=True)
class Class:
    """A class: its methods."""

    name: str
    methods: dict[str, ast.FunctionDef]


def classes() -> list[Class]:
    """Ours, LibvirtDriver and ComputeDriver, in the order in which a name is looked up."""
    spec = importlib.util.find_spec("nova")
    assert spec is not None and spec.origin is not None
    virt = Path(spec.origin).parent / "virt"
    libvirt_driver = ast.parse((virt / "libvirt" / "driver.py").read_text())
    compute_driver = ast.parse((virt / "driver.py").read_text())
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


def lines(node: ast.FunctionDef) -> int:
    """How many lines a function takes, with its decorators."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return (node.end_lineno or node.lineno) - first + 1


def code_lines(text: str) -> int:
    """The lines of ``text`` that are neither empty, nor comments, nor docstrings."""
    tree = ast.parse(text)
    prose = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    numbered = enumerate(text.splitlines(), 1)
    return sum(1 for number, line in numbered if number not in prose and line.strip() and line.strip()[0] != "#")


def table() -> str:
    """The count."""
    ours, libvirt_driver, compute_driver = classes()
    stock = reached([libvirt_driver, compute_driver])
    holdfast = reached([ours, libvirt_driver, compute_driver])
    gone = sorted(name for owner, name in stock - holdfast if owner == "LibvirtDriver")
    methods = libvirt_driver.methods
    texts = [path.read_text() for path in PACKAGE.glob("*.py")]
    added = sum(isinstance(node, ast.FunctionDef) for text in texts for node in ast.walk(ast.parse(text)))
    rows = [
        ("`LibvirtDriver` of Nova " + version("nova"), len(methods), sum(map(lines, methods.values()))),
        ("of these no longer reached", len(gone), sum(lines(methods[name]) for name in gone)),
        ("overridden", len(ours.methods.keys() & (methods.keys() | compute_driver.methods.keys())), ""),
        ("added by `holdfast_nova`", added, sum(map(code_lines, texts))),
    ]
    text = ["| | functions | lines |", "|---|--:|--:|"]
    text += [f"| {what} | {count:,} | {size if size == '' else f'{size:,}'} |" for what, count, size in rows]
    return "\n".join([*text, "", "No longer reached: " + ", ".join(f"`{name}`" for name in gone) + ".", ""])


if __name__ == "__main__":
    print(table(), end="")
