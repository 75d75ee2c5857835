"""The architecture rules, each a function from one module's source to the sentences that say how it breaks the rule.

ARCHITECTURE.md tells them in prose. They read the syntax tree, never import what they judge.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ["src/holdfast", "lab/src/holdfast_lab", "nova/src/holdfast_nova", "bench", "scripts", "tests"]

_BELOW = {
    "errors": set[str](),
    "domainxml": {"errors"},
    "libvirtapi": {"errors"},
    "hostfiles": {"errors"},
    "operations": {"errors", "domainxml", "libvirtapi", "hostfiles"},
    "cli": {"errors", "domainxml", "libvirtapi", "hostfiles", "operations"},
}
"""Layer of ``holdfast`` → the other layers it may import."""

_ONLY_IN = {"libvirt": "libvirtapi", "libvirt_qemu": "libvirtapi", "lxml": "domainxml", "rich": "cli", "click": "cli"}
"""Library → the one layer that may import it."""

_NOVA_USES = (
    "holdfast.operations.",
    "holdfast.errors.",
    "holdfast.libvirtapi.connection.",
    "holdfast.libvirtapi.domain.",
)
"""What the Nova driver imports of ``holdfast``."""

_FILE_MODULES = {"subprocess", "shutil", "tempfile", "fcntl", "glob", "socket", "multiprocessing", "mmap"}
_FILE_METHODS = {
    *{"open", "read_text", "write_text", "read_bytes", "write_bytes", "exists", "is_file", "is_dir", "stat", "lstat"},
    *{"mkdir", "rmdir", "unlink", "touch", "iterdir", "rglob", "symlink_to", "hardlink_to", "readlink", "chmod"},
}
_HARMLESS_OS = {"environ", "getenv", "fspath", "get_terminal_size"}
_OWN_PROCESS = {
    "holdfast.__main__": {"_exit"},
    "holdfast.cli.main": {"open", "dup2", "devnull", "O_WRONLY"},
    "holdfast.cli.look.console": {"read", "write"},
}
"""What ends the command itself, closes its standard output when its reader has gone, and speaks to its terminal."""

_MAY_DEFINE = {f"holdfast.operations.{name}" for name in ("domain.create", "manager.restore", "proved_edit")}
_MAY_UNDEFINE = {"holdfast.operations.domain.delete"}

_XML = re.compile(r"</\w|<\w[\w:-]*\s+[\w:-]+=|^\s*<\w[\w:-]*\s*/>\s*$")
_MAX_LINES = 400


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name and its text."""

    name: str
    text: str
    tree: ast.Module = field(compare=False, repr=False)

    @classmethod
    def of(cls, name: str, text: str) -> Module:
        """The module ``name`` with the source ``text``."""
        return cls(name, text, ast.parse(text))

    @property
    def layer(self) -> str | None:
        """The layer of ``holdfast`` it belongs to; "holdfast" for the package itself; None outside."""
        parts = self.name.split(".")
        if parts[0] != "holdfast":
            return None
        return parts[1] if len(parts) > 1 else "holdfast"

    @property
    def last(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]


def modules() -> Iterator[Module]:
    """Every module of the project."""
    for folder in SOURCES:
        for path in sorted(ROOT.joinpath(folder).rglob("*.py")):
            base = next((ROOT / each for each in ("src", "lab/src", "nova/src") if folder.startswith(each)), ROOT)
            parts = list(path.relative_to(base).with_suffix("").parts)
            yield Module.of(".".join(parts[:-1] if parts[-1] == "__init__" else parts), path.read_text())


def imported(module: Module) -> Iterator[str]:
    """The dotted names it imports, also inside functions and under TYPE_CHECKING; ``from a import b`` gives a.b."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def imports_point_down(module: Module) -> Iterator[str]:
    """cli → operations → {domainxml, libvirtapi, hostfiles} → errors, and absolute imports only."""
    for name in imported(module):
        if name.startswith("."):
            yield f"relative import {name}"
        parts = name.split(".")
        if parts[0] != "holdfast" or module.layer not in _BELOW or parts[1] not in _BELOW:
            continue
        if parts[1] not in _BELOW[module.layer] | {module.layer}:
            yield f"{module.layer} must not import {name}"


def libraries_stay_in_their_layer(module: Module) -> Iterator[str]:
    """libvirt, lxml, rich and click each in one layer; the standard library's lossy XML nowhere."""
    if module.layer is None:
        return
    for name in imported(module):
        library = name.split(".")[0]
        if library in _ONLY_IN and module.layer != _ONLY_IN[library]:
            yield f"{library} belongs to {_ONLY_IN[library]}"
        if library == "xml":
            yield f"{name} loses comments and namespaces; parse in domainxml"


