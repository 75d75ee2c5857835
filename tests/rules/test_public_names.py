"""What is public: the names that the stubs list are there, say what they are, and are all that a user needs."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType
from typing import get_args, get_origin, get_type_hints

import pytest

import holdfast
from holdfast import errors, operations
from tests.rules.architecture import ROOT

PUBLIC: dict[ModuleType, list[str]] = {package: vars(package)["__all__"] for package in (holdfast, operations)}
FUNCTIONS = [each for name in PUBLIC[operations] if inspect.isfunction(each := getattr(operations, name))]


@pytest.mark.parametrize("package", PUBLIC, ids=lambda package: package.__name__)
def test_each_name_is_there(package: ModuleType) -> None:
    assert len(set(PUBLIC[package])) == len(PUBLIC[package])
    assert [name for name in PUBLIC[package] if getattr(package, name, None) is None] == []


def test_each_room_and_file_of_operations_is_a_module() -> None:
    names = [each.name for each in pkgutil.iter_modules(operations.__path__)]
    modules = [importlib.import_module(f"holdfast.operations.{name}") for name in names]
    assert [name for name, module in zip(names, modules, strict=True) if getattr(operations, name) is not module] == []
    assert sorted(set(names) & set(PUBLIC[operations])) == []


def test_all_types_that_a_user_meets_are_public() -> None:
    public = {id(getattr(package, name)) for package in (*PUBLIC, errors) for name in dir(package)}
    assert len(FUNCTIONS) > 40
    met: dict[type, str] = {}
    for function in FUNCTIONS:
        _meet(met, function.__name__, function)
    assert len(met) > 60
    assert [f"{each.__name__}, {how}" for each, how in met.items() if id(each) not in public] == []


def _meet(met: dict[type, str], how: str, annotated: object) -> None:
    """Add to ``met`` the types of Holdfast that something is annotated with, and those that they consist of."""
    for name, hint in get_type_hints(annotated).items():
        for found in _types(hint):
            if found not in met and found.__module__.startswith("holdfast."):
                met[found] = f"{how}.{name}"
                if dataclasses.is_dataclass(found):
                    _meet(met, found.__name__, found)
                    for each in vars(found).values():
                        if isinstance(each, property) and each.fget is not None:
                            _meet(met, found.__name__, each.fget)


def _types(hint: object) -> Iterator[type]:
    """The classes in an annotation: of ``dict[str, list[Change]]`` dict, str, list and Change."""
    found = get_origin(hint) or hint
    if inspect.isclass(found):
        yield found
    for argument in found if isinstance(found, list) else get_args(hint):
        yield from _types(argument)


def test_the_page_names_all() -> None:
    page = (ROOT / "docs/python.md").read_text()
    words = set(re.findall(r"\w+", page))
    assert [name for names in PUBLIC.values() for name in names if name not in words] == []


def test_each_operation_is_what_a_command_calls() -> None:
    cli = "".join(path.read_text() for path in (ROOT / "src/holdfast/cli").rglob("*.py"))
    others = {each.__name__ for each in FUNCTIONS if not re.search(rf"\b{each.__name__}\b", cli)}
    assert others == {"audit_host", "follow_document"}
