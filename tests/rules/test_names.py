"""One name means one thing: public classes and functions of the distributions, and their files.

A command of the command line has the name that a user types, so commands are not judged; nor are their files, which are
named for the same words, and those of the errors, which are named for the subject.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable

from tests.rules.architecture import Module, modules

DISTRIBUTIONS = ("holdfast", "holdfast_lab", "holdfast_nova")

ONE_WORD = {
    "capabilities": "of a host: read from libvirt's document, and asked of libvirt",
    "clone": "make one: its document, and the domain",
    "connection": "to libvirt: ours, and Nova's",
    "console": "of a domain: libvirt's stream, and using it",
    "create": "make one of what the room is about",
    "delete": "remove one of what the room is about",
    "device": "what all have in common, and its settings",
    "document": "of a domain: working with it, and reading it",
    "domain": "libvirt's element, libvirt's object, and what a room does with one",
    "firmware": "the element, and the host's files",
    "guest": "the system inside: asked in a test, or by its agent",
    "list": "all of what the room is about",
    "mediated_devices": "of the host: in Nova's words, and in ours",
    "memory": "the element, and its settings",
    "new": "made for what the room is about",
    "outlook": "what a host makes of a document: one sentence of it, and all of them",
    "rescue": "its document, and starting one",
    "seal": "a document, and a domain",
    "spec": "what a user can say of what the room is about",
    "volume": "of storage: its document, and libvirt's object",
}
"""Names that several files have, and what each of them means everywhere."""


def judged(module: Module) -> bool:
    """True for modules of the distributions but those of the command line."""
    return module.name.split(".")[0] in DISTRIBUTIONS and module.layer != "cli"


def public_names(module: Module) -> set[str]:
    """The public classes and functions that it defines."""
    kinds = ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef
    return {node.name for node in module.tree.body if isinstance(node, kinds) and not node.name.startswith("_")}


def shared(named: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """Name → the modules that have it, for names that several have."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, module in named:
        found[name].append(module)
    return {name: sorted(where) for name, where in found.items() if len(where) > 1}


def shared_names(all_modules: Iterable[Module]) -> dict[str, list[str]]:
    """Public classes and functions of which there are several."""
    return shared((name, module.name) for module in all_modules if judged(module) for name in public_names(module))


def shared_files(all_modules: Iterable[Module]) -> dict[str, list[str]]:
    """File names of which there are several; packages are no files."""
    found = list(all_modules)
    packages = {module.name.rpartition(".")[0] for module in found}
    files = [each for each in found if judged(each) and each.layer != "errors" and each.name not in packages]
    return shared((each.last, each.name) for each in files)


def test_no_two_classes_or_functions_have_one_name() -> None:
    assert shared_names(modules()) == {}


def test_files_of_one_name_mean_the_same() -> None:
    found = shared_files(modules())
    assert {name: where for name, where in found.items() if name not in ONE_WORD} == {}
    assert set(found) >= set(ONE_WORD), "a word that is in one file only needs no place in the list"


def test_a_second_class_or_file_of_a_name_is_found() -> None:
    source = "class Thing: ...\ndef _own(): ..."
    one, other = (Module.of(f"holdfast.{room}.thing", source) for room in ("here", "there"))
    assert shared_names([one, other]) == {"Thing": ["holdfast.here.thing", "holdfast.there.thing"]}
    assert list(shared_files([one, other])) == ["thing"]


def test_commands_and_private_names_are_not_judged() -> None:
    command = Module.of("holdfast.cli.thing", "def thing(): ...\ndef _own(): ...")
    operation = Module.of("holdfast.operations.thing", "def thing(): ...\ndef _own(): ...")
    assert shared_names([command, operation]) == shared_files([command, operation]) == {}
