"""What our driver replaces and uses of Nova, compared with the Nova that it was written against.

``nova/surface.toml`` holds, for each method that ``HoldfastLibvirtDriver`` overrides and for each name of Nova that our
code uses, the signature and the SHA-256 of the source. ``python -m nova_judge.surface`` writes it anew, ``--check
FILE...`` compares with it. Run with a Python that has Nova.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import inspect
import sys
import textwrap
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from nova_judge.sources import DRIVER, OURS, strangers, uses

TABLE = Path(__file__).parents[2] / "surface.toml"

_GONE = "gone"

_HEAD = """\
# The names of Nova that the driver overrides or uses, as they are in the release that it was written against.
# Written by scripts/nova-judge --pin, which is to be run after the new source of each has been read.
"""


@dataclass(frozen=True)
class Pinned:
    """A name of Nova's: "overrides" or "uses", its signature or value, and the SHA-256 of its source ("" for none)."""

    how: str
    signature: str
    sha256: str = ""


def installed(known: Collection[str] = ()) -> dict[str, Pinned]:
    """The surface, as the Nova that is installed has it. ``known`` are names that our methods override elsewhere."""
    driver = _resolve(DRIVER)
    ours = getattr(importlib.import_module("holdfast_nova.driver"), OURS)
    parts = [part for part in ours.__mro__ if part.__module__.startswith("holdfast_nova.")]
    own = {name for part in parts for name in vars(part) if name == "__init__" or not name.startswith("__")}
    replaced = {name for each in own if (name := f"{DRIVER}.{each}") in known or hasattr(driver, each)}
    used = {use.name for use in uses()} - {DRIVER}
    return {name: _pinned(name, "overrides" if name in replaced else "uses") for name in sorted(replaced | used)}


def read(path: Path) -> tuple[str, dict[str, Pinned]]:
    """The release that the table is of, and the table."""
    table = tomllib.loads(path.read_text())
    return table.pop("nova"), {name: Pinned(**entry) for name, entry in table.items()}


def write(path: Path) -> None:
    """Write the table of the Nova that is installed."""
    lines = [_HEAD + f'nova = "{version("nova")}"\n']
    for name, entry in installed().items():
        signature = entry.signature.replace("\\", "\\\\").replace('"', '\\"')
        lines += [f'\n["{name}"]', f'how = "{entry.how}"', f'signature = "{signature}"']
        if entry.sha256:
            lines.append(f'sha256 = "{entry.sha256}"')
    path.write_text("\n".join(lines) + "\n")


def complaints(path: Path) -> list[str]:
    """What is another than in the table, a sentence each."""
    release, table = read(path)
    now = installed({name for name, entry in table.items() if entry.how == "overrides"})
    found = [f"{use.where} uses {use.name}, and sources.OBJECTS does not tell whose that is" for use in strangers()]
    for name in sorted(now.keys() | table.keys()):
        if name not in table:
            found.append(f"{name}: our driver {now[name].how} it, and surface.toml does not have it: --pin")
        elif name not in now:
            found.append(f"{name}: surface.toml has it, and our driver does not use it any more: --pin")
        elif now[name].how != table[name].how:
            found.append(f"{name}: our driver {now[name].how} it, and surface.toml says {table[name].how}: --pin")
        elif now[name] != table[name]:
            found.append(_difference(name, table[name], now[name], release))
    return found


def _difference(name: str, then: Pinned, now: Pinned, release: str) -> str:
    here = f"Nova {version('nova')}"
    read_it = "read it, change our driver where that matters, and pin it anew (scripts/nova-judge --pin)"
    if now == Pinned(now.how, _GONE):
        return f"{name}, which our driver {now.how}, is gone in {here} ({release} had {then.signature}); {read_it}"
    if then.signature != now.signature:
        return (
            f"{name}, which our driver {now.how}, is {now.signature} in {here} and was {then.signature} in {release}: "
            f"its signature changed; {read_it}"
        )
    return f"{name}, which our driver {now.how}, has another body in {here} than in {release}; {read_it}"


def _pinned(name: str, how: str) -> Pinned:
    try:
        thing = _resolve(name)
    except LookupError:
        return Pinned(how, _GONE)
    if isinstance(thing, _Assigned):
        return Pinned(how, thing.text, _hash(thing.text))
    if isinstance(thing, property):
        thing = thing.fget
    if isinstance(thing, functools.partial):  # a function of nova.privsep
        thing = thing.args[0]
    if inspect.isclass(thing):
        return Pinned(how, f"class {thing.__name__}", _hash(inspect.getsource(thing)))
    if inspect.isroutine(thing):
        source = textwrap.dedent(inspect.getsource(thing))
        (function,) = ast.parse(source).body
        assert isinstance(function, ast.FunctionDef)
        return Pinned(how, f"({ast.unparse(function.args)})", _hash(source))
    if isinstance(thing, str | int | dict | tuple | list | None):
        return Pinned(how, repr(thing))
    return Pinned(how, type(thing).__name__)


@dataclass(frozen=True)
class _Assigned:
    """An attribute of an instance: what ``__init__`` assigns to it."""

    text: str


def _resolve(name: str) -> object:
    """The thing of this dotted name: in a module, in a class, or what a class's ``__init__`` assigns."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            if inspect.isclass(thing) and not hasattr(thing, part):
                thing = _assigned(thing, part)
            elif hasattr(thing, part):
                thing = getattr(thing, part)
            else:
                raise LookupError(name)
        return thing
    raise LookupError(name)


def _assigned(owner: type, attribute: str) -> _Assigned:
    for base in owner.__mro__[:-1]:
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        for node in ast.walk(tree):
            targets = node.targets if isinstance(node, ast.Assign) else []
            if any(isinstance(target, ast.Attribute) and target.attr == attribute for target in targets):
                return _Assigned(ast.unparse(node))
    raise LookupError(attribute)


def _hash(source: str) -> str:
    return hashlib.sha256(textwrap.dedent(source).encode()).hexdigest()


def main() -> int:
    """``--check FILE...`` prints what is wrong, and is 1 then; without it the table is written."""
    if sys.argv[1:2] == ["--check"]:
        files = [Path(name) for name in sys.argv[2:]]
        found = [f"{file.name}: {sentence}" for file in files for sentence in complaints(file)]
        print("".join(f"{line}\n" for line in found), end="")
        return 1 if found else 0
    write(TABLE)
    print(f"{TABLE.name}: {len(read(TABLE)[1])} names of Nova {version('nova')}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
