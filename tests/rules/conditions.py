"""The conditions of errors that are declared, and where the sources make errors of them.

The sources are read as syntax trees, as the architecture rules read them.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import holdfast.errors
from holdfast.cli.hints import HINTS
from holdfast.errors import Condition, HoldfastError, field_names
from tests.rules.architecture import Module, modules

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Making:
    """A call that makes an error.

    ``where``       module and line
    ``conditions``  the dotted names of those that the error can be of: several where the call follows a choice
    ``fields``      the fields that it passes
    """

    where: str
    conditions: frozenset[str]
    fields: frozenset[str]


@cache
def declared() -> dict[str, Condition[HoldfastError]]:
    """Every condition by its dotted name."""
    names = [f"holdfast.errors.{each.name}" for each in pkgutil.iter_modules(holdfast.errors.__path__)]
    files = [importlib.import_module(name) for name in (*names, "holdfast_lab.errors")]
    return {
        f"{file.__name__}.{name}": value
        for file in files
        for name, value in vars(file).items()
        if isinstance(value, Condition)
    }


def fields(condition: Condition[HoldfastError]) -> frozenset[str]:
    """The fields that its texts name, the hint of the command line included."""
    return condition.names | field_names(HINTS.get(condition.code, ""))


@cache
def sources() -> tuple[Module, ...]:
    """The modules of the three distributions, without those that declare conditions."""
    ours = ("holdfast", "holdfast_lab", "holdfast_nova")
    named = [each for each in modules() if each.name.split(".")[0] in ours]
    return tuple(each for each in named if each.layer != "errors" and each.name != "holdfast_lab.errors")


@cache
def makings() -> tuple[Making, ...]:
    """Every call in the sources that makes an error of a condition."""
    return tuple(making for module in sources() for making in makings_of(module))


def makings_of(module: Module) -> Iterator[Making]:
    """Every call of one module that makes an error of a condition."""
    for scope in _scopes(module):
        for call in scope.inside:
            if isinstance(call, ast.Call) and (conditions := scope.conditions(call.func, call.lineno)):
                fields = frozenset(each.arg or "**" for each in call.keywords)
                yield Making(f"{module.name}, line {call.lineno}", frozenset(conditions), fields)


@dataclass(frozen=True, eq=False)
class _Scope:
    """A function, or a module without what is in its functions. ``inside`` are its nodes."""

    imports: dict[str, str]
    node: Function | ast.Module
    inside: list[ast.AST]
    outside: _Scope | None

    def conditions(self, expression: ast.AST | None, line: int, parameters: frozenset[str] = frozenset()) -> set[str]:
        """The names of the conditions that an expression in this line can be; none for anything else.

        ``parameters`` are those that have been followed to what their functions are given.
        """
        if isinstance(expression, ast.IfExp):
            choices = [expression.body, expression.orelse]
        elif isinstance(expression, ast.Dict):
            choices = list(expression.values)
        elif isinstance(expression, ast.Tuple | ast.List):
            choices = list(expression.elts)
        elif isinstance(expression, ast.Subscript):
            choices = [expression.value]
        elif isinstance(expression, ast.Name) and expression.id not in self.imports:
            return self._held(expression.id, line, parameters)
        else:
            return {self._dotted(expression)} & declared().keys()
        return {name for each in choices for name in self.conditions(each, line, parameters)}

    def _held(self, variable: str, line: int, parameters: frozenset[str]) -> set[str]:
        """What a variable holds: what it was last assigned, or whatever its function is given for it."""
        assigned = [
            node.iter if isinstance(node, ast.For) else node.value
            for node in self.inside
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.For) and node.lineno < line
            if variable in _targets(node)
        ]
        if assigned:
            return self.conditions(assigned[-1], line, parameters)
        if isinstance(self.node, Function) and variable in (defaults := _condition_parameters(self.node)):
            given = [(self, default) for default in defaults[variable]]
            given += [] if variable in parameters else _given(variable)
            followed = parameters | {variable}
            return {name for of, value in given for name in of.conditions(value, value.lineno, followed)}
        return set() if self.outside is None else self.outside._held(variable, line, parameters)

    def _dotted(self, node: ast.AST | None) -> str:
        if isinstance(node, ast.Attribute):
            return f"{self._dotted(node.value)}.{node.attr}"
        return self.imports.get(node.id, "") if isinstance(node, ast.Name) else ""


def _scopes(module: Module) -> list[_Scope]:
    imports = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ImportFrom) and not node.level
        for alias in node.names
    }
    whole = _Scope(imports, module.tree, list(_inside(module.tree)), None)
    functions = [node for node in ast.walk(module.tree) if isinstance(node, Function)]
    return [whole, *(_Scope(imports, node, list(_inside(node)), whole) for node in functions)]


def _inside(scope: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(scope):
        yield node
        if not isinstance(node, Function):
            yield from _inside(node)


def _targets(node: ast.Assign | ast.AnnAssign | ast.For) -> set[str]:
    """The variables that get a value in an assignment, or in the head of a loop."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)}


def _condition_parameters(function: Function) -> dict[str, list[ast.expr]]:
    """The parameters that take a condition, each with its default, if it has one."""
    arguments = function.args
    several = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(several) - len(arguments.defaults))
    defaults = [*missing, *arguments.defaults, *arguments.kw_defaults]
    return {
        each.arg: [] if default is None else [default]
        for each, default in zip([*several, *arguments.kwonlyargs], defaults, strict=True)
        if each.annotation is not None and "Condition" in ast.unparse(each.annotation)
    }


@cache
def _given(parameter: str) -> list[tuple[_Scope, ast.expr]]:
    """What the calls in the sources pass by this keyword."""
    return [
        (scope, node.value)
        for module in sources()
        for scope in _scopes(module)
        for node in scope.inside
        if isinstance(node, ast.keyword) and node.arg == parameter
    ]
