"""docs/errors.md, made of the conditions that are declared: ``python -m tests.rules.errors_page`` writes it anew."""

from __future__ import annotations

import inspect
import string
import sys
from collections.abc import Iterator

from tests.rules.architecture import ROOT
from tests.rules.conditions import declared

PAGE = ROOT / "docs/errors.md"

_HEAD = """\
# Errors

Everything that can go wrong. A condition has one code and one exit code
([what those mean](command-line.md#exit-codes)), whichever command or function meets it. Programs recognise an error by
its code ([in Python](python.md#errors)), which is never reused. Words in capitals are the fields of the error.

This page is generated from the sources, by `python -m tests.rules.errors_page`.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *_sections()])


def _sections() -> Iterator[str]:
    files = sorted({name.rpartition(".")[0] for name in declared()})
    for file in files:
        heading = "The lab" if file == "holdfast_lab.errors" else file.rpartition(".")[2].replace("_", " ").capitalize()
        yield f"## {heading}\n\n{inspect.getdoc(sys.modules[file])}\n\n| Code | Exit | What is wrong |\n|---|---|---|"
        for name, condition in declared().items():
            if name.rpartition(".")[0] == file:
                yield f"| `{condition.code}` | {condition.kind.exit_code} | {_shown(condition.sentence)} |"
        yield ""


def _shown(sentence: str) -> str:
    """A sentence with its fields in capitals."""
    parts = string.Formatter().parse(sentence)
    words = (
        text + ("" if not field else f"'{field.upper()}'" if conversion == "r" else field.upper())
        for text, field, _, conversion in parts
    )
    shown = "".join(words)
    for character, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("*", "\\*"), ("_", "\\_")):
        shown = shown.replace(character, written)
    return shown


if __name__ == "__main__":
    PAGE.write_text(page())
