"""Our driver's source as a syntax tree: which names of Nova it uses. Nothing is imported here."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "src" / "holdfast_nova"
DRIVER = "nova.virt.libvirt.driver.LibvirtDriver"
OURS = "HoldfastLibvirtDriver"

OBJECTS = {
    "self": DRIVER,
    "driver": DRIVER,
    "self._host": "nova.virt.libvirt.host.Host",
    "driver._host": "nova.virt.libvirt.host.Host",
    "self.cpu_api": "nova.virt.libvirt.cpu.api.API",
    "guest": "nova.virt.libvirt.guest.Guest",
    "self._host.get_guest()": "nova.virt.libvirt.guest.Guest",
    "self._host.write_instance_config()": "nova.virt.libvirt.guest.Guest",
    "device": "nova.virt.libvirt.guest.BlockDevice",
}
"""How our code writes an object of Nova's (calls without their arguments) → its class. The one table of them."""


@dataclass(frozen=True)
class Use:
    """A name of Nova's that our code uses: dotted, and where."""

    name: str
    where: str


def modules() -> dict[str, ast.Module]:
    """File name → tree, of our package."""
    return {path.name: ast.parse(path.read_text()) for path in sorted(PACKAGE.glob("*.py"))}


def members(tree: ast.AST, name: str) -> dict[str, ast.stmt]:
    """The members that the class ``name`` itself defines."""
    (found,) = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and node.name == name]
    named: dict[str, ast.stmt] = {}
    for node in found.body:
        if isinstance(node, ast.FunctionDef):
            named[node.name] = node
        elif isinstance(node, ast.Assign):
            named |= {target.id: node for target in node.targets if isinstance(target, ast.Name)}
    return named


def driver_parts() -> dict[str, ast.ClassDef]:
    """The classes of ours that make the driver, by name: OURS and what it inherits in our package."""
    nodes = (node for tree in modules().values() for node in ast.walk(tree))
    classes = {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}
    found, todo = dict[str, ast.ClassDef](), [OURS]
    while todo:
        name = todo.pop(0)
        found[name] = classes[name]
        todo += [base.id for base in classes[name].bases if isinstance(base, ast.Name) and base.id in classes]
    return found


def driver_members() -> dict[str, ast.stmt]:
    """The members that the driver has of our own."""
    parts = driver_parts().values()
    return {name: node for part in reversed(parts) for name, node in members(part, part.name).items()}


def uses() -> list[Use]:
    """The names of Nova's that our code uses: what it imports and takes from there, and what it asks of OBJECTS."""
    found: dict[str, Use] = {}
    of_driver = {name for part in driver_parts().values() for name in _own(part)}
    for file, tree in modules().items():
        imported, own = _imported(tree), of_driver | _own(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or node.attr == "__class__":  # every object has one
                continue
            base = _written(node.value)
            if base in imported:
                name = f"{imported[base]}.{node.attr}"
            elif base in OBJECTS and not (base.startswith("self") and node.attr in own):
                name = f"{OBJECTS[base]}.{node.attr}"
            else:
                continue
            found.setdefault(name, Use(name, f"{file}:{node.lineno}"))
    return sorted(found.values(), key=lambda use: use.name)


def strangers() -> list[Use]:
    """Private attributes of objects that OBJECTS does not tell the class of, and that are not our own."""
    return [
        Use(f"{_written(node.value)}.{node.attr}", f"{file}:{node.lineno}")
        for file, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and re.match(r"_[^_]", node.attr)
        and _written(node.value) not in OBJECTS
        and node.attr not in _own(tree)
    ]


def _own(tree: ast.AST) -> set[str]:
    """The names that a module or class defines: functions, methods, fields, and what it assigns to ``self``."""
    nodes = list(ast.walk(tree))
    return {
        *(node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)),
        *(node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)),
        *(
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _written(node.value) == "self"
        ),
    }


def _imported(tree: ast.AST) -> dict[str, str]:
    """Name in this module → dotted name, of what it imports from ``nova``."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "nova":
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name: alias.name for alias in node.names if alias.name.startswith("nova.")}
    return found


def _written(node: ast.expr) -> str:
    """An expression as it is written, calls without their arguments, ``super()`` as ``self``."""
    return re.sub(r"^super\(\)", "self", ast.unparse(_WithoutArguments().visit(_copy(node))))


def _copy(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body


class _WithoutArguments(ast.NodeTransformer):
    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        node.args, node.keywords = [], []
        return node
