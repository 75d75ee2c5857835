"""Errors are data: each condition is declared once, made with its fields, and worded for every program alike."""

from __future__ import annotations

import ast
import pickle
import re
import runpy
from collections import Counter

import pytest

import holdfast.errors
from holdfast.cli.hints import HINTS, HINTS_OF
from holdfast.errors import Condition, HoldfastError, field_names, fill
from holdfast.errors.power import DISK_GONE, OFF_AND_NOT_STARTED
from tests.rules.architecture import ROOT, Module
from tests.rules.conditions import declared, fields, makings, makings_of, sources
from tests.rules.errors_page import PAGE, page

COMMAND_LINE = re.compile(r"(?<![\w-])--[a-z]|\bholdfast [a-z]|\bvirsh\b")
"""What only somebody who types commands understands."""
COUNTED = re.compile(r"\{\w+\} (vCPU|core|domain|disk|device|snapshot|host|place|port)s?\b(?!')")
"""A number before a noun that is not in the braces with it: "1 vCPUs"."""
_ARGUMENT = re.compile(r"--[\w-]+(=\S*)?")
"""What hostfiles gives to a process."""

REMEDIES: dict[str, str] = runpy.run_path(str(ROOT / "nova/src/holdfast_nova/remedies.py"))["REMEDIES"]

CLASSES = {
    name
    for name, value in vars(holdfast.errors).items()
    if isinstance(value, type) and issubclass(value, HoldfastError | Condition)
}


def test_code_of_each_condition_is_its_own() -> None:
    codes = Counter(condition.code for condition in declared().values())
    assert [code for code, number in codes.items() if number > 1] == []
    assert [code for code in codes if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", code)] == []


def test_name_of_each_condition_is_its_own() -> None:
    names = Counter(dotted.rpartition(".")[2] for dotted in declared())
    assert [name for name, number in names.items() if number > 1] == []


def test_a_number_of_things_is_said_with_its_noun() -> None:
    texts = [text for condition in declared().values() for text in (condition.sentence, condition.remedy)]
    assert [text for text in texts if COUNTED.search(text)] == []
    assert fill("{made:vCPU}, {most:domain}", {"made": 1, "most": 2}) == "1 vCPU, 2 domains"


def test_what_is_said_alike_has_one_exit_code() -> None:
    codes = {(condition.sentence, condition.kind.exit_code) for condition in declared().values()}
    number = Counter(sentence for sentence, _ in codes if sentence.partition("{")[0])
    assert [sentence for sentence, exit_codes in number.items() if exit_codes > 1] == []


def test_each_condition_is_raised_somewhere() -> None:
    made = {name for making in makings() for name in making.conditions}
    assert sorted(declared().keys() - made) == []


def test_each_error_is_given_the_fields_that_its_texts_name() -> None:
    wrong = [
        f"{making.where}: {', '.join(sorted(making.conditions))}: {', '.join(sorted(difference))}"
        for making in makings()
        if (difference := _difference(making.conditions, making.fields))
    ]
    assert wrong == []


def _difference(names: frozenset[str], given: frozenset[str]) -> frozenset[str]:
    """The fields that are missing, or that no text names; a cause, and what an error's class reads, may be there."""
    conditions = [declared()[name] for name in names]
    needed = frozenset().union(*map(fields, conditions))
    allowed = frozenset({"cause"}).union(*(condition.kind.data for condition in conditions))
    return (needed - given) | (given - needed - allowed)


@pytest.mark.parametrize(
    ("call", "difference"),
    [
        ("domains.RUNNING(name=name)", set()),
        ("domains.RUNNING(name=name, cause=error)", set()),
        ("domains.RUNNING()", {"name"}),
        ("domains.RUNNING(name=name, state=state)", {"state"}),
        ("domains.RUNNING(**fields)", {"name", "**"}),
        ("(domains.RUNNING if x else domains.READ_ONLY)(name=name)", {"uri"}),
        ("TABLE[x](name=name)", {"uri"}),
        ("chosen(name=name)", {"uri"}),
        ("given(name=name)", {"uri"}),
        ("looped(name=name)", {"uri"}),
    ],
)
def test_fields_of_a_call_are_told_however_its_condition_is_chosen(call: str, difference: set[str]) -> None:
    text = (
        "from holdfast.errors import domains\n"
        "TABLE = {1: domains.RUNNING, 2: domains.READ_ONLY}\n"
        "def f(given: Condition = domains.READ_ONLY):\n"
        "    for looped, word in ((domains.READ_ONLY, 'x'), (domains.RUNNING, 'y')): pass\n"
        "    chosen = domains.RUNNING if x else domains.READ_ONLY\n"
        f"    raise {call}\n"
    )
    (making,) = makings_of(Module.of("holdfast.operations.x", text))
    assert _difference(making.conditions, making.fields) == difference


def test_the_page_of_errors_is_what_is_declared() -> None:
    assert PAGE.read_text() == page(), "write it anew: .venv/bin/python -m tests.rules.errors_page"


def test_no_condition_speaks_of_the_command_line() -> None:
    texts = [text for condition in declared().values() for text in (condition.sentence, condition.remedy)]
    assert [text for text in texts if COMMAND_LINE.search(text)] == []


def test_each_hint_is_that_of_a_condition() -> None:
    codes = {condition.code for condition in declared().values()}
    assert [code for words in (HINTS, *HINTS_OF.values()) for code in words if code not in codes] == []


def test_each_remedy_of_nova_is_that_of_a_condition_and_names_its_fields() -> None:
    conditions = {condition.code: condition for condition in declared().values()}
    assert sorted(REMEDIES.keys() - conditions.keys()) == []
    unknown = {code: field_names(remedy) - fields(conditions[code]) for code, remedy in REMEDIES.items()}
    assert {code: names for code, names in unknown.items() if names} == {}


def test_each_error_is_made_of_a_condition() -> None:
    made = {
        module.name
        for module in sources()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CLASSES
    }
    assert made == set()


def test_the_library_does_not_speak_of_the_command_line() -> None:
    speaking = {
        module.name
        for module in sources()
        if module.layer in ("operations", "domainxml", "hostfiles", "libvirtapi")
        for text in _texts(module)
        if COMMAND_LINE.search(text) and not (module.layer == "hostfiles" and _ARGUMENT.fullmatch(text))
    }
    assert speaking == set()


def _texts(module: Module) -> list[str]:
    """The strings of a module, without its documentation."""
    documentation = {id(node.value) for node in ast.walk(module.tree) if isinstance(node, ast.Expr)}
    constants = [node for node in ast.walk(module.tree) if isinstance(node, ast.Constant)]
    return [node.value for node in constants if isinstance(node.value, str) and id(node) not in documentation]


def test_an_error_comes_out_of_another_process_as_it_went_in() -> None:
    cause = DISK_GONE(device="disk vdb")
    error = OFF_AND_NOT_STARTED(name="a", cause=cause)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), copied.code, copied.message) == (type(error), error.code, error.message)
    assert copied.cause.fields == cause.fields
