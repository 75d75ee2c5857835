"""What could go from Nova's driver if this driver's way were Nova's own: the parts that in_tree.toml lists, counted."""

from __future__ import annotations

import ast
import tomllib
from collections import Counter
from pathlib import Path

LIST = Path(__file__).parents[1] / "in_tree.toml"


def span(node: ast.FunctionDef) -> set[int]:
    """The numbers of the lines that a function takes, with its decorators."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return set(range(first, (node.end_lineno or node.lineno) + 1))


def code_lines(text: str) -> set[int]:
    """The numbers of the lines of ``text`` that are neither empty, nor comments, nor docstrings."""
    prose = set[int]()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    numbered = enumerate(text.splitlines(), 1)
    return {number for number, line in numbered if number not in prose and line.strip() and line.strip()[0] != "#"}


def could_go(methods: dict[str, ast.FunctionDef], source: str, code: set[int]) -> Counter[str]:
    """How many lines of ``code`` could go from the driver's ``source``, by where: "on one host", "between hosts".

    Raises LookupError where a part is not there: Nova has changed, and the list wants to be read again.
    """
    lines, found = source.splitlines(), Counter[str]()
    for part in tomllib.loads(LIST.read_text())["part"]:
        own = sorted(span(methods[part["function"]]))
        if "first" in part:
            own = own[_index(lines, own, part["first"]) :]
            own = own[: _index(lines, own, part["last"]) + 1]
        found[part.get("where", "on one host")] += len(code & set(own))
    return found


def _index(lines: list[str], numbers: list[int], beginning: str) -> int:
    for index, number in enumerate(numbers):
        if lines[number - 1].strip().startswith(beginning):
            return index
    raise LookupError(f"line {numbers[0]} and those that follow: none begins with {beginning!r}")