def lab_is_only_for_demo_and_tests(module: Module) -> Iterator[str]:
    """holdfast_lab is imported by ``holdfast.cli.demo`` alone, and by what is no product: itself, tests, bench."""
    if module.layer is not None and module.name != "holdfast.cli.demo":
        yield from (
            f"{name} is for the demo and the tests" for name in imported(module) if name.startswith("holdfast_lab")
        )


def nova_is_only_for_its_driver(module: Module) -> Iterator[str]:
    """nova and oslo belong to holdfast_nova, which only its own tests import; it decides nothing that libvirt is told.

    What every Python of a compute node imports at its start is a page of the standard library.
    """
    top = module.name.split(".")[0]
    for name in imported(module):
        library = name.split(".")[0]
        theirs = library in ("nova", "holdfast_nova") or library.startswith("oslo")
        if top != "holdfast_nova":
            if theirs and not module.name.startswith("tests.nova."):
                yield f"{name} belongs to the Nova driver"
        elif library in _ONLY_IN or (library == "holdfast" and not f"{name}.".startswith(_NOVA_USES)):
            yield f"the Nova driver must not import {name}"
        elif module.last == "importable" and library not in sys.stdlib_module_names | {"__future__"}:
            yield f"every Python would import {name}"


def host_files_only_in_hostfiles(module: Module) -> Iterator[str]:
    """Files of a host are opened, and processes started, in hostfiles alone."""
    if module.layer in (None, "hostfiles"):
        return
    names = set(imported(module))
    harmless = _HARMLESS_OS | _OWN_PROCESS.get(module.name, set())
    for name in names:
        top, _, rest = name.partition(".")
        if (top in _FILE_MODULES and rest != "get_terminal_size") or (top == "os" and rest and rest not in harmless):
            yield f"import of {name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            yield f"line {node.lineno}: open()"
        if isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner == "os" and "os" in names:
                suspect = node.attr not in harmless
            elif owner == "click":
                suspect = node.attr in ("File", "open_file", "edit", "launch")
            else:
                suspect = node.attr in _FILE_METHODS and owner != "libvirt"
            if suspect:
                yield f"line {node.lineno}: {owner}.{node.attr}"


def documents_are_defined_in_three_places(module: Module) -> Iterator[str]:
    """A whole domain document is defined at creation, at arrival and by the proved edit; nowhere else."""
    if module.layer in (None, "libvirtapi") or module.name in _MAY_DEFINE:
        return
    yield from _calls(module, {"define", "defineXML", "defineXMLFlags"})


def undefine_belongs_to_delete(module: Module) -> Iterator[str]:
    """Undefine is for delete, and for the source of a completed move."""
    if module.layer in (None, "libvirtapi") or module.name in _MAY_UNDEFINE:
        return
    yield from _calls(module, {"undefine", "undefineFlags"})


def _calls(module: Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield f"line {node.lineno}: .{node.attr}"


def xml_is_not_made_of_strings(module: Module) -> Iterator[str]:
    """Elements are made in domainxml, as elements: text with a value in it can be broken by the value.

    Modules of the command line that are named as pages hold HTML, which no libvirt reads.
    """
    if module.layer in (None, "domainxml") or (module.layer == "cli" and "page" in module.last.split("_")):
        return
    documentation = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if id(node) not in documentation and _XML.search(text):
            yield f"line {getattr(node, 'lineno', '?')}: XML in a string"


def modules_are_short(module: Module) -> Iterator[str]:
    """No module over 400 lines."""
    lines = len(module.text.splitlines())
    if lines > _MAX_LINES:
        yield f"{lines} lines; split it where its docstring says 'and'"


def modules_are_named_for_what_they_hold(module: Module) -> Iterator[str]:
    """No utils, helpers, misc."""
    if module.last in ("util", "utils", "helper", "helpers", "misc"):
        yield f"a module named {module.last}"


def public_names_have_docstrings(module: Module) -> Iterator[str]:
    """Every public module, class, function and method says what it is for."""
    if module.name.split(".")[0] == "tests":
        return
    if ast.get_docstring(module.tree) is None:
        yield "the module has no docstring"
    yield from _undocumented(module.tree.body, "")


def _undocumented(body: list[ast.stmt], owner: str) -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if ast.get_docstring(node) is None:
                yield f"line {node.lineno}: {owner}{node.name} has no docstring"
            if isinstance(node, ast.ClassDef):
                yield from _undocumented(node.body, f"{node.name}.")


RULES: list[Callable[[Module], Iterator[str]]] = [
    imports_point_down,
    libraries_stay_in_their_layer,
    lab_is_only_for_demo_and_tests,
    nova_is_only_for_its_driver,
    host_files_only_in_hostfiles,
    documents_are_defined_in_three_places,
    undefine_belongs_to_delete,
    xml_is_not_made_of_strings,
    modules_are_short,
    modules_are_named_for_what_they_hold,
    public_names_have_docstrings,
]
