"""Tenants read the faults of Nova: nothing in them speaks of the compute host."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from holdfast.errors import Condition, HoldfastError, field_names
from holdfast_nova.remedies import REMEDIES, SENTENCES, TOLD, remedy_of, sentence_of
from tests.rules.conditions import declared, sources

CONDITIONS = {condition.code: condition for condition in declared().values()}
_OF_THE_HOST = re.compile(r"(path|file|folder|uri|host|source|reason|message|remote|strerror)(\(\))?$", re.IGNORECASE)


class _OfTheHost(str):
    """A word of the host's, in whatever format a sentence asks for it."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return str(self)


def _made(condition: Condition[HoldfastError], cause: HoldfastError | None = None) -> HoldfastError:
    of_the_instance = {name: 1 if name == "seconds" else "i-1" for name in TOLD}
    of_the_host = {name: _OfTheHost("/of/the/host") for name in condition.names - TOLD}
    return condition(**(of_the_host | of_the_instance | ({"cause": cause} if cause is not None else {})))


@pytest.mark.parametrize("condition", CONDITIONS.values(), ids=CONDITIONS)
def test_a_fault_has_no_word_of_the_host(condition: Condition[HoldfastError]) -> None:
    error = _made(condition)
    for each in (error, _made(CONDITIONS["rescue-not-started"], error)):
        assert "/of/the/host" not in f"{sentence_of(each)} {remedy_of(each)}"


@pytest.mark.parametrize("code", sorted({*SENTENCES, *REMEDIES}))
def test_what_is_said_in_its_place_is_of_a_condition_and_of_the_instance(code: str) -> None:
    named = field_names(SENTENCES.get(code, "")) | field_names(REMEDIES.get(code, ""))
    assert named <= CONDITIONS[code].names & TOLD


def _told_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Where an error is made: the line, and what it is given for a field that tenants are told."""
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and (name := ast.unparse(call.func).rpartition(".")[2]).isupper() and name:
            for field in call.keywords:
                if field.arg in TOLD:
                    yield call.lineno, ast.unparse(field.value)


def test_no_field_that_tenants_are_told_is_given_a_word_of_the_host() -> None:
    found = {f"{module.name}:{line}": value for module in sources() for line, value in _told_of(module.tree)}
    assert len(found) > 100
    assert {where: value for where, value in found.items() if _OF_THE_HOST.search(value)} == {}
