"""The architecture rules, each a function from one module's source to the sentences that say how it breaks the rule.

ARCHITECTURE.md tells them in prose. They read the syntax tree, never import what they judge. Who may import whom is in
pyproject.toml (import-linter).
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import holdfast.errors
from holdfast.errors import HoldfastError, LibvirtRefused

ROOT = Path(__file__).parents[2]
SOURCES = ["src/holdfast", "lab/src/holdfast_lab", "nova/src/holdfast_nova", "bench", "scripts", "tests"]

_FILE_MODULES = {"subprocess", "shutil", "tempfile", "fcntl", "glob", "socket", "multiprocessing", "mmap"}
_FILE_METHODS = {
    *{"open", "read_text", "write_text", "read_bytes", "write_bytes", "exists", "is_file", "is_dir", "stat", "lstat"},
    *{"mkdir", "rmdir", "unlink", "touch", "iterdir", "rglob", "symlink_to", "hardlink_to", "readlink", "chmod"},
}
_HARMLESS_OS = {"environ", "getenv", "fspath", "get_terminal_size"}
_OWN_PROCESS = {
    "holdfast.__main__": {"_exit", "execv", "fsencode"},
    "holdfast.cli.streams": {"open", "devnull", "O_RDONLY", "O_WRONLY", "fstat", "set_inheritable"},
    "holdfast.cli.look.console": {"read", "write"},
    "holdfast_nova.disk_copy": {"getuid"},
}
"""What ends the command itself or begins it again, opens a standard stream that was closed, speaks to its terminal, and
says who runs it."""

_MAY_DEFINE = {
    "holdfast.operations.domain.make",
    "holdfast.operations.hosts.cold.move_cold",
    "holdfast.operations.manager.create",
    "holdfast.operations.manager.restore",
    "holdfast.operations.proved_edit",
    "holdfast_nova.connection",
}
"""The last lets the others define as Nova does."""
_MAY_UNDEFINE = {
    "holdfast.operations.domain.delete",
    *(f"holdfast.operations.hosts.{name}" for name in ("cold.arriving_copy", "cold.move_cold", "live.cut_off")),
    "holdfast_nova.vtpm",
}
"""The last undefines a secret."""

_RECORDS = {"holdfast.operations.session", "holdfast.operations.domain.make", "holdfast.operations.past.record"}

_TAKES_DOCUMENTS = {
    *{
        "attach",
        "detach",
        "update",
        "define",
        "start_from",
        "start_probe",
        "baseline_cpu",
        "start_block_copy",
        "qemu_command",
    },
    *{"attach_device", "_shortfalls", "Transfer"},
}
"""What an operation gives a document with its secrets to: libvirt's calls, and what hands it on to one."""
_KEEPS_TEXTS = {
    "holdfast.operations.asked_of_libvirt": "documents without passwords, on their way to a libvirt",
    "holdfast.operations.documents": "devices are compared by their texts",
    "holdfast.operations.power_record": "the <cpu> is recorded",
    "holdfast.operations.manager.arriving_document": "a manager's document, on its way to libvirt",
    "holdfast.operations.manager.instance": "a manager's document, on its way to libvirt",
    "holdfast.operations.manager.rescue": "a medium, on its way to libvirt",
    "holdfast.operations.manager.seal": "a manager's document, on its way to libvirt",
}
_SHOWN_BY = {"Shown": {"holdfast.domainxml.secret_parts"}, "indented": {"holdfast.domainxml.secret_parts"}}
_DOCUMENTS = {"document", "device", "element", "xml"}
_XML = re.compile(r"</\w|<\w[\w:-]*\s+[\w:-]+=|^\s*<\w[\w:-]*\s*/>\s*$")
_TAG = re.compile(r"(?<!\(\?)(?<!\(\?P)<\\?[/?!]?[\w{]")
"""A tag, also one in a pattern; not what begins a group there."""
_FINDERS = {
    *{"find", "rfind", "index", "rindex", "count", "split", "rsplit", "partition", "rpartition", "replace"},
    *{"startswith", "endswith", "removeprefix", "removesuffix"},
    *{"compile", "search", "match", "fullmatch", "findall", "finditer", "sub"},
}
_MAY_CUT = {"holdfast.domainxml.compare.document_pattern"}
"""It says why."""
_OURS = {
    name
    for name, value in vars(holdfast.errors).items()
    if isinstance(value, type) and issubclass(value, HoldfastError) and not issubclass(value, LibvirtRefused)
}
"""The classes of errors whose words are ours."""
_MAX_LINES = 400
_MAX_FUNCTION = 50
_MAX_FILES = 22
_ONE_FILE_AN_ELEMENT = "src/holdfast/domainxml/elements"


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
        """The layer it belongs to, of which "holdfast_nova" is one; "holdfast" for the package itself; None outside."""
        parts = self.name.split(".")
        if parts[0] == "holdfast_nova":
            return parts[0]
        if parts[0] != "holdfast":
            return None
        return parts[1] if len(parts) > 1 else "holdfast"

    @property
    def last(self) -> str:
        """The last part of its name."""
        return self.name.rpartition(".")[2]


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the project."""
    return tuple(_modules())


def _modules() -> Iterator[Module]:
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


def every_python_starts_as_before(module: Module) -> Iterator[str]:
    """What every Python of a compute node imports at its start is one page that needs the standard library alone."""
    if module.name == "holdfast_nova.importable":
        libraries = {name.split(".")[0] for name in imported(module)}
        yield from (
            f"every Python would import {name}" for name in libraries - sys.stdlib_module_names - {"__future__"}
        )


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
    yield from _calls(module, {"define", "defineXML", "defineXMLFlags", "write_instance_config"})


def undefine_belongs_to_delete(module: Module) -> Iterator[str]:
    """Undefine is for delete, and for the source of a completed move."""
    if module.layer in (None, "libvirtapi") or module.name in _MAY_UNDEFINE:
        return
    yield from _calls(module, {"undefine", "undefineFlags"})


def whoever_takes_the_lock_records_what_was_done(module: Module) -> Iterator[str]:
    """The lock of a domain is taken by the session, which records at its end what became of the domain."""
    if module.name.split(".")[0] in ("holdfast", "holdfast_nova") and module.name not in _RECORDS:
        yield from (f"import of {name}" for name in imported(module) if name.endswith(".domain_lock"))


def _calls(module: Module, names: set[str]) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            yield f"line {node.lineno}: .{node.attr}"


def xml_is_not_made_of_strings(module: Module) -> Iterator[str]:
    """Elements are made in domainxml, as elements: text with a value in it can be broken by the value.

    Modules of the command line that are named as pages hold HTML, and those of errors sentences: no libvirt reads them.
    """
    if module.layer in (None, "domainxml", "errors") or (module.layer == "cli" and "page" in module.last.split("_")):
        return
    documentation = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(module.tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if id(node) not in documentation and _XML.search(text):
            yield f"line {getattr(node, 'lineno', '?')}: XML in a string"


def xml_is_read_by_the_parser(module: Module) -> Iterator[str]:
    """No tag is looked for in a text: comments, quotes, entities and namespaces would all have to be thought of."""
    if module.name.split(".")[0] not in ("holdfast", "holdfast_lab", "holdfast_nova") or module.name in _MAY_CUT:
        return
    for node in ast.walk(module.tree):
        sought: list[ast.expr] = []
        if isinstance(node, ast.Compare):
            sought = [node.left]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _FINDERS:
            sought = node.args
        for each in sought:
            if any(_TAG.search(text) for text in _literals(each)):
                yield f"line {each.lineno}: a tag is looked for in a text"


def _literals(node: ast.expr) -> Iterator[str]:
    """The texts in an expression, those between the braces of an f-string as "{}"."""
    for each in ast.walk(node):
        if isinstance(each, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in each.values)
        elif isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def documents_are_shown_without_secrets(module: Module) -> Iterator[str]:
    """A document becomes output in domainxml/secret_parts.py alone, as ``Shown``; its own text goes to libvirt.

    Fields of results that hold a document are ``Shown``, and mypy sees to it that nothing else gets there.
    """
    if module.layer not in ("domainxml", "operations", "cli", "holdfast_nova"):
        return
    given = {id(each) for call in _calls_of(module, _TAKES_DOCUMENTS) for each in ast.walk(call) if each is not call}
    for call in _calls_of(module, {"serialize", "canonical", "tostring", *_SHOWN_BY}):
        name = _called(call)
        if name in _SHOWN_BY:
            if module.name not in _SHOWN_BY[name]:
                yield f"line {call.lineno}: {name}()"
        elif module.layer != "domainxml" and id(call) not in given and module.name not in _KEEPS_TEXTS:
            yield f"line {call.lineno}: {name}() that is not for libvirt"
    if module.layer == "cli":
        yield from _calls(module, {"xml"})
    yield from (f"line {part.lineno}: {ast.unparse(part)} in a result" for part in _documents_in_results(module))


def _documents_in_results(module: Module) -> Iterator[ast.AnnAssign]:
    results = (node for node in ast.walk(module.tree) if isinstance(node, ast.ClassDef) and _is_result(node))
    for part in (part for result in results for part in result.body if isinstance(part, ast.AnnAssign)):
        if ast.unparse(part.target) in _DOCUMENTS and "Shown" not in ast.unparse(part.annotation):
            yield part


def _is_result(node: ast.ClassDef) -> bool:
    return any(ast.unparse(base).endswith("Result") for base in node.bases)


def _calls_of(module: Module, names: Iterable[str]) -> Iterator[ast.Call]:
    return (node for node in ast.walk(module.tree) if isinstance(node, ast.Call) and _called(node) in names)


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


def modules_are_short(module: Module) -> Iterator[str]:
    """No module over 400 lines."""
    lines = len(module.text.splitlines())
    if lines > _MAX_LINES:
        yield f"{lines} lines; split it where its docstring says 'and'"


def folders_are_small(files: Iterable[Path]) -> Iterator[str]:
    """No folder with more than 22 modules, but for the one with a module for each element. ``files`` are relative."""
    for folder, count in Counter(file.parent.as_posix() for file in files).items():
        if count > _MAX_FILES and folder != _ONE_FILE_AN_ELEMENT:
            yield f"{folder} has {count} modules; give it rooms"


def functions_are_short(module: Module) -> Iterator[str]:
    """No function over 50 lines, its docstring not counted; tests and benchmarks may list cases."""
    if module.name.split(".")[0] not in ("holdfast", "holdfast_lab", "holdfast_nova"):
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documentation = node.body[0] if ast.get_docstring(node) is not None else None
            lines = _lines(node) - _lines(documentation)
            if lines > _MAX_FUNCTION:
                yield f"line {node.lineno}: {node.name} has {lines} lines; split it where its meaning changes"


def _lines(node: ast.stmt | None) -> int:
    return 0 if node is None else (node.end_lineno or node.lineno) - node.lineno + 1


def modules_are_named_for_what_they_hold(module: Module) -> Iterator[str]:
    """No utils, helpers, misc."""
    if module.last in ("util", "utils", "helper", "helpers", "misc"):
        yield f"a module named {module.last}"


def errors_are_told_by_their_condition(module: Module) -> Iterator[str]:
    """No test looks for our own words in an error (tests/raising.py); libvirt's, in a LibvirtRefused, are its own."""
    for node in ast.walk(module.tree) if module.name.split(".")[0] == "tests" else ():
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.raises" and node.keywords:
            told = {name for each in node.args for name in _names(each)} & _OURS
            if told and "match" in {each.arg for each in node.keywords}:
                yield f"line {node.lineno}: the words of a {', '.join(sorted(told))}"


def _names(node: ast.expr) -> Iterator[str]:
    return (each.id for each in ast.walk(node) if isinstance(each, ast.Name))


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
    every_python_starts_as_before,
    host_files_only_in_hostfiles,
    documents_are_defined_in_three_places,
    undefine_belongs_to_delete,
    whoever_takes_the_lock_records_what_was_done,
    xml_is_not_made_of_strings,
    xml_is_read_by_the_parser,
    documents_are_shown_without_secrets,
    modules_are_short,
    functions_are_short,
    modules_are_named_for_what_they_hold,
    errors_are_told_by_their_condition,
    public_names_have_docstrings,
]
